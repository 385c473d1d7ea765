import { encodeFrames } from '../zmtp/frames.ts';
import { Publisher } from '../zmtp/publisher.ts';
import { Router } from '../zmtp/router.ts';
import { type Endpoint, Server } from '../zmtp/server.ts';
import type { ConnectionInfo } from './connection.ts';
import { decodeMessage, encodeMessage, type Message, type Signer } from './message.ts';

export type Channel = 'shell' | 'control' | 'stdin';

/** Longest that what has not been received keeps a socket from being closed, ms. */
const LINGER = 1000;

export interface SocketHandlers {
  onMessage(channel: Channel, message: Message): void;
  /** A message that was dropped: malformed, or wrongly signed. */
  onRejected(channel: Channel, reason: string): void;
  /** A client subscribed to iopub. */
  onSubscribe(topic: Buffer): void;
}

/**
 * The five sockets of a kernel. They speak ZeroMQ's protocol in this thread: its library has a thread
 * of its own, and every message on its way in or out would wake one thread more.
 */
export class Sockets {
  readonly #signer: Signer;
  readonly #routers: Record<Channel, Router>;
  readonly #iopub: Publisher;
  readonly #heartbeat: Server;

  constructor(signer: Signer, handlers: SocketHandlers) {
    this.#signer = signer;
    const router = (channel: Channel) =>
      new Router((frames) => {
        let message: Message;
        try {
          message = decodeMessage(frames, signer);
        } catch (error) {
          handlers.onRejected(channel, (error as Error).message);
          return;
        }
        handlers.onMessage(channel, message);
      });
    this.#routers = { shell: router('shell'), control: router('control'), stdin: router('stdin') };
    this.#iopub = new Publisher((topic) => handlers.onSubscribe(topic));
    this.#heartbeat = new Server('REP', {
      onOpen: () => undefined,
      onMessage: (peer, frames) => peer.send(encodeFrames(frames)),
      onClose: () => undefined,
    });
  }

  async bind(info: ConnectionInfo): Promise<void> {
    await Promise.all([
      this.#heartbeat.listen(endpointOf(info, info.hb_port)),
      this.#routers.control.listen(endpointOf(info, info.control_port)),
      this.#routers.shell.listen(endpointOf(info, info.shell_port)),
      this.#routers.stdin.listen(endpointOf(info, info.stdin_port)),
      this.#iopub.listen(endpointOf(info, info.iopub_port)),
    ]);
  }

  send(channel: Channel, message: Message): void {
    this.#routers[channel].send(encodeMessage(message, this.#signer));
  }

  /** Makes a message for all who have subscribed to `topic`; the call of the result sends it. */
  prepare(topic: string | Buffer, message: Message): () => void {
    const pieces = encodeFrames([topic, ...encodeMessage(message, this.#signer)]);
    return () => this.#iopub.send(topic, pieces);
  }

  async close(): Promise<void> {
    const sockets = [this.#iopub, ...Object.values(this.#routers), this.#heartbeat];
    await Promise.all(sockets.map((socket) => socket.close(LINGER)));
  }
}

function endpointOf({ transport, ip }: ConnectionInfo, port: number): Endpoint {
  return transport === 'ipc' ? { transport, path: `${ip}-${port}` } : { transport, ip, port };
}
