import { setImmediate as nextTurn } from 'node:timers/promises';
import { Reply, Router, XPublisher } from 'zeromq';
import { addressOf, type ConnectionInfo } from './connection.ts';
import { decodeMessage, encodeMessage, type Message, type Signer } from './message.ts';

export type Channel = 'shell' | 'control' | 'stdin';

/** Messages of one socket that one turn of the event loop may handle. */
const SHARE = 16;

interface Sendable {
  send(frames: (Uint8Array | string)[]): Promise<void>;
}

/** ZeroMQ allows one send at a time on a socket; this keeps the order and never waits for peers. */
class SendQueue {
  readonly #socket: Sendable;
  readonly #queue: (Uint8Array | string)[][] = [];
  #running: Promise<void> | undefined;

  constructor(socket: Sendable) {
    this.#socket = socket;
  }

  push(frames: (Uint8Array | string)[]): void {
    this.#queue.push(frames);
    this.#running ??= this.#drain();
  }

  /** Resolves when everything pushed so far has been handed to ZeroMQ. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #drain(): Promise<void> {
    // The index avoids the quadratic cost of shifting a long array.
    for (let i = 0; i < this.#queue.length; i++) {
      try {
        await this.#socket.send(this.#queue[i]);
      } catch {
        // A peer that is gone, or a socket that is being closed: nobody is left to tell.
      }
    }
    this.#queue.length = 0;
    this.#running = undefined;
  }
}

export interface SocketHandlers {
  onMessage(channel: Channel, message: Message): void;
  /** A message that was dropped: malformed, or wrongly signed. */
  onRejected(channel: Channel, reason: string): void;
  /** A client subscribed to iopub. */
  onSubscribe(topic: Buffer): void;
}

/** The five sockets of a kernel. */
export class Sockets {
  readonly #signer: Signer;
  readonly #handlers: SocketHandlers;
  readonly #routers: Record<Channel, Router>;
  readonly #iopub = new XPublisher({ sendHighWaterMark: 0, linger: 1000, verbosity: 'allSubs' });
  readonly #heartbeat = new Reply({ linger: 0 });
  readonly #queues: Record<Channel | 'iopub', SendQueue>;

  constructor(signer: Signer, handlers: SocketHandlers) {
    this.#signer = signer;
    this.#handlers = handlers;
    const router = () => new Router({ sendHighWaterMark: 0, linger: 1000, handover: true });
    this.#routers = { shell: router(), control: router(), stdin: router() };
    this.#queues = {
      shell: new SendQueue(this.#routers.shell),
      control: new SendQueue(this.#routers.control),
      stdin: new SendQueue(this.#routers.stdin),
      iopub: new SendQueue(this.#iopub),
    };
  }

  async bind(info: ConnectionInfo): Promise<void> {
    await Promise.all([
      this.#heartbeat.bind(addressOf(info, info.hb_port)),
      this.#routers.control.bind(addressOf(info, info.control_port)),
      this.#routers.shell.bind(addressOf(info, info.shell_port)),
      this.#routers.stdin.bind(addressOf(info, info.stdin_port)),
      this.#iopub.bind(addressOf(info, info.iopub_port)),
    ]);
    void this.#beat();
    void this.#subscriptions();
    for (const channel of ['control', 'shell', 'stdin'] as const) void this.#receive(channel);
  }

  send(channel: Channel, message: Message): void {
    this.#queues[channel].push(encodeMessage(message, this.#signer));
  }

  publish(topic: string | Buffer, message: Message): void {
    this.#queues.iopub.push([topic, ...encodeMessage(message, this.#signer)]);
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#queues).map((queue) => queue.idle()));
    this.#heartbeat.close();
    this.#iopub.close();
    for (const router of Object.values(this.#routers)) router.close();
  }

  async #receive(channel: Channel): Promise<void> {
    let handled = 0;
    for await (const frames of this.#routers[channel]) {
      // Messages that have arrived come without a pause: control and heartbeat would wait for all.
      if (++handled % SHARE === 0) await nextTurn();
      let message: Message;
      try {
        message = decodeMessage(frames, this.#signer);
      } catch (error) {
        this.#handlers.onRejected(channel, (error as Error).message);
        continue;
      }
      this.#handlers.onMessage(channel, message);
    }
  }

  async #beat(): Promise<void> {
    for await (const frames of this.#heartbeat) {
      await this.#heartbeat.send(frames).catch(() => undefined);
    }
  }

  async #subscriptions(): Promise<void> {
    for await (const [frame] of this.#iopub) {
      if (frame?.[0] === 1) this.#handlers.onSubscribe(frame.subarray(1));
    }
  }
}
