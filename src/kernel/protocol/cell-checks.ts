import type { LanguageService } from '../language/index.ts';
import type { ErrorContent } from '../user/wire.ts';
import { diagnosticsText, type TypesMode, typesMode } from './language.ts';

/** Longest wait for the language service to be started by a cell that must be checked, ms. */
const LANGUAGE_START = 10_000;
/** A finished cell is checked when no other has come for this time, ms: its types can wait. */
const QUIET = 10;
/** Longest that the check of a finished cell waits while others come, ms. */
const LONGEST_HOLD = 1000;

interface RanCell {
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
  /** Cells that have ended and that the language service is not told of yet. */
  #held: RanCell[] = [];
  #heldSince = 0;
  #quiet: NodeJS.Timeout | undefined;

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

  /** Tells of a cell that runs. */
  runs(cell: RanCell): void {
    this.settle();
    this.#tell(cell);
  }

  /** Tells of a cell that has ended, once the cells that follow at its heels have ended too. */
  ended(cell: RanCell): void {
    const now = performance.now();
    if (this.#held.length === 0) this.#heldSince = now;
    else if (now - this.#heldSince > LONGEST_HOLD) this.settle();
    this.#held.push(cell);
    if (this.#quiet === undefined) this.#quiet = setTimeout(() => this.settle(), QUIET);
    else this.#quiet.refresh();
  }

  /** Tells of every cell that has ended: what is asked next may mention its names. */
  settle(): void {
    if (this.#held.length === 0) return;
    const held = this.#held;
    this.#held = [];
    for (const cell of held) this.#tell(cell);
  }

  #tell({ code, count, warn }: RanCell): void {
    if (code.trim() === '') return;
    const id = `cell-${count}`;
    const service = this.#language;
    if (service === undefined) {
      this.#untold.push([id, code, count]);
      return;
    }
    const checked = service.update(id, code, count, { check: warn !== undefined });
    void checked.then((found) => {
      if (found.length > 0) warn?.(diagnosticsText(`Cell [${count}]`, found));
    });
  }

  /** The values of all cells are gone. */
  reset(): void {
    this.settle();
    this.#untold.length = 0;
    this.#language?.reset();
  }
}
