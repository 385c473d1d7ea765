import type { LanguageService } from '../language/index.ts';
import type { ErrorContent, FromUser } from '../user/wire.ts';
import type { History } from './history.ts';
import { diagnosticsText, typesMode } from './language.ts';
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

interface Current {
  readonly cell: number;
  result: string | undefined;
  /** Characters of raw output, which is bounded like other text. */
  raw: number;
  readonly resolve: (outcome: Outcome) => void;
}

const RAW_LIMIT = Number(process.env['GIBBS_KERNEL_OUTPUT_LIMIT']) || 32 * 2 ** 20;
const PARENTS = 2000;
/** Longest wait for the language service to be started by a cell that must be checked, ms. */
const LANGUAGE_START = 10_000;
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
  #language: LanguageService | undefined;
  #languageStarted: () => void = () => undefined;
  readonly #languageReady = new Promise<void>((resolve) => {
    this.#languageStarted = resolve;
    // Without it, cells run unchecked.
    setTimeout(resolve, LANGUAGE_START).unref();
  });
  /** Cells that ran before the language service was there. */
  readonly #untold: [cellId: string, code: string, count: number][] = [];

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
    this.#io.publish('status', { execution_state: 'busy' }, message);
    const count = stored ? ++this.#count : this.#count + (silent ? 0 : 1);
    if (!silent) {
      this.#io.publish('execute_input', { code, execution_count: count }, message);
    }
    this.#interrupted = false;
    const blocked = await this.#check(message, code, count, silent);
    let outcome: Outcome = OK;
    let result: string | undefined;
    if (blocked !== undefined) outcome = { error: blocked, expressions: {} };
    else if (code.trim() !== '' || Object.keys(userExpressions(content)).length > 0) {
      ({ outcome, result } = await this.#run(cell, code, count, content));
    }
    this.#text.flush();
    if (stored && code.trim() !== '') this.#history.add(count, code, result);
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
    return aborted;
  }

  async #run(
    cell: number,
    code: string,
    count: number,
    content: Content,
  ): Promise<{ outcome: Outcome; result: string | undefined }> {
    const user = this.#user();
    await user.ready;
    if (user !== this.#user()) await this.#user().ready;
    let current: Current | undefined;
    const outcome = await new Promise<Outcome>((resolve) => {
      current = { cell, result: undefined, raw: 0, resolve };
      this.#current = current;
      this.#user().send({
        t: 'execute',
        cell,
        code,
        count,
        silent: content['silent'] === true,
        allowStdin: content['allow_stdin'] === true,
        userExpressions: userExpressions(content),
      });
      // Stop pressed before the cell had begun.
      if (this.#interrupted) this.#user().send({ t: 'interrupt' });
    });
    return { outcome, result: current?.result };
  }

  get language(): LanguageService | undefined {
    return this.#language;
  }

  set language(service: LanguageService | undefined) {
    this.#language = service;
    this.#languageStarted();
    for (const cell of this.#untold.splice(0)) service?.update(...cell);
  }

  /** Has the types checked; the error that keeps the cell from running, in `block` mode. */
  async #check(
    message: Message,
    code: string,
    count: number,
    silent: boolean,
  ): Promise<ErrorContent | undefined> {
    if (silent || code.trim() === '') return undefined;
    const mode = typesMode(code);
    if (mode === 'block') await this.#languageReady;
    const { language } = this;
    if (language === undefined) {
      this.#untold.push([`cell-${count}`, code, count]);
      return undefined;
    }
    const name = `Cell [${count}]`;
    if (mode === 'block') {
      const found = await language.diagnostics(code);
      const errors = found.filter((d) => d.category === 'error');
      if (errors.length > 0) {
        const text = diagnosticsText(name, errors).trimEnd();
        return { ename: 'TypeCheckError', evalue: errors[0].message, traceback: text.split('\n') };
      }
    } else if (mode === 'warn') {
      void language.diagnostics(code).then((found) => {
        if (found.length === 0) return;
        this.#text.flush();
        const text = diagnosticsText(name, found);
        this.#io.publish('stream', { name: 'stderr', text }, message);
      });
    }
    language.update(`cell-${count}`, code, count);
    return undefined;
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
        if (this.#current?.cell === frame.c && typeof text === 'string')
          this.#current.result = text;
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
    this.#untold.length = 0;
    this.language?.reset();
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
