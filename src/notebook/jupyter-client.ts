import { setTimeout as delay } from 'node:timers/promises';
import { Dealer, Subscriber } from 'zeromq';
import { StoreError } from '../core/errors.ts';
import { addressOf, type ConnectionInfo } from '../kernel/protocol/connection.ts';
import {
  type Content,
  decodeMessage,
  encodeMessage,
  type Message,
  MessageFactory,
  Signer,
} from '../kernel/protocol/message.ts';
import type { OutputMessage } from './collector.ts';
import type { JsonObject } from './document.ts';
import type { ExecuteReply, KernelClient } from './kernel-client.ts';
import { type KernelProcess, startKernelProcess } from './kernel-process.ts';

const START_TIMEOUT_MS = 30_000;
const SHUTDOWN_TIMEOUT_MS = 5_000;

/** What a request waits for: its reply, and the `idle` that closes its outputs. */
interface Open {
  reply?: Message;
  idle: boolean;
  readonly done: (reply: Message) => void;
  readonly fail: (error: Error) => void;
}

/**
 * Starts this package's kernel in `cwd` and speaks the Jupyter protocol with it.
 * @throws StoreError when it does not answer within half a minute, with what it wrote to stderr.
 */
export async function startKernel(cwd: string, command?: readonly string[]): Promise<KernelClient> {
  const kernel = await startKernelProcess(cwd, command);
  const client = new JupyterClient(kernel);
  try {
    await client.ready();
    return client;
  } catch (error) {
    await client.shutdown();
    throw error;
  }
}

class JupyterClient implements KernelClient {
  readonly #kernel: KernelProcess;
  readonly #signer: Signer;
  readonly #factory = new MessageFactory();
  readonly #shell = new Dealer({ linger: 0 });
  readonly #control = new Dealer({ linger: 0 });
  readonly #iopub = new Subscriber({ linger: 0, receiveHighWaterMark: 0 });
  readonly #open = new Map<string, Open>();
  /** By request, and kept when it is over: what a cell has started may still write. */
  readonly #listeners = new Map<string, (message: OutputMessage) => void>();
  #iopubHeard = false;
  #dead: StoreError | undefined;
  languageInfo: JsonObject = {};

  constructor(kernel: KernelProcess) {
    this.#kernel = kernel;
    const { connection } = kernel;
    this.#signer = new Signer(connection.key, connection.signature_scheme);
    this.#connect(connection);
    void kernel.ended.then((reason) => this.#died(reason));
  }

  /** Waits until the kernel answers on shell and is heard on iopub, where early messages get lost. */
  async ready(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (Date.now() < deadline) {
      const reply = await this.#within(this.#ask('kernel_info_request', {}).reply, 300);
      if (reply) this.languageInfo = (reply.content['language_info'] ?? {}) as JsonObject;
      if (reply && this.#iopubHeard) return;
    }
    const seconds = START_TIMEOUT_MS / 1000;
    throw new StoreError(`notebook run: the kernel did not answer within ${seconds} s`);
  }

  async execute(
    code: string,
    cellId: string,
    onMessage: (message: OutputMessage) => void,
  ): Promise<ExecuteReply> {
    const content = {
      code,
      silent: false,
      store_history: true,
      user_expressions: {},
      allow_stdin: false,
      stop_on_error: true,
    };
    const { content: reply } = await this.#ask('execute_request', content, onMessage, { cellId })
      .reply;
    if (reply['status'] === 'ok') {
      const count = reply['execution_count'];
      return { status: 'ok', executionCount: typeof count === 'number' ? count : null };
    }
    if (reply['status'] === 'aborted') return { status: 'aborted' };
    return {
      status: 'error',
      ename: String(reply['ename'] ?? 'Error'),
      evalue: String(reply['evalue'] ?? ''),
      traceback: Array.isArray(reply['traceback']) ? reply['traceback'].map(String) : [],
    };
  }

  async interrupt(): Promise<void> {
    await this.#send(this.#control, this.#factory.create('interrupt_request', {}));
  }

  async shutdown(): Promise<void> {
    try {
      const bye = this.#factory.create('shutdown_request', { restart: false });
      await this.#within(this.#send(this.#control, bye), 500);
      await this.#within(this.#kernel.ended, SHUTDOWN_TIMEOUT_MS);
    } catch {
      // It is ended by force below, whatever kept it from going by itself.
    }
    await this.#kernel.dispose();
    for (const socket of [this.#shell, this.#control, this.#iopub]) socket.close();
  }

  #connect(connection: ConnectionInfo): void {
    this.#shell.connect(addressOf(connection, connection.shell_port));
    this.#control.connect(addressOf(connection, connection.control_port));
    this.#iopub.connect(addressOf(connection, connection.iopub_port));
    this.#iopub.subscribe();
    void this.#receive(this.#shell, (message) => this.#replied(message));
    void this.#receive(this.#control, () => {});
    void this.#receive(this.#iopub, (message) => this.#published(message));
  }

  async #receive(socket: Dealer | Subscriber, handle: (message: Message) => void): Promise<void> {
    for await (const frames of socket) {
      try {
        handle(decodeMessage(frames, this.#signer));
      } catch (error) {
        this.#fail(new StoreError(`notebook run: ${(error as Error).message}`));
      }
    }
  }

  #ask(
    type: string,
    content: Content,
    onMessage?: (message: OutputMessage) => void,
    metadata: Content = {},
  ): { reply: Promise<Message> } {
    const message = this.#factory.create(type, content, { metadata });
    const reply = new Promise<Message>((done, fail) => {
      if (this.#dead) fail(this.#dead);
      else this.#open.set(message.header.msg_id, { idle: false, done, fail });
    });
    if (onMessage) this.#listeners.set(message.header.msg_id, onMessage);
    // Whoever gives up waiting need not handle the death of the kernel as well.
    reply.catch(() => {});
    void this.#send(this.#shell, message).catch((error: Error) => this.#fail(error));
    return { reply };
  }

  async #send(socket: Dealer, message: Message): Promise<void> {
    await socket.send(encodeMessage(message, this.#signer));
  }

  #replied(message: Message): void {
    const open = this.#open.get(message.parent.msg_id ?? '');
    if (!open) return;
    open.reply = message;
    this.#settle(message.parent.msg_id ?? '', open);
  }

  #published(message: Message): void {
    this.#iopubHeard = true;
    const id = message.parent.msg_id ?? '';
    const { msg_type: type } = message.header;
    if (type !== 'status') {
      this.#listeners.get(id)?.({ type, content: message.content as JsonObject });
      return;
    }
    const open = this.#open.get(id);
    if (!open || message.content['execution_state'] !== 'idle') return;
    open.idle = true;
    this.#settle(id, open);
  }

  #settle(id: string, open: Open): void {
    const before = open.reply?.header.msg_type === 'kernel_info_reply';
    if (!open.reply || !(open.idle || before)) return;
    this.#open.delete(id);
    open.done(open.reply);
  }

  #died(reason: string): void {
    this.#dead = new StoreError(`notebook run: the kernel has died: ${reason}`);
    this.#fail(this.#dead);
  }

  #fail(error: Error): void {
    for (const open of this.#open.values()) open.fail(error);
    this.#open.clear();
  }

  async #within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
    const timer = new AbortController();
    try {
      const late = delay(ms, undefined, { signal: timer.signal }).catch(() => undefined);
      return await Promise.race([promise, late]);
    } finally {
      timer.abort();
    }
  }
}
