import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ErrorContent, FromUser } from '../user/wire.ts';
import { CellChecks } from './cell-checks.ts';
import type { History } from './history.ts';
import type { KernelIo } from './kernel-io.ts';
import { LivingVariables } from './living-variables.ts';
import type { Content, Message } from './message.ts';
import { type Origin, type OutputFrame, Outputs } from './outputs.ts';
import type { Channel } from './sockets.ts';
import type { UserProcess } from './user-process.ts';

interface Queued {
  readonly message: Message;
  readonly channel: Channel;
}

interface Outcome {
  readonly error?: ErrorContent;
  readonly expressions: Content;
}

/** A cell to run, read from its message. */
interface Request {
  readonly cell: number;
  readonly code: string;
  readonly count: number;
  readonly content: Content;
  readonly silent: boolean;
  /** Publishes that the cell runs; once. */
  readonly announce: () => void;
  /** Has its types checked while it runs; once. */
  readonly tell: () => void;
}

interface Current {
  readonly cell: number;
  readonly announce: () => void;
  readonly onResult: (text: string) => void;
  readonly resolve: (outcome: Outcome) => void;
}

/**
 * Time from the start of a cell until it is said that it runs, ms: of one that ends sooner, all is
 * said at once, which wakes every thread on the way to the front end once.
 */
const ANNOUNCE = 2;
const OK: Outcome = { expressions: {} };

/** Runs cells one after the other and publishes what they produce. */
export class Executor {
  readonly #io: KernelIo;
  readonly #history: History;
  readonly #user: () => UserProcess;
  readonly #queue: Queued[] = [];
  readonly #outputs: Outputs;
  readonly #variables = new LivingVariables();
  /** Questions to the user that wait for a reply; front ends answer in order. */
  #asked: number[] = [];
  #cells = 0;
  #count = 0;
  #current: Current | undefined;
  #draining = false;
  #interrupted = false;
  readonly checks = new CellChecks();

  constructor(io: KernelIo, history: History, user: () => UserProcess) {
    this.#io = io;
    this.#history = history;
    this.#user = user;
    this.#outputs = new Outputs(io);
  }

  /** The request that started `cell`, or the latest. */
  origin(cell: number): Origin | undefined {
    return this.#outputs.origin(cell);
  }

  /** True while a cell runs. */
  get busy(): boolean {
    return this.#current !== undefined;
  }

  enqueue(message: Message, channel: Channel): void {
    this.#queue.push({ message, channel });
    if (!this.#draining) void this.#drain();
  }

  interrupt(): void {
    this.#interrupted = true;
    const cell = this.#current?.cell;
    if (cell !== undefined) this.#user().send({ t: 'interrupt', cell });
  }

  /** What the user entered. */
  answer(value: string): void {
    const id = this.#asked.shift();
    if (id !== undefined) this.#user().send({ t: 'input', id, value });
  }

  /** What comes next must come after the text so far. */
  flushText(): void {
    this.#current?.announce();
    this.#outputs.flush();
  }

  async #drain(): Promise<void> {
    this.#draining = true;
    while (this.#queue.length > 0) {
      const item = this.#queue.shift() as Queued;
      try {
        for (const { message, channel } of await this.#execute(item)) {
          this.#io.publish('status', { execution_state: 'busy' }, message);
          const content = { status: 'aborted', execution_count: this.#count };
          this.#io.reply(channel, 'execute_reply', message, content);
          this.#io.publish('status', { execution_state: 'idle' }, message);
        }
      } catch (error) {
        process.stderr.write(`[gibbs kernel] ${(error as Error).stack}\n`);
      }
    }
    this.#draining = false;
  }

  /**
   * The requests that an error aborts: what is queued, including what is still on its way in the
   * sockets. Called before the reply, so that nothing sent after it can be among them.
   */
  async #aborted(): Promise<Queued[]> {
    for (let quiet = 0; quiet < 3; quiet++) {
      const before = this.#queue.length;
      await nextTurn();
      if (this.#queue.length > before) quiet = 0;
    }
    return this.#queue.splice(0);
  }

  /** Runs one request; returns those that its failure aborts. */
  async #execute({ message, channel }: Queued): Promise<Queued[]> {
    const { content } = message;
    const code = typeof content['code'] === 'string' ? content['code'] : '';
    const silent = content['silent'] === true;
    const stored = !silent && content['store_history'] !== false;
    const cell = ++this.#cells;
    this.#outputs.open(cell, message);
    const count = stored ? ++this.#count : this.#count + (silent ? 0 : 1);
    this.#interrupted = false;
    const announce = once(() => {
      this.#io.publish('status', { execution_state: 'busy' }, message);
      if (!silent) this.#io.publish('execute_input', { code, execution_count: count }, message);
    });
    const warn = (text: string) => this.#outputs.notice(text, cell);
    const ran = { code, count, ...(this.checks.mode(code) === 'warn' && { warn }) };
    let told = silent;
    const tell = () => {
      if (!told) this.checks.runs(ran);
      told = true;
    };
    const request = { cell, code, count, content, silent, announce, tell };
    const { outcome, result, begun } = await this.#run(request);
    announce();
    this.#outputs.flush();
    const { error } = outcome;
    if (error !== undefined && !silent) this.#io.publish('error', { ...error }, message);
    const reply: Content =
      error === undefined
        ? {
            status: 'ok',
            execution_count: count,
            user_expressions: outcome.expressions,
            payload: [],
          }
        : { status: 'error', execution_count: count, ...error };
    const stops = error !== undefined && content['stop_on_error'] !== false;
    const aborted = stops ? await this.#aborted() : [];
    this.#io.reply(channel, 'execute_reply', message, reply);
    this.#io.publish('status', { execution_state: 'idle' }, message);
    if (begun && !told) this.checks.ended(ran);
    if (stored && code.trim() !== '') this.#history.add(count, code, result);
    return aborted;
  }

