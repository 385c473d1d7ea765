import type { ChildProcess } from 'node:child_process';
import { gibbsVersion } from '../../core/versions.ts';
import type { FromUser } from '../user/wire.ts';
import { CommBridge } from './comm-bridge.ts';
import type { ConnectionInfo } from './connection.ts';
import { Executor } from './executor.ts';
import { History, historyPath } from './history.ts';
import type { KernelIo } from './kernel-io.ts';
import { LANGUAGE_INFO } from './language.ts';
import { type Content, type Message, MessageFactory, PROTOCOL_VERSION, Signer } from './message.ts';
import { Questions } from './questions.ts';
import { type Channel, Sockets } from './sockets.ts';
import { spawnUser, UserProcess } from './user-process.ts';

type Handler = (
  message: Message,
  channel: Channel,
) => Promise<Content | undefined> | Content | undefined;

/** Time that the first cell has to itself before the type checker starts, ms. */
const LANGUAGE_DELAY = 100;

/** The kernel as Jupyter sees it: it answers requests and owns the process of the user's code. */
export class Kernel {
  readonly #info: ConnectionInfo;
  readonly #factory = new MessageFactory();
  readonly #sockets: Sockets;
  readonly #history = new History(historyPath(), (problem) => log(problem));
  readonly #executor: Executor;
  readonly #questions: Questions;
  readonly #comms: CommBridge;
  readonly #handlers: Record<string, Handler>;
  #user: UserProcess;
  #closed: (() => void) | undefined;
  #stopping = false;
  #rejected = 0;

