import { parseSync } from 'rolldown/utils';
import type { LanguageService } from '../language/index.ts';
import type { FromUser } from '../user/wire.ts';
import type { Executor } from './executor.ts';
import type { Content } from './message.ts';
import type { UserProcess } from './user-process.ts';

interface Candidates {
  readonly matches: readonly { readonly text: string; readonly type: string }[];
  readonly start: number;
  readonly end: number;
}

/** How long the running program may take to name its variables, ms. */
const RUNTIME_PATIENCE = 60;
/** How long the type checker may take to complete, ms: a menu that comes later is of no use. */
const TYPED_PATIENCE = 4000;

/** Completion, inspection and completeness: the language service joined with the living values. */
export class Questions {
  readonly #user: () => UserProcess;
  readonly #executor: Executor;
  readonly #waiting = new Map<number, (found: Candidates) => void>();
  #language: LanguageService | undefined;
  #nextId = 0;

  constructor(user: () => UserProcess, executor: Executor) {
    this.#user = user;
    this.#executor = executor;
  }

  /** Starts the language service; not before the first cell can run. */
  async start(): Promise<void> {
    const { createLanguageService } = await import('../language/index.ts');
    this.#language = createLanguageService({
      cwd: process.cwd(),
      onFailure: (message) => process.stderr.write(`[gibbs kernel] language service: ${message}\n`),
    });
    this.#executor.language = this.#language;
  }

  dispose(): void {
    this.#language?.dispose();
  }

  async complete(content: Content): Promise<Content> {
    const code = String(content['code'] ?? '');
    const offset = utf16Offset(code, content['cursor_pos']);
    const [typed, living] = await Promise.all([
      this.#patiently(this.#language?.complete(code, offset)),
      this.#runtime(code, offset),
    ]);
    const [start, end] =
      typed === undefined || typed.matches.length === 0
        ? [living.start, living.end]
        : [typed.start, typed.end];
    const types = new Map((typed?.types ?? []).map((t) => [t.text, t.type]));
    const matches = new Set(typed?.matches);
    const typedFound = matches.size > 0;
    if (living.start === start && living.end === end) {
      for (const { text, type } of living.matches) {
        // The type checker knows the globals, and those that make sense here.
        if (type === 'global' && typedFound) continue;
        matches.add(text);
        if (!types.has(text)) types.set(text, type);
      }
    }
    const toCodepoints = (at: number) => [...code.slice(0, at)].length;
    const [cursor_start, cursor_end] = [toCodepoints(start), toCodepoints(end)];
    const shown = preferExactCase([...matches], code.slice(start, offset));
    const experimental = shown.map((text) => ({
      text,
      type: types.get(text) ?? '',
      start: cursor_start,
      end: cursor_end,
    }));
    return {
      status: 'ok',
      matches: shown,
      cursor_start,
      cursor_end,
      metadata: { _jupyter_types_experimental: experimental },
    };
  }

  async inspect(content: Content): Promise<Content> {
    const code = String(content['code'] ?? '');
    const offset = utf16Offset(code, content['cursor_pos']);
    const level = content['detail_level'] === 1 ? 1 : 0;
    const markdown = await this.#language?.inspect(code, offset, level);
    if (markdown === null || markdown === undefined) {
      return { status: 'ok', found: false, data: {}, metadata: {} };
    }
    const plain = markdown.replace(/^```\w*\n?/gm, '');
    const data = { 'text/markdown': markdown, 'text/plain': plain };
    return { status: 'ok', found: true, data, metadata: {} };
  }

  isComplete(content: Content): Content {
    const code = String(content['code'] ?? '');
    const found = this.#language?.isComplete(code) ?? parsedCompleteness(code);
    const indent = found.status === 'incomplete' ? { indent: found.indent } : {};
    return { status: found.status, ...indent };
  }

  completions(frame: Extract<FromUser, { t: 'completions' }>): void {
    this.#waiting.get(frame.id)?.(frame);
    this.#waiting.delete(frame.id);
  }

  /** The answer, or undefined when the language service is still reading libraries. */
  #patiently<T>(answer: Promise<T> | undefined): Promise<T | undefined> {
    if (answer === undefined) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), TYPED_PATIENCE);
      void answer.then((found) => {
        clearTimeout(timer);
        resolve(found);
      });
    });
  }

  /** Names from the running program, if it has a moment. */
  #runtime(code: string, offset: number): Promise<Candidates> {
    const id = ++this.#nextId;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#user().send({ t: 'complete', id, code, offset });
      setTimeout(() => {
        this.#waiting.delete(id);
        resolve({ matches: [], start: offset, end: offset });
      }, RUNTIME_PATIENCE).unref();
    });
  }
}

/** Front ends narrow by what is typed: matches of another case only where there is none. */
function preferExactCase(matches: readonly string[], prefix: string): readonly string[] {
  const exact = matches.filter((text) => text.startsWith(prefix));
  return exact.length > 0 ? exact : matches;
}

/** `cursor_pos` counts code points; JavaScript counts UTF-16 units. */
export function utf16Offset(code: string, position: unknown): number {
  if (typeof position !== 'number' || position < 0) return code.length;
  if (!/[\ud800-\udbff]/.test(code)) return Math.min(position, code.length);
  return [...code].slice(0, position).join('').length;
}

/** Without the language service: what the parser of the transform says. */
function parsedCompleteness(code: string): { status: string; indent: string } {
  const { errors } = parseSync('cell.ts', code, { lang: 'ts', sourceType: 'module' });
  if (errors.length === 0) return { status: 'complete', indent: '' };
  const atEnd = errors.some((error) =>
    error.labels.some((label) => label.end >= code.trimEnd().length),
  );
  return { status: atEnd ? 'incomplete' : 'invalid', indent: '  ' };
}
