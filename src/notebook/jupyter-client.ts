import { setTimeout as delay } from 'node:timers/promises';
import { StoreError } from '../core/errors.ts';
import type { Content, Message } from '../kernel/protocol/message.ts';
import type { OutputMessage } from './collector.ts';
import type { JsonObject } from './document.ts';
import type { ExecuteReply, KernelClient } from './kernel-client.ts';
import { type KernelProcess, startKernelProcess } from './kernel-process.ts';
import { KernelSockets } from './kernel-sockets.ts';

const START_TIMEOUT_MS = 30_000;
const SHUTDOWN_TIMEOUT_MS = 5_000;

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
  readonly #sockets: KernelSockets;
  #iopubHeard = false;
  languageInfo: JsonObject = {};

  constructor(kernel: KernelProcess) {
    this.#kernel = kernel;
    this.#sockets = new KernelSockets(kernel.connection);
    void this.#sockets.iopubHeard.then(() => {
      this.#iopubHeard = true;
    });
    void kernel.ended.then((reason) => {
      const dead = new StoreError(`notebook run: the kernel has died: ${reason}`);
      this.#sockets.fail(dead, true);
    });
  }

  /** Waits until the kernel answers on shell and is heard on iopub, where early messages get lost. */
  async ready(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (Date.now() < deadline) {
      const asked = this.#sockets.ask('kernel_info_request', {}, { until: 'reply' });
      const reply = await this.#within(asked.reply, 300);
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
    const { content: reply } = await this.#ask(content, cellId, onMessage);
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
    await this.#sockets.command('interrupt_request', {});
  }

  async shutdown(): Promise<void> {
    try {
      await this.#within(this.#sockets.command('shutdown_request', { restart: false }), 500);
      await this.#within(this.#kernel.ended, SHUTDOWN_TIMEOUT_MS);
    } catch {
      // It is ended by force below, whatever kept it from going by itself.
    }
    await this.#kernel.dispose();
    this.#sockets.close();
  }

  /** @throws StoreError when the kernel dies, or what it says cannot be believed. */
  async #ask(
    content: Content,
    cellId: string,
    onMessage: (message: OutputMessage) => void,
  ): Promise<Message> {
    const onPublished = ({ header: { msg_type: type }, content }: Message) => {
      if (type !== 'status') onMessage({ type, content: content as JsonObject });
    };
    const options = { until: 'idle', metadata: { cellId }, onPublished } as const;
    try {
      return await this.#sockets.ask('execute_request', content, options).reply;
    } catch (error) {
      if (error instanceof StoreError) throw error;
      throw new StoreError(`notebook run: ${(error as Error).message}`, { cause: error });
    }
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
