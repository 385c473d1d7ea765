import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { ConfigError, GibbsError, StoreError } from '../../core/errors.ts';
import { summaryOf } from '../../train/store/summary.ts';
import { asset } from './assets.ts';
import { Catalogue, type CatalogueChange } from './catalogue.ts';
import { EventStream } from './events.ts';
import { admit } from './guard.ts';
import { type Bytes, NotFoundError, ROUTES } from './routes.ts';
import type { WireChange, WireError } from './wire.ts';

export interface ExplorerOptions {
  /** Place of the run store; need not exist yet. */
  readonly place: string;
  /** Default 0: any free one. */
  readonly port?: number;
}

/** How often the store is looked at while a page is open. */
const LOOK_MS = 400;

/** Larger answers are compressed: the page may be at the far end of an SSH tunnel. */
const COMPRESS_FROM = 32 * 1024;

const compress = promisify(gzip);

/** Nothing but this server, no inline code, not in a frame. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "font-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};

/** The explorer's server: one page about one run store, for who knows its address. */
export class Explorer {
  /** With the token. */
  readonly url: string;
  readonly #server: Server;
  readonly #token: string;
  readonly #catalogue: Catalogue;
  readonly #events = new EventStream();
  #timer: NodeJS.Timeout | undefined;

  private constructor(catalogue: Catalogue, server: Server, token: string) {
    this.#catalogue = catalogue;
    this.#server = server;
    this.#token = token;
    const { port } = server.address() as AddressInfo;
    this.url = `http://127.0.0.1:${port}/${token}/`;
    catalogue.onChange((change) => this.#events.send('runs', this.#wire(change)));
    server.on('request', (request, response) => void this.#answer(request, response));
  }

  /**
   * Starts to listen, on this machine only.
   * @throws StoreError when the port is taken, or the store cannot be opened; DataError when it is
   * damaged.
   */
  static async start(options: ExplorerOptions): Promise<Explorer> {
    const { place, port = 0 } = options;
    const catalogue = new Catalogue(place);
    catalogue.refresh();
    const server = createServer();
    await listening(server, port);
    return new Explorer(catalogue, server, randomBytes(16).toString('base64url'));
  }

  /** Tells the open pages, and ends. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#events.close();
    const closed = new Promise((done) => this.#server.close(done));
    // What `close` has ended is flushed first.
    setTimeout(() => this.#server.closeAllConnections(), 100);
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const admitted = admit(request, this.#token);
    if ('status' in admitted) {
      response.writeHead(admitted.status, { 'Content-Type': 'text/plain; charset=utf-8' });
      response.end(`gibbs view: ${admitted.reason}\n`);
      return;
    }
    const { path, query } = admitted;
    try {
      if (path === 'api/events') return this.#follow(response);
      await send(request, response, 200, await this.#find(path, query));
    } catch (error) {
      if (response.headersSent) return void response.destroy();
      const { status, message } = problemOf(error);
      await send(request, response, status, { error: message } satisfies WireError);
    }
  }

  async #find(path: string, query: URLSearchParams): Promise<object | Bytes> {
    const name = /^api\/(.*)$/.exec(path)?.[1];
    if (name === undefined) {
      const found = await asset(path);
      if (!found) throw new NotFoundError(`there is no page '${path}'`);
      return found;
    }
    if (!Object.hasOwn(ROUTES, name)) throw new NotFoundError(`there is no '${path}'`);
    this.#catalogue.refresh();
    return ROUTES[name](this.#catalogue, query);
  }

  #follow(response: ServerResponse): void {
    this.#events.add(response, () => {
      if (this.#events.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
  }

  #look(): void {
    try {
      this.#catalogue.refresh();
    } catch (error) {
      this.#events.send('trouble', { error: problemOf(error).message } satisfies WireError);
    }
  }

  #wire({ exists, changed, removed }: CatalogueChange): WireChange {
    const { problems } = this.#catalogue;
    return { exists, changed: changed.map(summaryOf), removed, problems };
  }
}

async function listening(server: Server, port: number): Promise<void> {
  await new Promise<void>((done, fail) => {
    server.once('error', (error: NodeJS.ErrnoException) => fail(toPortError(error, port)));
    server.listen(port, '127.0.0.1', done);
  });
}

function toPortError(error: NodeJS.ErrnoException, port: number): Error {
  if (error.code === 'EADDRINUSE') {
    return new StoreError(`port ${port} is taken; leave --port out for any free one`);
  }
  if (error.code === 'EACCES') {
    return new StoreError(`port ${port} needs more rights; choose one from 1024 on`);
  }
  return error;
}

function problemOf(error: unknown): { status: number; message: string } {
  if (error instanceof NotFoundError) return { status: 404, message: error.message };
  if (error instanceof ConfigError) return { status: 400, message: error.message };
  if (error instanceof GibbsError) return { status: 500, message: error.message };
  return { status: 500, message: `internal error: ${(error as Error)?.message}` };
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  content: object | Bytes,
): Promise<void> {
  const { type, body } =
    'body' in content
      ? content
      : { type: 'application/json', body: Buffer.from(JSON.stringify(content)) };
  response.setHeader('Content-Type', type);
  const accepts = String(request.headers['accept-encoding'] ?? '').includes('gzip');
  const small = body.byteLength < COMPRESS_FROM || type.startsWith('image/png');
  let out = body;
  if (accepts && !small) {
    out = await compress(body, { level: 3 });
    response.setHeader('Content-Encoding', 'gzip');
  }
  response.writeHead(status, { 'Content-Length': out.byteLength });
  response.end(request.method === 'HEAD' ? undefined : out);
}
