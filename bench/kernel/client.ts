import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Dealer, Subscriber } from 'zeromq';
import {
  type Content,
  decodeMessage,
  encodeMessage,
  type Message,
  MessageFactory,
  Signer,
} from '../../src/kernel/protocol/message.ts';
import { CONNECTION_FILE, freePorts } from '../../src/notebook/kernel-process.ts';

export interface Launch {
  /** Program and arguments; {@link CONNECTION_FILE} stands for the path of the connection file. */
  readonly command: readonly string[];
  readonly cwd: string;
}

/** What a request caused, and when. */
export interface Answer {
  readonly content: Content;
  /** Everything that was published for it, up to `idle`. */
  readonly published: readonly Message[];
  /** Milliseconds from sending it to its reply and, of a cell, its `idle`. */
  readonly ms: number;
}

interface Open {
  readonly sent: number;
  readonly published: Message[];
  needsIdle: boolean;
  reply?: Message;
  readonly done: (answer: Answer) => void;
  readonly fail: (error: Error) => void;
}

/** Attempts to connect; the default of 100 ms would be half of what is measured. */
const RECONNECT = { linger: 0, reconnectInterval: 2, reconnectMaxInterval: 2 };

/** A kernel process of any make, and the client that times it. */
export class TimedKernel {
  readonly started = performance.now();
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #signer: Signer;
  readonly #factory = new MessageFactory();
  readonly #shell = new Dealer(RECONNECT);
  readonly #iopub = new Subscriber({ ...RECONNECT, receiveHighWaterMark: 0 });
  readonly #open = new Map<string, Open>();
  #heard: () => void = () => undefined;
  readonly #iopubHeard = new Promise<void>((resolve) => {
    this.#heard = resolve;
  });

  constructor({ command, cwd }: Launch, folder: string, ports: readonly number[]) {
    this.#folder = folder;
    const key = randomBytes(16).toString('hex');
    this.#signer = new Signer(key);
    const [shell_port, control_port, iopub_port, stdin_port, hb_port] = ports;
    const file = join(folder, 'connection.json');
    writeFileSync(
      file,
      JSON.stringify({
        transport: 'tcp',
        ip: '127.0.0.1',
        key,
        signature_scheme: 'hmac-sha256',
        ...{ shell_port, control_port, iopub_port, stdin_port, hb_port },
      }),
    );
    this.#shell.connect(`tcp://127.0.0.1:${shell_port}`);
    this.#iopub.connect(`tcp://127.0.0.1:${iopub_port}`);
    this.#iopub.subscribe();
    const [program, ...args] = command.map((part) => (part === CONNECTION_FILE ? file : part));
    const env = { ...process.env, GIBBS_KERNEL_HISTORY: join(folder, 'history.jsonl') };
    this.started = performance.now();
    this.#child = spawn(program, args, { cwd, env, stdio: 'ignore' });
    this.#child.once('error', (error) => this.#fail(`it could not be started: ${error.message}`));
    this.#child.once('exit', (code, signal) => this.#fail(`it ended with ${signal ?? code}`));
    void this.#receive(this.#shell, (message) => this.#replied(message));
    void this.#receive(this.#iopub, (message) => this.#published(message));
  }

  static async launch(launch: Launch): Promise<TimedKernel> {
    return new TimedKernel(launch, mkdtempSync(join(tmpdir(), 'gibbs-bench-')), await freePorts(5));
  }

  /** Resolves with the first `kernel_info_reply`, and then waits until iopub is heard. */
  async ready(): Promise<number> {
    await this.#ask('kernel_info_request', {}, false, 60_000);
    const ms = performance.now() - this.started;
    for (let heard = false; !heard; ) {
      const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), 20));
      heard = await Promise.race([this.#iopubHeard.then(() => true), late]);
      if (!heard) await this.#ask('kernel_info_request', {}, false, 60_000);
    }
    return ms;
  }

  execute(code: string, timeout = 30_000): Promise<Answer> {
    const content = {
      ...{ code, silent: false, store_history: true, user_expressions: {} },
      ...{ allow_stdin: false, stop_on_error: true },
    };
    return this.#ask('execute_request', content, true, timeout);
  }

  complete(code: string, timeout = 30_000): Promise<Answer> {
    return this.#ask('complete_request', { code, cursor_pos: code.length }, false, timeout);
  }

  /** Ends the process and removes what it left. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = new Promise((resolve) => this.#child.once('exit', resolve));
      this.#child.kill('SIGKILL');
      await ended;
    }
    this.#shell.close();
    this.#iopub.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #ask(type: string, content: Content, needsIdle: boolean, timeout: number): Promise<Answer> {
    const message = this.#factory.create(type, content);
    const id = message.header.msg_id;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => fail(new Error(`no answer in ${timeout / 1000} s`)), timeout);
      const settle = () => {
        clearTimeout(timer);
        this.#open.delete(id);
      };
      const fail = (error: Error) => {
        settle();
        reject(error);
      };
      const done = (answer: Answer) => {
        settle();
        resolve(answer);
      };
      const sent = performance.now();
      this.#open.set(id, { sent, published: [], needsIdle, done, fail });
      this.#shell.send(encodeMessage(message, this.#signer)).catch(fail);
    });
  }

  async #receive(socket: Dealer | Subscriber, handle: (message: Message) => void): Promise<void> {
    for await (const frames of socket) {
      try {
        handle(decodeMessage(frames, this.#signer));
      } catch (error) {
        this.#fail((error as Error).message);
      }
    }
  }

  #replied(message: Message): void {
    const open = this.#open.get(message.parent.msg_id ?? '');
    if (open === undefined) return;
    open.reply = message;
    this.#settle(open);
  }

  #published(message: Message): void {
    this.#heard();
    const open = this.#open.get(message.parent.msg_id ?? '');
    if (open === undefined) return;
    open.published.push(message);
    if (message.content['execution_state'] === 'idle') open.needsIdle = false;
    this.#settle(open);
  }

  #settle({ reply, needsIdle, sent, published, done }: Open): void {
    if (reply === undefined || needsIdle) return;
    done({ content: reply.content, published, ms: performance.now() - sent });
  }

  #fail(reason: string): void {
    for (const { fail } of [...this.#open.values()]) fail(new Error(reason));
  }
}
