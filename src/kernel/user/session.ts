import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { InterruptedError } from '../../core/errors.ts';
import { type Box, Scope } from '../cell/box.ts';
import { cellFunction } from '../cell/cell-function.ts';
import { compileCell } from '../cell/compile.ts';
import { babelHelpers } from '../cell/helpers.ts';
import { DisplayHandle } from '../display/display.ts';
import { render } from '../display/render.ts';
import type { ModuleLoader } from '../modules/loader.ts';
import { dropChangedRequires, rememberRequires } from '../modules/require-cache.ts';
import { type Channel, OUTPUT_LIMIT } from './channel.ts';
import { type CellContext, runInCell } from './context.ts';
import type { StackTraces } from './stack.ts';
import { lowerWithTypeScript } from './typescript-compiler.ts';
import { type ErrorContent, type ExecuteRequest, type FromUser, type Json, WORDS } from './wire.ts';

interface Running {
  readonly request: ExecuteRequest;
  readonly context: CellContext;
  readonly declared: Set<string>;
  /** What is to be said when the cell ends. */
  readonly last: FromUser[];
  /** Ends the wait for the cell. */
  readonly give: (error: Error) => void;
}

/** The name of what front ends evaluate for themselves: one for all, so that nothing piles up. */
const HIDDEN = 'Cell [silent]';

export interface SessionParts {
  readonly words: Int32Array;
  readonly channel: Channel;
  readonly traces: StackTraces;
  readonly loader: ModuleLoader;
}