  async #run(request: Request): Promise<{ outcome: Outcome; result?: string; begun?: true }> {
    const { cell, code, count, content, silent, announce, tell } = request;
    const expressions = userExpressions(content);
    const isEmpty = code.trim() === '' && Object.keys(expressions).length === 0;
    if (!silent && this.checks.mode(code) === 'block') {
      announce();
      const error = await this.checks.blocking(code, count);
      if (error !== undefined) return { outcome: { error, expressions: {} } };
    }
    if (isEmpty) return { outcome: OK };
    // The process may be replaced by a fresh one meanwhile.
    while (!this.#user().started) {
      announce();
      await this.#user().ready;
    }
    let result: string | undefined;
    const outcome = await new Promise<Outcome>((resolve) => {
      const timer = setTimeout(() => {
        announce();
        tell();
      }, ANNOUNCE);
      this.#current = {
        cell,
        announce,
        onResult: (text) => (result = text),
        resolve: (ended) => {
          clearTimeout(timer);
          resolve(ended);
        },
      };
      this.#user().send({
        t: 'execute',
        cell,
        code,
        count,
        silent,
        allowStdin: content['allow_stdin'] === true,
        userExpressions: expressions,
      });
      // Stop pressed before the cell had begun.
      if (this.#interrupted) this.#user().send({ t: 'interrupt', cell });
    });
    return { outcome, begun: true, ...(result !== undefined && { result }) };
  }

  /** What a cell produced. */
  frame(frame: OutputFrame | Extract<FromUser, { t: 'input' | 'done' }>): void {
    this.#current?.announce();
    switch (frame.t) {
      case 'input': {
        this.#outputs.flush();
        const origin = this.origin(frame.c);
        const { id, prompt, password } = frame;
        this.#asked.push(id);
        if (origin !== undefined) this.#io.ask(origin, { prompt, password });
        return;
      }
      case 'done':
        this.#done(frame);
        return;
      case 'result': {
        const text = frame.data['text/plain'];
        if (this.#current?.cell === frame.c && typeof text === 'string') {
          this.#current.onResult(text);
        }
      }
    }
    this.#outputs.frame(frame, this.#count);
  }

  #done(frame: Extract<FromUser, { t: 'done' }>): void {
    this.#user().flushRaw();
    this.#variables.add(frame.names);
    const current = this.#current;
    if (current?.cell !== frame.c) return;
    this.#current = undefined;
    // Front ends drop their questions when the cell ends.
    this.#asked = [];
    current.resolve({ error: frame.error, expressions: frame.expressions });
  }

  /** Output of native code and child processes: of the cell that runs, or ran last. */
  raw(stream: 1 | 2, text: string): void {
    this.#current?.announce();
    this.#outputs.raw(stream, text, this.busy);
  }

  /** The user process ended; a new one is starting. */
  died(reason: string): void {
    this.#outputs.flush();
    this.#asked = [];
    this.checks.reset();
    const lost = this.#variables.lose();
    const evalue =
      `the process that runs your code ended (${reason}). ${lost} ` +
      'A fresh process is ready: run the cells that you need again.';
    const current = this.#current;
    if (current === undefined) {
      this.#outputs.notice(`${evalue}\n`);
      return;
    }
    this.#current = undefined;
    const ename = 'KernelProcessDied';
    current.resolve({
      error: { ename, evalue, traceback: [`\u001b[31m${ename}\u001b[39m: ${evalue}`] },
      expressions: {},
    });
  }
}

/** `action`, the first time only. */
function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    action();
  };
}

function userExpressions(content: Content): Record<string, string> {
  const expressions = content['user_expressions'];
  if (typeof expressions !== 'object' || expressions === null) return {};
  return Object.fromEntries(Object.entries(expressions).map(([k, v]) => [k, String(v)]));
}
