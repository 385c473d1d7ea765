import type { LanguageService } from '../language/index.ts';
import type { ErrorContent } from '../user/wire.ts';
import { diagnosticsText, type TypesMode, typesMode } from './language.ts';

/** Longest wait for the language service to be started by a cell that must be checked, ms. */
const LANGUAGE_START = 10_000;

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
    const found = (await this.#language?.diagnostics(code)) ?? [];
    const errors = found.filter((d) => d.category === 'error');
    if (errors.length === 0) return undefined;
    const text = diagnosticsText(`Cell [${count}]`, errors).trimEnd();
    return { ename: 'TypeCheckError', evalue: errors[0].message, traceback: text.split('\n') };
  }

  /** Tells of a cell that runs; `warn`, if given, is called with what is wrong with it. */
  ran(code: string, count: number, warn?: (text: string) => void): void {
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
    this.#untold.length = 0;
    this.#language?.reset();
  }
}