/** The notebook as a program: its variables, and the cell that runs. */
export class Session {
  readonly scope = new Scope();
  readonly #parts: SessionParts;
  #running: Running | undefined;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    Object.defineProperty(globalThis, 'babelHelpers', { value: babelHelpers });
    this.#defineRequire();
  }

  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** Runs one cell and reports its end. Never rejects. */
  async execute(request: ExecuteRequest): Promise<void> {
    const context: CellContext = {
      cell: request.cell,
      count: request.count,
      allowStdin: request.allowStdin,
      cancelled: false,
      written: 0,
      dropped: 0,
    };
    let give: (error: Error) => void = () => undefined;
    const given = new Promise<never>((_, reject) => {
      give = reject;
    });
    given.catch(() => undefined);
    const declared = new Set<string>();
    const running: Running = { request, context, declared, last: [], give };
    this.#running = running;
    // A Stop of the cell before may not have noticed its end yet.
    Atomics.store(this.#parts.words, WORDS.interrupt, 0);
    Atomics.store(this.#parts.words, WORDS.running, request.cell);
    let error: ErrorContent | undefined;
    let interrupted = false;
    const expressions: Json = {};
    try {
      const name = request.silent ? HIDDEN : `Cell [${request.count}]`;
      const work = runInCell(context, () => this.#work(request, name, declared));
      work.catch(() => undefined);
      const result = await Promise.race([work, given]);
      if (result !== undefined) running.last.push(result);
      const asked = Object.entries(request.userExpressions);
      if (asked.length > 0) this.#parts.channel.sendAll(running.last.splice(0));
      for (const [key, code] of asked) {
        const evaluated = runInCell(context, () => this.#expression(code));
        expressions[key] = await Promise.race([evaluated, given]);
      }
    } catch (thrown) {
      interrupted = isInterrupt(thrown);
      error = this.#parts.traces.describe(thrown);
    }
    this.#finish(running, error, interrupted, expressions);
  }

  /** V8 was stopped inside `cell`, or it only waits: it ends as interrupted. */
  interrupt(cell: number, terminated: boolean): void {
    const running = this.#running;
    if (running?.request.cell !== cell) return;
    running.context.cancelled = true;
    const error = new InterruptedError();
    error.stack = `InterruptedError: ${error.message}`;
    running.give(error);
    // The continuation that waited may be gone with the code that was stopped.
    if (terminated) {
      setImmediate(() => this.#finish(running, this.#parts.traces.describe(error), true, {}));
    }
  }

  /** Runs the code of the cell; the message of its result, if it has one. */
  async #work(
    request: ExecuteRequest,
    name: string,
    declared: Set<string>,
  ): Promise<FromUser | undefined> {
    const value = await this.#evaluate(request.code, name, declared);
    // A display shows itself; its handle is no result.
    if (value === undefined || value instanceof DisplayHandle || request.silent) return undefined;
    const data = await render(value);
    return { t: 'result', c: request.cell, data, metadata: {} };
  }

  async #expression(code: string): Promise<Json> {
    try {
      const value = await this.#evaluate(code, HIDDEN, new Set());
      return { status: 'ok', data: await render(value), metadata: {} };
    } catch (thrown) {
      return { status: 'error', ...this.#parts.traces.describe(thrown) };
    }
  }

  async #evaluate(code: string, name: string, declared: Set<string>): Promise<unknown> {
    const directory = process.cwd();
    const cell = compileCell(code, this.scope, {
      fileName: name,
      lowering: () => ({
        typescriptCompiler: lowerWithTypeScript,
        ...this.#parts.loader.tsconfigs.nearest(directory).lowering,
      }),
    });
    for (const variable of cell.declared) {
      declared.add(variable.name);
      this.scope.box(variable.name).constant = variable.constant;
    }
    this.#parts.traces.addCell(name, code, cell.mappings);
    const run = cellFunction(cell, name);
    const value: { v: unknown } = { v: undefined };
    const load = (specifier: unknown, _options: unknown, links: readonly [Box, string][] = []) =>
      this.#load(String(specifier), directory, name, links);
    const filename = join(directory, 'notebook.ts');
    const meta = {
      get url() {
        return pathToFileURL(filename).href;
      },
      dirname: directory,
      filename,
      resolve: (specifier: string) => this.#parts.loader.resolve(specifier, directory),
    };
    const boxes = cell.boxes.map((variable) => this.scope.box(variable));
    await run(value, load, meta, babelHelpers, ...boxes);
    return value.v;
  }

  async #load(
    specifier: string,
    directory: string,
    from: string,
    links: readonly (readonly [Box, string])[],
  ): Promise<unknown> {
    const namespace = await this.#parts.loader.import(specifier, directory, from);
    for (const [box, name] of links) {
      if (name === '*') box.v = namespace;
      else if (name in namespace) box.v = namespace[name];
      else box.setMissing(specifier);
    }
    return namespace;
  }

  #finish(
    running: Running,
    error: ErrorContent | undefined,
    interrupted: boolean,
    expressions: Json,
  ): void {
    if (this.#running !== running) return;
    this.#running = undefined;
    const { words, channel } = this.#parts;
    const { context, request, last } = running;
    Atomics.store(words, WORDS.ended, request.cell);
    Atomics.store(words, WORDS.running, 0);
    if (interrupted) context.cancelled = true;
    if (context.dropped > 0) {
      const mb = (context.dropped / 2 ** 20).toFixed(1);
      const limit = (OUTPUT_LIMIT / 2 ** 20).toFixed(0);
      const x = `\n[output truncated: ${mb} MB more than the ${limit} MB that a cell may print]\n`;
      last.push({ t: 'text', c: request.cell, s: 2, x });
    }
    last.push({
      t: 'done',
      c: request.cell,
      ...(error !== undefined && { error }),
      interrupted,
      expressions,
      names: [...running.declared].filter((name) => this.scope.boxes.get(name)?.initialised),
    });
    channel.sendAll(last);
    setImmediate(() => this.#parts.traces.settle());
  }

  /** `require` and its relatives, as in a CommonJS file next to the notebook. */
  #defineRequire(): void {
    const base = () => createRequire(join(process.cwd(), 'notebook.js'));
    const require = Object.assign(
      (id: string) => {
        const here = base();
        dropChangedRequires(here);
        try {
          return here(id) as unknown;
        } finally {
          rememberRequires(here);
        }
      },
      { resolve: (id: string) => base().resolve(id), cache: base().cache },
    );
    this.scope.define('require', require);
    this.scope.define('module', { exports: {} });
    this.scope.define('exports', {});
    this.scope.define('__dirname', process.cwd());
    this.scope.define('__filename', join(process.cwd(), 'notebook.ts'));
  }
}

/** Also when the class comes from another copy of this package. */
export function isInterrupt(thrown: unknown): boolean {
  return (
    thrown instanceof InterruptedError ||
    (typeof thrown === 'object' &&
      thrown !== null &&
      (thrown as { code?: unknown }).code === 'interrupted')
  );
}
