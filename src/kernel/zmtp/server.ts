import { rmSync } from 'node:fs';
import { createServer, type ListenOptions, type Server as NetServer } from 'node:net';
import { Connection, type ConnectionHandlers } from './connection.ts';
import type { SocketType } from './handshake.ts';

/** Where a socket listens: a port of an address (all of them for `*`), or a file. */
export type Endpoint =
  | { readonly transport: 'tcp'; readonly ip: string; readonly port: number }
  | { readonly transport: 'ipc'; readonly path: string };

/** A ZeroMQ socket that peers connect to. */
export class Server {
  readonly #net: NetServer;
  readonly #connections = new Set<Connection>();

  constructor(type: SocketType, handlers: ConnectionHandlers) {
    this.#net = createServer((socket) => {
      const connection = new Connection(socket, type, handlers);
      this.#connections.add(connection);
      socket.on('close', () => this.#connections.delete(connection));
    });
  }

  /** Rejects with the error of the operating system, e.g. when the port is taken. */
  async listen(endpoint: Endpoint): Promise<void> {
    // Of a kernel that was killed.
    if (endpoint.transport === 'ipc') rmSync(endpoint.path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#net.once('error', reject);
      this.#net.listen(listenOptions(endpoint), () => {
        this.#net.off('error', reject);
        // A connection that cannot be accepted is the peer's loss.
        this.#net.on('error', () => undefined);
        resolve();
      });
    });
  }

  /** Hangs up on all, after at most `linger` ms for what they have not received. */
  async close(linger: number): Promise<void> {
    this.#net.close();
    await Promise.all([...this.#connections].map((connection) => connection.close(linger)));
  }
}

function listenOptions(endpoint: Endpoint): ListenOptions {
  if (endpoint.transport === 'ipc') return { path: endpoint.path };
  const { ip, port } = endpoint;
  return ip === '*' ? { port } : { port, host: ip };
}
