import { setTimeout as sleep } from 'node:timers/promises';
import type { Completions, LanguageService } from '../language/index.ts';
import { toCodePoints, toUtf16Offset } from '../language/offsets.ts';
import type { FromUser } from '../user/wire.ts';
import type { CellChecks } from './cell-checks.ts';
import type { Content } from './message.ts';
import type { UserProcess } from './user-process.ts';

interface Candidates {
  readonly matches: readonly { readonly text: string; readonly type: string }[];
  readonly start: number;
  readonly end: number;
}

/** How much longer than the type checker the running program may take to name its variables, ms. */
const RUNTIME_PATIENCE = 60;
/** The same where the type checker has nothing to say. */
const LONE_PATIENCE = 1000;
/** How long the type checker may take to complete, ms: a menu that comes later is of no use. */
const TYPED_PATIENCE = 4000;
/** The same while it still reads its libraries and the running program has named something. */
const COLD_PATIENCE = 150;

/** Completion, inspection and completeness: the language service joined with the living values. */
export class Questions {
  readonly #user: () => UserProcess;
  readonly #checks: CellChecks;
  readonly #waiting = new Map<number, (found: Candidates) => void>();
  #language: LanguageService | undefined;
  /** The language service has read its libraries. */
  #warm = false;
  #nextId = 0;

  constructor(user: () => UserProcess, checks: CellChecks) {
    this.#user = user;
    this.#checks = checks;
  }

  /** Starts the language service; not before the first cell can run. */
  async start(): Promise<void> {
    const { createLanguageService } = await import('../language/index.ts');
    this.#language = createLanguageService({
      cwd: process.cwd(),
      onFailure: (message) => process.stderr.write(`[gibbs kernel] language service: ${message}\n`),
    });
    this.#checks.language = this.#language;
    void this.#language.diagnostics('').then(() => {
      this.#warm = true;
    });
  }

  dispose(): void {
    this.#language?.dispose();
  }

  async complete(content: Content): Promise<Content> {
    const code = String(content['code'] ?? '');
    const offset = cursorOf(code, content['cursor_pos']);
    this.#checks.settle();
    const living = this.#runtime(code, offset);
    const typed = await this.#patiently(this.#language?.complete(code, offset), living.found);
    const more = (typed?.matches.length ?? 0) > 0 ? RUNTIME_PATIENCE : LONE_PATIENCE;
    // A program that computes does not answer.
    const none: Candidates = { matches: [], start: offset, end: offset };
    const found = await Promise.race([living.found, sleep(more, none, { ref: false })]);
    this.#waiting.delete(living.id);
    return merged(code, offset, typed, found);
  }

  async inspect(content: Content): Promise<Content> {
    const code = String(content['code'] ?? '');
    const offset = cursorOf(code, content['cursor_pos']);
    this.#checks.settle();
    const level = content['detail_level'] === 1 ? 1 : 0;
    const markdown = await this.#language?.inspect(code, offset, level);
    if (markdown === null || markdown === undefined) {
      return { status: 'ok', found: false, data: {}, metadata: {} };
    }
    const plain = markdown.replace(/^```\w*\n?/gm, '');
    const data = { 'text/markdown': markdown, 'text/plain': plain };
    return { status: 'ok', found: true, data, metadata: {} };
  }

  async isComplete(content: Content): Promise<Content> {
    const { isComplete } = await import('../language/is-complete.ts');
    const found = isComplete(String(content['code'] ?? ''));
    const indent = found.status === 'incomplete' ? { indent: found.indent } : {};
    return { status: found.status, ...indent };
  }

  completions(frame: Extract<FromUser, { t: 'completions' }>): void {
    this.#waiting.get(frame.id)?.(frame);
    this.#waiting.delete(frame.id);
  }

  /** The answer, or undefined when it takes too long. */
  async #patiently<T>(
    answer: Promise<T> | undefined,
    living: Promise<Candidates>,
  ): Promise<T | undefined> {
    if (answer === undefined) return undefined;
    const late = async (): Promise<undefined> => {
      if (!this.#warm) {
        await sleep(COLD_PATIENCE, undefined, { ref: false });
        const found = await Promise.race([
          living,
          sleep(TYPED_PATIENCE, undefined, { ref: false }),
        ]);
        if (found === undefined || found.matches.length > 0) return;
      }
      await sleep(TYPED_PATIENCE, undefined, { ref: false });
    };
    return Promise.race([answer, late()]);
  }

  /** Names from the running program, once it has a moment. */
  #runtime(code: string, offset: number): { id: number; found: Promise<Candidates> } {
    const id = ++this.#nextId;
    const found = new Promise<Candidates>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#user().send({ t: 'complete', id, code, offset });
    });
    return { id, found };
  }
}

/** The reply to a completion request: what the type checker found, then what only the values tell. */
function merged(
  code: string,
  offset: number,
  typed: Completions | undefined,
  living: Candidates,
): Content {
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
  const [cursor_start, cursor_end] = [toCodePoints(code, start), toCodePoints(code, end)];
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

/** Front ends narrow by what is typed: matches of another case only where there is none. */
function preferExactCase(matches: readonly string[], prefix: string): readonly string[] {
  const exact = matches.filter((text) => text.startsWith(prefix));
  return exact.length > 0 ? exact : matches;
}

/** The position of the cursor in UTF-16 units; the end of the code when it is not a position. */
function cursorOf(code: string, position: unknown): number {
  if (typeof position !== 'number' || position < 0) return code.length;
  return toUtf16Offset(code, position);
}
