import type { LanguageService } from '../language/index.ts';
import type { ErrorContent } from '../user/wire.ts';
import { diagnosticsText, type TypesMode, typesMode } from './language.ts';

/** Longest wait for the language service to be started by a cell that must be checked, ms. */
const LANGUAGE_START = 10_000;
/** Cells are checked when none has run for this time, ms: one that runs needs the processor more. */
const QUIET = 10;
/** Longest that a check waits for that, ms. */
const LONGEST_HOLD = 500;
/** Longest that the end of a cell waits for what its check, already under way, has to say, ms. */
const PATIENCE = 250;

/** A cell that runs or ran. */
export interface RanCell {
  readonly code: string;
  readonly count: number;
  /** Called with what is wrong with the cell; without it, the cell is not checked. */
  readonly warn?: (text: string) => void;
}

/** Has the types of cells checked, and tells the language service what ran. */
export class CellChecks {
  #language: LanguageService | undefined;
  #started: () => void = () => undefined;
  readonly #ready = new Promise<void>((resolve) => {
    this.#started = resolve;
    // Without it, cells run unchecked.
    setTimeout(resolve, LANGUAGE_START).unref();
  });
  /** Cells that ran before the language service was there. */
  readonly #untold: [cellId: string, code: string, count: number][] = [];
  /** Cells that run or ran and that the language service is not told of yet. */
  #held: RanCell[] = [];
  #quiet: NodeJS.Timeout | undefined;
  #latest: NodeJS.Timeout | undefined;
  /** The check of the cell that the language service was told of last. */
  #said: { readonly cell: RanCell; readonly done: Promise<void> } | undefined;

  set language(service: LanguageService) {
    this.#language = service;
    this.#started();
    for (const cell of this.#untold.splice(0)) void service.update(...cell);
  }

  mode(code: string): TypesMode {
    return code.trim() === '' ? 'off' : typesMode(code);
  }

  /** The error that keeps the cell from running, if there is one. */
  async blocking(code: string, count: number): Promise<ErrorContent | undefined> {
    await this.#ready;
    this.settle();
    const found = (await this.#language?.diagnostics(code)) ?? [];
    const errors = found.filter((d) => d.category === 'error');
    if (errors.length === 0) return undefined;
    const text = diagnosticsText(`Cell [${count}]`, errors).trimEnd();
    return { ename: 'TypeCheckError', evalue: errors[0].message, traceback: text.split('\n') };
  }

  /** A cell begins to run: it is checked when it has ended, or while it runs if that takes long. */
  runs(cell: RanCell): void {
    clearTimeout(this.#quiet);
    this.#held.push(cell);
    this.#latest ??= setTimeout(() => this.settle(), LONGEST_HOLD);
  }

  /**
   * The cell that ran has ended. Its end may wait for the promise, if there is one: front ends that
   * run a whole notebook drop what is said of a cell after its end.
   */
  ended(cell: RanCell): Promise<unknown> | undefined {
    if (this.#held.length > 0) this.#quiet = setTimeout(() => this.settle(), QUIET);
    if (this.#said?.cell !== cell) return undefined;
    const late = new Promise((resolve) => setTimeout(resolve, PATIENCE).unref());
    return Promise.race([this.#said.done, late]);
  }

  /** Tells of every cell so far: what is asked next may mention its names. */
  settle(): void {
    clearTimeout(this.#quiet);
    clearTimeout(this.#latest);
    this.#latest = undefined;
    for (const cell of this.#held.splice(0)) this.#tell(cell);
  }

  #tell(cell: RanCell): void {
    const { code, count, warn } = cell;
    if (code.trim() === '') return;
    const id = `cell-${count}`;
    const service = this.#language;
    if (service === undefined) {
      this.#untold.push([id, code, count]);
      return;
    }
    const checked = service.update(id, code, count, { check: warn !== undefined });
    const done = checked.then((found) => {
      if (found.length > 0) warn?.(diagnosticsText(`Cell [${count}]`, found));
      if (this.#said?.cell === cell) this.#said = undefined;
    });
    this.#said = { cell, done };
  }

  /** The values of all cells are gone. */
  reset(): void {
    this.settle();
    this.#untold.length = 0;
    this.#language?.reset();
  }
}
