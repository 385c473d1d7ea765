import type { ServerResponse } from 'node:http';

/** A client that does not read this much is let go; it connects again. */
const MOST_WAITING = 4 * 2 ** 20;
const HEARTBEAT_MS = 15_000;

/** Server-sent events to every open page. */
export class EventStream {
  readonly #clients = new Set<ServerResponse>();
  #heartbeat: NodeJS.Timeout | undefined;

  get size(): number {
    return this.#clients.size;
  }

  /** Takes the response over; `onEnd` is called when its page has gone. */
  add(response: ServerResponse, onEnd: () => void): void {
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
    response.write('retry: 1000\nevent: hello\ndata: {}\n\n');
    this.#clients.add(response);
    this.#heartbeat ??= setInterval(() => this.#write(': still here\n\n'), HEARTBEAT_MS).unref();
    response.on('close', () => {
      this.#clients.delete(response);
      if (this.#clients.size === 0) this.#stopHeartbeat();
      onEnd();
    });
  }

  send(event: string, data: unknown): void {
    this.#write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** Says `bye` and ends every stream. */
  close(): void {
    this.send('bye', {});
    for (const client of this.#clients) client.end();
    this.#stopHeartbeat();
  }

  #write(text: string): void {
    for (const client of this.#clients) {
      if (client.writableLength > MOST_WAITING) client.destroy();
      else client.write(text);
    }
  }

  #stopHeartbeat(): void {
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
  }
}
