import type { Connection } from './connection.ts';
import { encodeFrames, keyOf } from './frames.ts';
import { type Endpoint, Server } from './server.ts';

/**
 * A ROUTER socket: the first frame of every message names the peer. A peer that comes again under
 * the same name takes over from the one before.
 */
export class Router {
  readonly #server: Server;
  readonly #peers = new Map<string, Connection>();
  readonly #names = new Map<Connection, Buffer>();
  #count = 0;

  constructor(onMessage: (frames: Buffer[]) => void) {
    this.#server = new Server('ROUTER', {
      onOpen: (peer) => this.#open(peer),
      onMessage: (peer, frames) => {
        const name = this.#names.get(peer);
        if (name !== undefined) onMessage([name, ...frames]);
      },
      onClose: (peer) => this.#forget(peer),
    });
  }

  listen(endpoint: Endpoint): Promise<void> {
    return this.#server.listen(endpoint);
  }

  /** What goes to a peer that is gone is dropped. */
  send([name = '', ...frames]: readonly (Uint8Array | string)[]): void {
    this.#peers.get(keyOf(name))?.send(encodeFrames(frames));
  }

  close(linger: number): Promise<void> {
    return this.#server.close(linger);
  }

  #open(peer: Connection): void {
    let name = peer.identity;
    if (name.length === 0) {
      // Names that peers choose do not begin with a zero.
      name = Buffer.alloc(5);
      name.writeUInt32BE(++this.#count, 1);
    }
    const before = this.#peers.get(keyOf(name));
    if (before !== undefined) {
      this.#forget(before);
      void before.close(0);
    }
    this.#peers.set(keyOf(name), peer);
    this.#names.set(peer, name);
  }

  #forget(peer: Connection): void {
    const name = this.#names.get(peer);
    if (name === undefined) return;
    this.#names.delete(peer);
    this.#peers.delete(keyOf(name));
  }
}