  /** `child`: the first process for the user's code, which starts while the kernel is made. */
  constructor(info: ConnectionInfo, child: ChildProcess) {
    this.#info = info;
    this.#sockets = new Sockets(new Signer(info.key, info.signature_scheme), {
      onMessage: (channel, message) => void this.#receive(channel, message),
      onRejected: (channel, reason) => this.#reject(channel, reason),
      onSubscribe: (topic) => this.#welcome(topic),
    });
    this.#user = this.#startUser(child);
    const io: KernelIo = {
      publish: (...message) => this.#prepare(...message)(),
      prepare: (...message) => this.#prepare(...message),
      reply: (...message) => this.#reply(...message),
      ask: (...question) => this.#ask(...question),
    };
    this.#executor = new Executor(io, this.#history, () => this.#user);
    this.#questions = new Questions(() => this.#user, this.#executor.checks);
    this.#comms = new CommBridge(io, () => this.#user, this.#executor);
    const questions = this.#questions;
    this.#handlers = {
      kernel_info_request: () => kernelInfo(),
      connect_request: () => connectInfo(info),
      shutdown_request: (message) => this.#shutdown(message),
      interrupt_request: () => this.interrupt(),
      complete_request: (message) => questions.complete(message.content),
      inspect_request: (message) => questions.inspect(message.content),
      is_complete_request: (message) => questions.isComplete(message.content),
      history_request: (message) => this.#historyReply(message.content),
      comm_info_request: (message) => this.#comms.info(message.content),
      comm_open: (message) => this.#comms.forward(message),
      comm_msg: (message) => this.#comms.forward(message),
      comm_close: (message) => this.#comms.forward(message),
    };
  }

  /** Serves until a shutdown is asked for. */
  async run(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#closed = resolve;
    });
    await this.#sockets.bind(this.#info);
    this.#publish('status', { execution_state: 'starting' }, undefined);
    void this.#user.ready.then(() => {
      setTimeout(() => void this.#questions.start(), LANGUAGE_DELAY).unref();
    });
    await closed;
    this.#user.kill();
    this.#questions.dispose();
    await this.#history.flush();
    await this.#sockets.close();
  }

  /** Stops the cell that runs. */
  interrupt(): Content {
    this.#executor.interrupt();
    return { status: 'ok' };
  }

  close(): void {
    this.#closed?.();
  }

  #startUser(child = spawnUser()): UserProcess {
    const user = new UserProcess(child, {
      onFrame: (frame, rest) => this.#frame(frame, rest),
      onRaw: (stream, text) => this.#executor.raw(stream, text),
      onDeath: (reason) => {
        if (this.#stopping || user !== this.#user) return;
        this.#comms.forget();
        // One that cannot even start is not started again and again.
        const wait = user.started ? 0 : 1000;
        setTimeout(() => {
          this.#user = this.#startUser();
          this.#executor.died(reason);
        }, wait);
      },
    });
    return user;
  }

  #frame(frame: FromUser, rest: Buffer): void {
    if (frame.t === 'comm' || frame.t === 'comms') {
      this.#executor.flushText();
      this.#comms.frame(frame, rest);
    } else if (frame.t === 'completions') this.#questions.completions(frame);
    else if (frame.t !== 'ready') this.#executor.frame(frame);
  }

  async #receive(channel: Channel, message: Message): Promise<void> {
    if (channel === 'stdin') {
      const { value } = message.content as { value?: unknown };
      if (message.header.msg_type === 'input_reply') {
        this.#executor.answer(String(value ?? ''));
      }
      return;
    }
    const type = message.header.msg_type;
    if (type === 'execute_request') {
      this.#executor.enqueue(message, channel);
      return;
    }
    this.#publish('status', { execution_state: 'busy' }, message);
    try {
      const handler = Object.hasOwn(this.#handlers, type) ? this.#handlers[type] : undefined;
      if (handler === undefined) log(`no answer to messages of type '${type.slice(0, 80)}'`);
      else {
        const content = await handler(message, channel);
        if (content !== undefined) {
          this.#reply(channel, type.replace('_request', '_reply'), message, content);
        }
      }
    } catch (error) {
      const { name, message: evalue } = error as Error;
      const content = { status: 'error', ename: name, evalue, traceback: [] };
      this.#reply(channel, type.replace('_request', '_reply'), message, content);
    }
    this.#publish('status', { execution_state: 'idle' }, message);
    if (type === 'shutdown_request') setTimeout(() => this.close(), 20);
  }

  #shutdown(message: Message): Content {
    this.#stopping = true;
    const content = { status: 'ok', restart: message.content['restart'] === true };
    this.#publish('shutdown_reply', content, message);
    return content;
  }

  #historyReply(request: Content): Content {
    const output = request['output'] === true;
    const n = typeof request['n'] === 'number' ? request['n'] : undefined;
    const number = (key: string) => (typeof request[key] === 'number' ? request[key] : undefined);
    switch (request['hist_access_type']) {
      case 'range': {
        const start = number('start') ?? 0;
        const session = number('session') ?? 0;
        return ok(this.#history.range(session, start, number('stop'), output));
      }
      case 'search': {
        const pattern = typeof request['pattern'] === 'string' ? request['pattern'] : '*';
        return ok(this.#history.search(pattern, n, request['unique'] === true, output));
      }
      default:
        return ok(this.#history.tail(n ?? 10, output));
    }
  }

  #reply(channel: Channel, type: string, request: Message, content: Content): void {
    const options = { parent: request.header, idents: request.idents };
    this.#sockets.send(channel, this.#factory.create(type, content, options));
  }

  #publish(type: string, content: Content, parent: Pick<Message, 'header'> | undefined): void {
    this.#prepare(type, content, parent)();
  }

  #prepare(
    type: string,
    content: Content,
    parent: Pick<Message, 'header'> | undefined,
    extra: { metadata?: Content; buffers?: readonly Uint8Array[] } = {},
  ): () => void {
    const message = this.#factory.create(type, content, { parent: parent?.header, ...extra });
    return this.#sockets.prepare(`kernel.${this.#factory.session}.${type}`, message);
  }

  #ask(request: Pick<Message, 'header' | 'idents'>, content: Content): void {
    const options = { parent: request.header, idents: request.idents };
    this.#sockets.send('stdin', this.#factory.create('input_request', content, options));
  }

  #welcome(topic: Buffer): void {
    const content = { subscription: topic.toString() };
    this.#sockets.prepare(topic, this.#factory.create('iopub_welcome', content))();
  }

  #reject(channel: Channel, reason: string): void {
    this.#rejected++;
    // A flood of bad messages must not fill the log.
    if (this.#rejected <= 10) log(`dropped a message on ${channel}: ${reason}`);
  }
}

function ok(history: unknown): Content {
  return { status: 'ok', history };
}

function kernelInfo(): Content {
  const version = gibbsVersion();
  return {
    status: 'ok',
    protocol_version: PROTOCOL_VERSION,
    implementation: 'gibbs',
    implementation_version: version,
    language_info: LANGUAGE_INFO,
    banner: `Gibbs ${version}: TypeScript on Node ${process.versions.node}`,
    debugger: false,
    supported_features: [],
    help_links: [
      { text: 'TypeScript', url: 'https://www.typescriptlang.org/docs/' },
      { text: 'Node.js', url: 'https://nodejs.org/api/' },
    ],
  };
}

function connectInfo(info: ConnectionInfo): Content {
  const { shell_port, iopub_port, stdin_port, hb_port, control_port } = info;
  return { status: 'ok', shell_port, iopub_port, stdin_port, hb_port, control_port };
}

function log(message: string): void {
  process.stderr.write(`[gibbs kernel] ${message}\n`);
}
