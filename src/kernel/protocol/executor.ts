import type { ErrorContent, FromUser } from '../user/wire.ts';
import { CellChecks } from './cell-checks.ts';
import type { History } from './history.ts';
import type { Content, Message } from './message.ts';
import type { Channel } from './sockets.ts';
import { TextBatcher } from './text-batcher.ts';
import type { UserProcess } from './user-process.ts';

/** What the kernel lends to its parts. */
export interface KernelIo {
  publish(
    type: string,
    content: Content,
    parent: Message | undefined,
    extra?: { metadata?: Content; buffers?: readonly Uint8Array[] },
  ): void;
  reply(channel: Channel, type: string, request: Message, content: Content): void;
  /** Sends an input request to the client that runs the cell. */
  ask(request: Message, content: Content): void;
}

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
  /** Publishes that the cell runs: as soon as it does, for that must not hold it up. */
  readonly announce: () => void;
}

interface Current {
  readonly cell: number;
  /** Characters of raw output, which is bounded like other text. */
  raw: number;
  readonly onResult: (text: string) => void;
  readonly resolve: (outcome: Outcome) => void;
}

const RAW_LIMIT = Number(process.env['GIBBS_KERNEL_OUTPUT_LIMIT']) || 32 * 2 ** 20;
const PARENTS = 2000;
/** Variables named when they are lost. */
const LISTED = 40;
const OK: Outcome = { expressions: {} };

