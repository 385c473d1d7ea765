import { Dealer, Subscriber } from 'zeromq';
import { addressOf, type ConnectionInfo } from '../kernel/protocol/connection.ts';
import {
  type Content,
  decodeMessage,
  encodeMessage,
  type Message,
  MessageFactory,
  Signer,
} from '../kernel/protocol/message.ts';

/** A request on its way. */
export interface Asked {
  readonly id: string;
  /** The reply; rejects when it cannot come any more. */
  readonly reply: Promise<Message>;
}

export interface AskOptions {
  /** With `idle`, the reply counts once everything that the request caused has been published. */
  readonly until: 'reply' | 'idle';
  readonly metadata?: Content;
  /** Called with what is published for the request, also after its end: cells may start things. */
  readonly onPublished?: (message: Message) => void;
}

interface Open {
  reply?: Message;
  idle: boolean;
  readonly done: (reply: Message) => void;
  readonly fail: (error: Error) => void;
}

/** Options of the sockets; ZeroMQ tries to connect every 100 ms unless told otherwise. */
export interface SocketOptions {
  readonly reconnectInterval?: number;
  readonly reconnectMaxInterval?: number;
}

/** The client's end of the sockets of a kernel of any make. */
export class KernelSockets {
  readonly #signer: Signer;
  readonly #factory = new MessageFactory();
  readonly #shell: Dealer;
  readonly #control: Dealer;
  readonly #iopub: Subscriber;
  readonly #open = new Map<string, Open>();
  readonly #listeners = new Map<string, (message: Message) => void>();
  #heard: () => void = () => undefined;
  #broken: Error | undefined;
  /** Resolves with the first message on iopub, where messages before the connection get lost. */
  readonly iopubHeard = new Promise<void>((resolve) => {
    this.#heard = resolve;
  });

  constructor(connection: ConnectionInfo, options: SocketOptions = {}) {
    this.#signer = new Signer(connection.key, connection.signature_scheme);
    this.#shell = new Dealer({ ...options, linger: 0 });
    this.#control = new Dealer({ ...options, linger: 0 });
    this.#iopub = new Subscriber({ ...options, linger: 0, receiveHighWaterMark: 0 });
    this.#shell.connect(addressOf(connection, connection.shell_port));
    this.#control.connect(addressOf(connection, connection.control_port));
    this.#iopub.connect(addressOf(connection, connection.iopub_port));
    this.#iopub.subscribe();
    void this.#receive(this.#shell, (message) => this.#replied(message));
    void this.#receive(this.#control, () => {});
    void this.#receive(this.#iopub, (message) => this.#published(message));
  }

  /** Sends a request on shell. */
  ask(type: string, content: Content, options: AskOptions): Asked {
    const message = this.#factory.create(type, content, { metadata: options.metadata });
    const id = message.header.msg_id;
    const reply = new Promise<Message>((done, fail) => {
      if (this.#broken) fail(this.#broken);
      else this.#open.set(id, { idle: options.until === 'reply', done, fail });
    });
    if (options.onPublished) this.#listeners.set(id, options.onPublished);
    // Whoever gives up waiting need not handle the death of the kernel as well.
    reply.catch(() => {});
    this.#shell.send(encodeMessage(message, this.#signer)).catch((error) => this.fail(error));
    return { id, reply };
  }

  /** Sends a request on control, whose reply nobody waits for. */
  async command(type: string, content: Content): Promise<void> {
    await this.#control.send(encodeMessage(this.#factory.create(type, content), this.#signer));
  }

  /** Gives up every open request; with `forGood`, those to come too. */
  fail(error: Error, forGood = false): void {
    if (forGood) this.#broken = error;
    for (const open of this.#open.values()) open.fail(error);
    this.#open.clear();
  }

  close(): void {
    for (const socket of [this.#shell, this.#control, this.#iopub]) socket.close();
  }

  async #receive(socket: Dealer | Subscriber, handle: (message: Message) => void): Promise<void> {
    for await (const frames of socket) {
      try {
        handle(decodeMessage(frames, this.#signer));
      } catch (error) {
        this.fail(error as Error);
      }
    }
  }

  #replied(message: Message): void {
    const id = message.parent.msg_id ?? '';
    const open = this.#open.get(id);
    if (!open) return;
    open.reply = message;
    this.#settle(id, open);
  }

  #published(message: Message): void {
    this.#heard();
    const id = message.parent.msg_id ?? '';
    this.#listeners.get(id)?.(message);
    const open = this.#open.get(id);
    if (!open || message.content['execution_state'] !== 'idle') return;
    open.idle = true;
    this.#settle(id, open);
  }

  #settle(id: string, { reply, idle, done }: Open): void {
    if (!reply || !idle) return;
    this.#open.delete(id);
    done(reply);
  }
}
