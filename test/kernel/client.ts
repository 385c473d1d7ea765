import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Dealer, Request, Subscriber } from 'zeromq';
import {
  type Content,
  decodeMessage,
  encodeMessage,
  type Message,
  Signer,
} from '../../src/kernel/protocol/message.ts';
import { freePorts } from '../../src/notebook/kernel-process.ts';
import { buildKernel } from './build.ts';

/** Silence after which a kernel is taken for dead; long, since the machine may be busy. */
const PATIENCE_MS = 120_000;

export const KEY = 'a-key-for-tests';

/** What one request caused, in the order of arrival. */
export interface Run {
  readonly reply: Content;
  /** iopub messages of the request, up to `idle`. */
  readonly outputs: Message[];
  /** stdout and stderr as they would be shown. */
  readonly stdout: string;
  readonly stderr: string;
  /** Of the `execute_result`, if there was one. */
  readonly result: string | undefined;
  readonly data: Content | undefined;
  readonly error: { ename: string; evalue: string; traceback: string[] } | undefined;
}

interface Waiter {
  readonly accept: (message: Message) => boolean;
  readonly resolve: (message: Message) => void;
}

export interface KernelOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** The kernel's main file; by default as built from the sources. */
  readonly entry?: string;
}

/** A kernel process and a client of it, over real sockets. */
export class KernelClient {
  readonly child: ChildProcess;
  readonly ports: readonly number[];
  readonly session = randomUUID();
  readonly iopub: Message[] = [];
  /** Answers to input requests: called with the prompt. */
  onInput: ((prompt: string, password: boolean) => string | undefined) | undefined;
  log = '';
  readonly #signer = new Signer(KEY);
  readonly #shell = new Dealer({ linger: 0 });
  readonly #control = new Dealer({ linger: 0 });
  readonly #stdin = new Dealer({ linger: 0 });
  readonly #heartbeat = new Request({ linger: 0, receiveTimeout: 5000 });
  readonly #sub = new Subscriber({ linger: 0, receiveHighWaterMark: 0 });
  readonly #waiters = new Set<Waiter>();
  readonly #sending = new Map<Dealer, Promise<void>>();
  readonly #dir: string;
  #count = 0;