/** Runs cells one after the other and publishes what they produce. */
export class Executor {
  readonly #io: KernelIo;
  readonly #history: History;
  readonly #user: () => UserProcess;
  readonly #queue: Queued[] = [];
  /** The requests of the latest cells: output that comes late is theirs. */
  readonly #parents = new Map<number, Message>();
  readonly #names = new Set<string>();
  /** Questions to the user that wait for a reply; front ends answer in order. */
  #asked: number[] = [];
  readonly #text: TextBatcher;
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
    this.#text = new TextBatcher(({ cell, stream, text }) => {
      const name = stream === 1 ? 'stdout' : 'stderr';
      this.#io.publish('stream', { name, text }, this.parent(cell));
    });
  }

  /** The request that started `cell`, or the latest. */
  parent(cell: number): Message | undefined {
    return this.#parents.get(cell) ?? this.#parents.get(this.#cells);
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
    this.#user().send({ t: 'interrupt' });
  }

  /** What the user entered. */
  answer(value: string): void {
    const id = this.#asked.shift();
    if (id !== undefined) this.#user().send({ t: 'input', id, value });
  }

  flushText(): void {
    this.#text.flush();
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
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    return this.#queue.splice(0);
  }

  /** Runs one request; returns those that its failure aborts. */
  async #execute({ message, channel }: Queued): Promise<Queued[]> {
    const { content } = message;
    const code = typeof content['code'] === 'string' ? content['code'] : '';
    const silent = content['silent'] === true;
    const stored = !silent && content['store_history'] !== false;
    const cell = ++this.#cells;
    this.#parents.set(cell, message);
    this.#parents.delete(cell - PARENTS);
    const count = stored ? ++this.#count : this.#count + (silent ? 0 : 1);
    this.#interrupted = false;
    const announce = () => {
      this.#io.publish('status', { execution_state: 'busy' }, message);
      if (!silent) this.#io.publish('execute_input', { code, execution_count: count }, message);
    };
    const { outcome, result } = await this.#run({ cell, code, count, content, silent, announce });
    this.#text.flush();
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
    if (stored && code.trim() !== '') this.#history.add(count, code, result);
    return aborted;
  }

  async #run(request: Request): Promise<{ outcome: Outcome; result?: string }> {
    const { cell, code, count, content, silent, announce } = request;
    const expressions = userExpressions(content);
    const mode = silent ? 'off' : this.checks.mode(code);
    const empty = code.trim() === '' && Object.keys(expressions).length === 0;
    const startsAtOnce = mode !== 'block' && !empty && this.#user().started;
    if (!startsAtOnce) announce();
    if (mode === 'block') {
      const error = await this.checks.blocking(code, count);
      if (error !== undefined) return { outcome: { error, expressions: {} } };
    }
    if (empty) return { outcome: OK };
    // The process may be replaced by a fresh one meanwhile.
    while (!this.#user().started) await this.#user().ready;
    let result: string | undefined;
    const outcome = await new Promise<Outcome>((resolve) => {
      this.#current = { cell, raw: 0, resolve, onResult: (text) => (result = text) };
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
      if (this.#interrupted) this.#user().send({ t: 'interrupt' });
      // The cell has begun to run while the rest of this is done.
      if (startsAtOnce) announce();
      if (!silent) this.checks.ran(code, count, mode === 'warn' ? this.#warn(cell) : undefined);
    });
    return { outcome, ...(result !== undefined && { result }) };
  }

  #warn(cell: number): (text: string) => void {
    return (text) => {
      this.#text.flush();
      this.#io.publish('stream', { name: 'stderr', text }, this.parent(cell));
    };
  }

  /** What a cell produced. */
  frame(frame: FromUser): void {
    if (frame.t === 'text') {
      this.#text.push({ cell: frame.c, stream: frame.s, text: frame.x });
      return;
    }
    this.#text.flush();
    switch (frame.t) {
      case 'display': {
        const type = frame.update ? 'update_display_data' : 'display_data';
        const transient = frame.id === undefined ? {} : { display_id: frame.id };
        const content = { data: frame.data, metadata: frame.metadata, transient };
        this.#io.publish(type, content, this.parent(frame.c));
        return;
      }
      case 'clear':
        this.#io.publish('clear_output', { wait: frame.wait }, this.parent(frame.c));
        return;
      case 'result': {
        const text = frame.data['text/plain'];
        if (this.#current?.cell === frame.c && typeof text === 'string') {
          this.#current.onResult(text);
        }
        const content = {
          data: frame.data,
          metadata: frame.metadata,
          execution_count: this.#count,
        };
        this.#io.publish('execute_result', content, this.parent(frame.c));
        return;
      }
      case 'input': {
        const request = this.parent(frame.c);
        const { id, prompt, password } = frame;
        this.#asked.push(id);
        if (request !== undefined) this.#io.ask(request, { prompt, password });
        return;
      }
      case 'done':
        void this.#done(frame);
        return;
    }
  }

  async #done(frame: Extract<FromUser, { t: 'done' }>): Promise<void> {
    await this.#user().flushed(frame.c);
    for (const name of frame.names) this.#names.add(name);
    const current = this.#current;
    if (current?.cell !== frame.c) return;
    this.#current = undefined;
    // Front ends drop their questions when the cell ends.
    this.#asked = [];
    current.resolve({ error: frame.error, expressions: frame.expressions });
  }

  /** Output of native code and child processes: of the cell that runs, or ran last. */
  raw(stream: 1 | 2, text: string): void {
    const current = this.#current;
    if (current !== undefined) {
      if (current.raw > RAW_LIMIT) return;
      current.raw += text.length;
    }
    this.#text.push({ cell: current?.cell ?? this.#cells, stream, text });
    if (current !== undefined && current.raw > RAW_LIMIT) {
      const notice = '\n[output truncated: a child process of this cell wrote more than is kept]\n';
      this.#text.push({ cell: current.cell, stream: 2, text: notice });
    }
  }

  /** The user process ended; a new one is starting. */
  died(reason: string): void {
    this.#text.flush();
    this.#asked = [];
    this.checks.reset();
    const lost = lostText([...this.#names]);
    this.#names.clear();
    const evalue =
      `the process that runs your code ended (${reason}). ${lost} ` +
      'A fresh process is ready: run the cells that you need again.';
    const current = this.#current;
    if (current === undefined) {
      this.#io.publish('stream', { name: 'stderr', text: `${evalue}\n` }, this.parent(this.#cells));
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

function userExpressions(content: Content): Record<string, string> {
  const expressions = content['user_expressions'];
  if (typeof expressions !== 'object' || expressions === null) return {};
  return Object.fromEntries(Object.entries(expressions).map(([k, v]) => [k, String(v)]));
}

function lostText(names: readonly string[]): string {
  if (names.length === 0) return 'No variables were lost.';
  const shown = names.slice(0, LISTED).join(', ');
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
  return `Lost: ${names.length === 1 ? 'the variable' : 'the variables'} ${shown}${more}.`;
}
