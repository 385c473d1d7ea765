import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ErrorContent, FromUser } from '../user/wire.ts';
import { CellChecks } from './cell-checks.ts';
import { type CellRequest, isEmpty, readCellRequest } from './cell-request.ts';
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

/** How a cell ended. */
interface Outcome {
  readonly error?: ErrorContent;
  readonly expressions: Content;
  /** Its result as plain text, for the history. */
  readonly result?: string;
}

/** A cell under its number. */
interface Cell {
  readonly number: number;
  /** The `n` of `In[n]`. */
  readonly count: number;
  readonly request: CellRequest;
  /** Makes what {@link announce} publishes. */
  readonly prepare: () => void;
  /** Publishes that the cell runs; once. */
  readonly announce: () => void;
}

/** The cell that runs. */
interface Current {
  readonly cell: Cell;
  result?: string;
  readonly end: (outcome: Outcome) => void;
}

/**
 * Time from the start of a cell until it is said that it runs, ms: of one that ends sooner, all is
 * said at once, which wakes every thread on the way to the front end once.
 */
const ANNOUNCE = 2;

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
    const cell = this.#current?.cell.number;
    if (cell !== undefined) this.#user().tell({ t: 'interrupt', cell });
  }

  /** What the user entered. */
  answer(value: string): void {
    const id = this.#asked.shift();
    if (id !== undefined) this.#user().tell({ t: 'input', id, value });
  }

  /** What comes next must come after the text so far. */
  flushText(): void {
    this.#current?.cell.announce();
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
    const cell = this.#open(message);
    const { count, request } = cell;
    this.#interrupted = false;
    const { error, expressions, result } = await this.#run(cell);
    cell.announce();
    this.#outputs.flush();
    if (error !== undefined && !request.silent) this.#io.publish('error', { ...error }, message);
    const aborted = error !== undefined && request.stopsOnError ? await this.#aborted() : [];
    const reply: Content =
      error === undefined
        ? { status: 'ok', execution_count: count, user_expressions: expressions, payload: [] }
        : { status: 'error', execution_count: count, ...error };
    this.#io.reply(channel, 'execute_reply', message, reply);
    this.#io.publish('status', { execution_state: 'idle' }, message);
    if (request.isStored && request.code.trim() !== '') {
      this.#history.add(count, request.code, result);
    }
    return aborted;
  }

  /** Gives the request a number. */
  #open(message: Message): Cell {
    const request = readCellRequest(message);
    const number = ++this.#cells;
    this.#outputs.open(number, message);
    if (request.isStored) this.#count++;
    const count = request.isStored || request.silent ? this.#count : this.#count + 1;
    let announcements: (() => void)[] | undefined;
    let isAnnounced = false;
    const prepare = () => {
      if (isAnnounced || announcements !== undefined) return;
      announcements = [this.#io.prepare('status', { execution_state: 'busy' }, message)];
      if (request.silent) return;
      const content = { code: request.code, execution_count: count };
      announcements.push(this.#io.prepare('execute_input', content, message));
    };
    const announce = () => {
      prepare();
      isAnnounced = true;
      for (const publish of announcements?.splice(0) ?? []) publish();
    };
    return { number, count, request, prepare, announce };
  }

  async #run(cell: Cell): Promise<Outcome> {
    const { number, count, request, announce } = cell;
    const { code, silent } = request;
    const types = silent ? 'off' : this.checks.mode(code);
    if (types === 'block') {
      announce();
      const error = await this.checks.blocking(code, count);
      if (error !== undefined) return { error, expressions: {} };
    }
    if (isEmpty(request)) return { expressions: {} };
    // The process may be replaced by a fresh one meanwhile.
    while (!this.#user().started) {
      announce();
      await this.#user().ready;
    }
    const warn = (text: string) => this.#outputs.notice(text, number);
    const ran = { code, count, ...(types === 'warn' && { warn }) };
    if (!silent) this.checks.runs(ran);
    const outcome = await this.#ended(cell);
    const said = silent ? undefined : this.checks.ended(ran);
    if (said !== undefined) await said;
    return outcome;
  }

  /** Has the user process run the cell. */
  #ended(cell: Cell): Promise<Outcome> {
    const { code, silent, allowStdin, expressions } = cell.request;
    const { number, count } = cell;
    return new Promise((resolve) => {
      const timer = setTimeout(cell.announce, ANNOUNCE);
      const end = (outcome: Outcome) => {
        clearTimeout(timer);
        resolve(outcome);
      };
      this.#current = { cell, end };
      const what = { cell: number, code, count, silent, allowStdin, userExpressions: expressions };
      this.#user().send({ t: 'execute', ...what });
      // While the cell runs on another core.
      cell.prepare();
      // Stop pressed before the cell had begun.
      if (this.#interrupted) this.#user().tell({ t: 'interrupt', cell: number });
    });
  }

  /** What a cell produced. */
  frame(frame: OutputFrame | Extract<FromUser, { t: 'input' | 'done' }>): void {
    this.#current?.cell.announce();
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
        if (this.#current?.cell.number === frame.c && typeof text === 'string') {
          this.#current.result = text;
        }
      }
    }
    this.#outputs.frame(frame, this.#count);
  }

  #done(frame: Extract<FromUser, { t: 'done' }>): void {
    this.#user().flushRaw();
    this.#variables.add(frame.names);
    const current = this.#current;
    if (current?.cell.number !== frame.c) return;
    this.#current = undefined;
    // Front ends drop their questions when the cell ends.
    this.#asked = [];
    const { error, expressions } = frame;
    current.end({ error, expressions, result: current.result });
  }

  /** Output of native code and child processes: of the cell that runs, or ran last. */
  raw(stream: 1 | 2, text: string): void {
    this.#current?.cell.announce();
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
    const traceback = [`\u001b[31m${ename}\u001b[39m: ${evalue}`];
    current.end({ error: { ename, evalue, traceback }, expressions: {} });
  }
}