  constructor(child: ChildProcess, ports: readonly number[], dir: string) {
    this.child = child;
    this.ports = ports;
    this.#dir = dir;
    const collect = (chunk: Buffer) => {
      this.log += chunk.toString();
    };
    child.stderr?.on('data', collect);
    child.stdout?.on('data', collect);
    const identity = this.session;
    for (const dealer of [this.#shell, this.#control, this.#stdin]) dealer.routingId = identity;
    const at = (i: number) => `tcp://127.0.0.1:${ports[i]}`;
    this.#shell.connect(at(0));
    this.#control.connect(at(1));
    this.#sub.connect(at(2));
    this.#sub.subscribe('');
    this.#stdin.connect(at(3));
    this.#heartbeat.connect(at(4));
    void this.#read(this.#shell);
    void this.#read(this.#control);
    void this.#read(this.#stdin);
    void this.#readIopub();
  }

  static async start(options: KernelOptions = {}): Promise<KernelClient> {
    const entry = options.entry ?? buildKernel();
    const ports = await freePorts(5);
    const dir = mkdtempSync(join(tmpdir(), 'gibbs-kernel-'));
    const [shell_port, control_port, iopub_port, stdin_port, hb_port] = ports;
    const file = join(dir, 'connection.json');
    const info = {
      transport: 'tcp',
      ip: '127.0.0.1',
      key: KEY,
      signature_scheme: 'hmac-sha256',
      shell_port,
      control_port,
      iopub_port,
      stdin_port,
      hb_port,
    };
    writeFileSync(file, JSON.stringify(info));
    const child = spawn(process.execPath, [entry, file], {
      cwd: options.cwd ?? dir,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        GIBBS_KERNEL_HISTORY: join(dir, 'history.jsonl'),
        GIBBS_KERNEL_TYPES: 'off',
        ...options.env,
      },
    });
    const client = new KernelClient(child, ports, dir);
    await client.request('kernel_info_request', {});
    // iopub connects on its own time: wait until its messages arrive.
    for (let i = 0; !client.iopub.some((m) => m.header.msg_type === 'status'); i++) {
      if (i > 200) throw new Error(`no message on iopub: ${client.log}`);
      await client.request('kernel_info_request', {});
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return client;
  }

  /** Folder of the connection file and the history, and the working folder by default. */
  get dir(): string {
    return this.#dir;
  }

  message(type: string, content: Content, extra: Partial<Message> = {}): Message {
    return {
      idents: [],
      header: {
        msg_id: `${this.session}_${this.#count++}`,
        session: this.session,
        username: 'test',
        date: new Date().toISOString(),
        msg_type: type,
        version: '5.5',
      },
      parent: {},
      metadata: {},
      content,
      buffers: [],
      ...extra,
    };
  }

  async send(channel: 'shell' | 'control' | 'stdin', message: Message): Promise<void> {
    await this.sendRaw(channel, encodeMessage(message, this.#signer));
  }

  /** Frames as they are, also broken ones. */
  async sendRaw(
    channel: 'shell' | 'control' | 'stdin',
    frames: (Uint8Array | string)[],
  ): Promise<void> {
    const socket = { shell: this.#shell, control: this.#control, stdin: this.#stdin }[channel];
    const sent = (this.#sending.get(socket) ?? Promise.resolve()).then(() => socket.send(frames));
    this.#sending.set(socket, sent);
    await sent;
  }

  /** Resolves with the first message, past or future, that `accept` takes. */
  wait(accept: (message: Message) => boolean, timeout = PATIENCE_MS): Promise<Message> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(entry);
        reject(new Error(`no message in ${timeout} ms. Log of the kernel: ${this.log}`));
      }, timeout);
      const done = (message: Message) => {
        clearTimeout(timer);
        this.#waiters.delete(entry);
        resolve(message);
      };
      const entry = { accept, resolve: done };
      this.#waiters.add(entry);
    });
  }

  async request(
    type: string,
    content: Content,
    channel: 'shell' | 'control' = 'shell',
    timeout = PATIENCE_MS,
  ): Promise<Message> {
    const message = this.message(type, content);
    const replied = this.wait(
      (m) =>
        m.header.msg_type === type.replace('_request', '_reply') &&
        isReplyTo(m, message.header.msg_id),
      timeout,
    );
    await this.send(channel, message);
    return replied;
  }

  /** Sends a cell and returns at once; `done` resolves with everything it caused. */
  begin(
    code: string,
    content: Content = {},
    timeout = PATIENCE_MS,
  ): { id: string; done: Promise<Run> } {
    const message = this.message('execute_request', {
      code,
      silent: false,
      store_history: true,
      user_expressions: {},
      allow_stdin: true,
      stop_on_error: true,
      ...content,
    });
    const id = message.header.msg_id;
    const replied = this.wait(
      (m) => m.header.msg_type === 'execute_reply' && isReplyTo(m, id),
      timeout,
    );
    const idle = this.wait(
      (m) => isReplyTo(m, id) && m.content['execution_state'] === 'idle',
      timeout,
    );
    const sent = this.send('shell', message);
    const done = Promise.all([replied, idle, sent]).then(([reply]) => this.#run(id, reply.content));
    return { id, done };
  }

  execute(code: string, content: Content = {}, timeout = PATIENCE_MS): Promise<Run> {
    return this.begin(code, content, timeout).done;
  }

  /** Resolves when `code` has printed `text`. */
  async printed(id: string, text: string): Promise<void> {
    const has = (m: Message) =>
      m.header.msg_type === 'stream' &&
      isReplyTo(m, id) &&
      String(m.content['text']).includes(text);
    if (!this.iopub.some(has)) await this.wait(has);
  }

  async heartbeat(): Promise<number> {
    const start = performance.now();
    await this.#heartbeat.send('ping');
    await this.#heartbeat.receive();
    return performance.now() - start;
  }

  async close(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const exited = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
      await this.send('control', this.message('shutdown_request', { restart: false }));
      const timer = setTimeout(() => this.child.kill('SIGKILL'), 5000);
      await exited;
      clearTimeout(timer);
    }
    for (const socket of [this.#shell, this.#control, this.#stdin, this.#heartbeat, this.#sub]) {
      socket.close();
    }
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #read(socket: Dealer): Promise<void> {
    for await (const frames of socket) this.#arrived(decodeMessage(frames, this.#signer));
  }

  async #readIopub(): Promise<void> {
    for await (const frames of this.#sub) {
      const message = decodeMessage(frames, this.#signer);
      this.iopub.push(message);
      this.#arrived(message);
    }
  }

  #arrived(message: Message): void {
    if (message.header.msg_type === 'input_request') {
      const { prompt, password } = message.content as { prompt: string; password: boolean };
      const value = this.onInput?.(prompt, password);
      if (value !== undefined) {
        void this.send('stdin', this.message('input_reply', { status: 'ok', value }));
      }
    }
    for (const waiter of [...this.#waiters]) if (waiter.accept(message)) waiter.resolve(message);
  }

  #run(id: string, reply: Content): Run {
    const own = this.iopub.filter((m) => isReplyTo(m, id));
    const idle = own.findIndex((m) => m.content['execution_state'] === 'idle');
    const outputs = own.slice(0, idle + 1);
    const text = (name: string) =>
      outputs
        .filter((m) => m.header.msg_type === 'stream' && m.content['name'] === name)
        .map((m) => m.content['text'])
        .join('');
    const data = outputs.find((m) => m.header.msg_type === 'execute_result')?.content['data'] as
      | Content
      | undefined;
    const error = outputs.find((m) => m.header.msg_type === 'error')?.content;
    return {
      reply,
      outputs,
      stdout: text('stdout'),
      stderr: text('stderr'),
      result: data?.['text/plain'] as string | undefined,
      data,
      error: error as Run['error'],
    };
  }
}

export function isReplyTo(message: Message, id: string): boolean {
  return (message.parent as { msg_id?: string }).msg_id === id;
}

/** The messages of one type among the outputs of a cell. */
export function ofType(run: Run, type: string): Content[] {
  return run.outputs.filter((m) => m.header.msg_type === type).map((m) => m.content);
}
