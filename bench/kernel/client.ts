import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Content, Message } from '../../src/kernel/protocol/message.ts';
import { CONNECTION_FILE, freePorts } from '../../src/notebook/kernel-process.ts';
import { KernelSockets } from '../../src/notebook/kernel-sockets.ts';

export interface Launch {
  /** Program and arguments; {@link CONNECTION_FILE} stands for the path of the connection file. */
  readonly command: readonly string[];
  readonly cwd: string;
  /** How Jupyter stops a cell of it, as its kernelspec says. */
  readonly interrupt: 'message' | 'signal';
}

/** What a request caused, and when. */
export interface Answer {
  readonly content: Content;
  /** Everything that was published for it, up to `idle`. */
  readonly published: readonly Message[];
  /** Milliseconds from sending it to its reply and, of a cell, its `idle`. */
  readonly ms: number;
}

/** Attempts to connect; the default of 100 ms would be half of what is measured. */
const RECONNECT = { reconnectInterval: 2, reconnectMaxInterval: 2 };

/** A kernel process of any make, and the client that times it. */
export class TimedKernel {
  readonly started = performance.now();
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #sockets: KernelSockets;
  readonly #interrupt: Launch['interrupt'];

  constructor({ command, cwd, interrupt }: Launch, folder: string, ports: readonly number[]) {
    this.#folder = folder;
    this.#interrupt = interrupt;
    const [shell_port, control_port, iopub_port, stdin_port, hb_port] = ports;
    const connection = {
      transport: 'tcp',
      ip: '127.0.0.1',
      key: randomBytes(16).toString('hex'),
      signature_scheme: 'hmac-sha256',
      ...{ shell_port, control_port, iopub_port, stdin_port, hb_port },
    } as const;
    const file = join(folder, 'connection.json');
    writeFileSync(file, JSON.stringify(connection));
    this.#sockets = new KernelSockets(connection, RECONNECT);
    const [program, ...args] = command.map((part) => (part === CONNECTION_FILE ? file : part));
    // Node reads these certificates whenever it starts, which takes longer than its start itself: a
    // matter of the machine, and no kernel here talks to anybody.
    const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env;
    const env = { ...inherited, GIBBS_KERNEL_HISTORY: join(folder, 'history.jsonl') };
    this.started = performance.now();
    this.#child = spawn(program, args, { cwd, env, stdio: 'ignore' });
    const ended = (why: string) => this.#sockets.fail(new Error(why), true);
    this.#child.once('error', (error) => ended(`it could not be started: ${error.message}`));
    this.#child.once('exit', (code, signal) => ended(`it ended with ${signal ?? code}`));
  }

  static async launch(launch: Launch): Promise<TimedKernel> {
    return new TimedKernel(launch, mkdtempSync(join(tmpdir(), 'gibbs-bench-')), await freePorts(5));
  }

  /** Resolves with the first `kernel_info_reply`, and then waits until iopub is heard. */
  async ready(): Promise<number> {
    await this.#ask('kernel_info_request', {}, 'reply', 60_000);
    const ms = performance.now() - this.started;
    for (let heard = false; !heard; ) {
      const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), 20));
      heard = await Promise.race([this.#sockets.iopubHeard.then(() => true), late]);
      if (!heard) await this.#ask('kernel_info_request', {}, 'reply', 60_000);
    }
    return ms;
  }

  execute(code: string, timeout = 30_000, onPublished?: (m: Message) => void): Promise<Answer> {
    const content = {
      ...{ code, silent: false, store_history: true, user_expressions: {} },
      ...{ allow_stdin: false, stop_on_error: true },
    };
    return this.#ask('execute_request', content, 'idle', timeout, onPublished);
  }

  complete(code: string, timeout = 30_000): Promise<Answer> {
    return this.#ask('complete_request', { code, cursor_pos: code.length }, 'reply', timeout);
  }

  /** What Stop in a notebook does. */
  async interrupt(): Promise<void> {
    if (this.#interrupt === 'signal') this.#child.kill('SIGINT');
    else await this.#sockets.command('interrupt_request', {});
  }

  /** Ends the process and removes what it left. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = new Promise((resolve) => this.#child.once('exit', resolve));
      this.#child.kill('SIGKILL');
      await ended;
    }
    this.#sockets.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #ask(
    type: string,
    content: Content,
    until: 'reply' | 'idle',
    timeout: number,
    onPublished: (message: Message) => void = () => undefined,
  ): Promise<Answer> {
    const published: Message[] = [];
    const collect = (message: Message) => {
      published.push(message);
      onPublished(message);
    };
    const sent = performance.now();
    const { reply } = this.#sockets.ask(type, content, { until, onPublished: collect });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new Error(`no answer in ${timeout / 1000} s`);
      timer = setTimeout(() => reject(error), timeout);
    });
    try {
      const message = await Promise.race([reply, late]);
      return { content: message.content, published, ms: performance.now() - sent };
    } finally {
      clearTimeout(timer);
    }
  }
}
