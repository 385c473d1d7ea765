import { readFileSync, statSync } from 'node:fs';
import { appendFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { makeFolder } from '../../core/folders.ts';

export interface HistoryEntry {
  readonly session: number;
  readonly line: number;
  readonly input: string;
  readonly output?: string;
}

/** `[session, line, input]`, or `[session, line, [input, output]]` with outputs. */
export type HistoryTuple = [number, number, string | [string, string | null]];

const KEPT = 10_000;
const MAX_OUTPUT = 2000;
/** Time from a cell to its line in the file, ms: cells that follow at once share a write. */
const DELAY = 20;

/** The file that history is kept in; `GIBBS_KERNEL_HISTORY` names another, empty means none. */
export function historyPath(): string | undefined {
  const named = process.env['GIBBS_KERNEL_HISTORY'];
  if (named !== undefined) return named === '' ? undefined : named;
  const data = process.env['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share');
  return join(data, 'gibbs', 'kernel-history.jsonl');
}

/**
 * What was run, in this session and before: one JSON line per cell. A file that cannot be read or
 * written costs the memory of former sessions and nothing else.
 */
export class History {
  readonly session: number;
  readonly #path: string | undefined;
  readonly #onProblem: (message: string) => void;
  #entries: HistoryEntry[];
  #writing: Promise<void> = Promise.resolve();
  /** Lines not yet written. */
  #lines = '';
  #timer: NodeJS.Timeout | undefined;
  #broken = false;

  constructor(path: string | undefined, onProblem: (message: string) => void) {
    this.#path = path;
    this.#onProblem = onProblem;
    this.#entries = path === undefined ? [] : readEntries(path);
    this.session = Math.max(0, ...this.#entries.slice(-KEPT).map((e) => e.session)) + 1;
    if (this.#entries.length > 2 * KEPT) {
      this.#entries = this.#entries.slice(-KEPT);
      const text = this.#entries.map((e) => `${JSON.stringify(e)}\n`).join('');
      this.#write((file) => writeFile(file, text));
    }
  }

  add(line: number, input: string, output?: string): void {
    const entry: HistoryEntry = {
      session: this.session,
      line,
      input,
      ...(output !== undefined && { output: output.slice(0, MAX_OUTPUT) }),
    };
    this.#entries.push(entry);
    if (this.#entries.length > 3 * KEPT) this.#entries = this.#entries.slice(-KEPT);
    if (this.#path === undefined || this.#broken) return;
    this.#lines += `${JSON.stringify(entry)}\n`;
    this.#timer ??= setTimeout(() => this.#save(), DELAY).unref();
  }

  tail(n: number, withOutput: boolean): HistoryTuple[] {
    return n <= 0 ? [] : this.#entries.slice(-n).map((e) => tuple(e, withOutput));
  }

  /** Lines `start` to `stop` (exclusive) of a session; 0 is this one, negative counts back. */
  range(session: number, start: number, stop: number | undefined, withOutput: boolean) {
    const wanted = session > 0 ? session : this.session + session;
    return this.#entries
      .filter(
        (e) => e.session === wanted && e.line >= start && (stop === undefined || e.line < stop),
      )
      .map((e) => tuple(e, withOutput));
  }

  /** Inputs that match a glob of `*` and `?`; the last `n`. */
  search(pattern: string, n: number | undefined, unique: boolean, withOutput: boolean) {
    const source = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '[\\s\\S]*');
    const regex = new RegExp(`^${source.replace(/\?/g, '[\\s\\S]')}$`);
    let found = this.#entries.filter((e) => regex.test(e.input));
    if (unique) found = [...new Map(found.map((e) => [e.input, e])).values()];
    return (n === undefined ? found : found.slice(-n)).map((e) => tuple(e, withOutput));
  }

  /** Resolves when everything is on disk. */
  async flush(): Promise<void> {
    this.#save();
    await this.#writing;
  }

  #save(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = this.#lines;
    this.#lines = '';
    if (lines !== '') this.#write((file) => appendFile(file, lines));
  }

  #write(action: (path: string) => Promise<void>): void {
    const path = this.#path;
    if (path === undefined || this.#broken) return;
    this.#writing = this.#writing
      .then(async () => {
        if (this.#broken) return;
        makeFolder(dirname(path));
        await action(path);
      })
      .catch((error: Error) => {
        this.#broken = true;
        this.#onProblem(`history is not kept: ${error.message}`);
      });
  }
}

function readEntries(path: string): HistoryEntry[] {
  let text: string;
  try {
    // A device would never end.
    if (!statSync(path).isFile()) return [];
    text = readFileSync(path, 'utf8');
  } catch {
    return [];
  }
  const entries: HistoryEntry[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    try {
      const entry = JSON.parse(line) as HistoryEntry;
      if (typeof entry.input === 'string' && Number.isInteger(entry.session)) entries.push(entry);
    } catch {
      // A line cut by a full disk or a crash.
    }
  }
  return entries;
}

function tuple(entry: HistoryEntry, withOutput: boolean): HistoryTuple {
  const content: string | [string, string | null] = withOutput
    ? [entry.input, entry.output ?? null]
    : entry.input;
  return [entry.session, entry.line, content];
}
