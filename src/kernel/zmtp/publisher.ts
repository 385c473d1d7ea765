import type { Connection } from './connection.ts';
import { keyOf } from './frames.ts';
import { type Endpoint, Server } from './server.ts';

/** An XPUB socket: every peer gets the messages whose first frame begins as it has asked for. */
export class Publisher {
  readonly #server: Server;
  /** Of each peer, the keys of its topics and how often it subscribed to them. */
  readonly #topics = new Map<Connection, Map<string, number>>();

  /** @param onSubscribe told of every subscription, also of those that are there already. */
  constructor(onSubscribe: (topic: Buffer) => void) {
    this.#server = new Server('XPUB', {
      onOpen: (peer) => this.#topics.set(peer, new Map()),
      onMessage: (peer, [frame]) => {
        const topic = frame.subarray(1);
        if (frame[0] === 1) {
          this.#change(peer, topic, 1);
          onSubscribe(topic);
        } else if (frame[0] === 0) this.#change(peer, topic, -1);
      },
      onClose: (peer) => this.#topics.delete(peer),
    });
  }

  listen(endpoint: Endpoint): Promise<void> {
    return this.#server.listen(endpoint);
  }

  /** @param pieces a message as bytes, whose first frame is `topic`. */
  send(topic: string | Uint8Array, pieces: readonly Uint8Array[]): void {
    const key = keyOf(topic);
    for (const [peer, topics] of this.#topics) {
      for (const start of topics.keys()) {
        if (!key.startsWith(start)) continue;
        peer.send(pieces);
        break;
      }
    }
  }

  close(linger: number): Promise<void> {
    return this.#server.close(linger);
  }

  #change(peer: Connection, topic: Buffer, by: 1 | -1): void {
    const topics = this.#topics.get(peer);
    const key = keyOf(topic);
    const count = (topics?.get(key) ?? 0) + by;
    if (count > 0) topics?.set(key, count);
    else topics?.delete(key);
  }
}
