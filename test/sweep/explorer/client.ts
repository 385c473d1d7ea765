import {
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
} from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request as any program of the machine could make it: with whatever headers. */
export function ask(
  url: string,
  { method = 'GET', headers = {} }: AskOptions = {},
): Promise<Answer> {
  return new Promise((done, fail) => {
    const asked = request(url, { method, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', fail);
      response.on('end', () =>
        done({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(parts),
        }),
      );
    });
    asked.on('error', fail);
    asked.end();
  });
}

/** The JSON of an answer that must be a success. */
export async function json<T>(url: string): Promise<T> {
  const { status, body } = await ask(url);
  if (status !== 200) throw new Error(`${url}: ${status} ${body}`);
  return JSON.parse(body.toString()) as T;
}

export interface SentEvent {
  readonly event: string;
  readonly data: unknown;
}

/** Server-sent events as they come. */
export class Events {
  readonly #asked: ClientRequest;
  readonly #heard: SentEvent[] = [];
  #wake: () => void = () => {};
  #ended = false;

  constructor(url: string) {
    this.#asked = request(url, { agent: false }, (response: IncomingMessage) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          this.#take(text.slice(0, end));
          text = text.slice(end + 2);
        }
      });
      response.on('close', () => {
        this.#ended = true;
        this.#wake();
      });
    });
    this.#asked.on('error', () => {});
    this.#asked.end();
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The next event of a name, dropping those before it. */
  async next(name: string): Promise<unknown> {
    for (;;) {
      for (let found = this.#heard.shift(); found; found = this.#heard.shift()) {
        if (found.event === name) return found.data;
      }
      if (this.#ended) throw new Error(`the stream ended before '${name}'`);
      await new Promise<void>((done) => {
        this.#wake = done;
      });
    }
  }

  close(): void {
    this.#asked.destroy();
  }

  #take(block: string): void {
    const event = /^event: (.*)$/m.exec(block)?.[1];
    const data = /^data: (.*)$/m.exec(block)?.[1];
    if (event === undefined) return;
    this.#heard.push({ event, data: JSON.parse(data ?? 'null') });
    this.#wake();
  }
}
