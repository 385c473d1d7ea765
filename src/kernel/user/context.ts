import { AsyncLocalStorage } from 'node:async_hooks';

/** One run of a cell, as everything that it started sees it. */
export interface CellContext {
  readonly cell: number;
  readonly count: number;
  readonly allowStdin: boolean;
  /** Set by Stop: what the cell left behind must not go on. */
  cancelled: boolean;
  /** Characters of text written so far. */
  written: number;
  /** Characters not written because the cell had used up its share. */
  dropped: number;
}

const storage = new AsyncLocalStorage<CellContext>();

/** The cell on whose behalf code runs outside any (e.g. a callback of a library). */
let latest: CellContext | undefined;

export function runInCell<T>(context: CellContext, fn: () => T): T {
  latest = context;
  return storage.run(context, fn);
}

/** The cell that started what runs now; the latest where that is unknown. */
export function currentCell(): CellContext | undefined {
  return storage.getStore() ?? latest;
}

/** The cell that started what runs now, if it is known. */
export function owningCell(): CellContext | undefined {
  return storage.getStore();
}

/**
 * Leaves whatever cell the thread was in. Code that V8 stopped could not do so itself, and the
 * event source that had called it would speak for that cell for ever.
 */
export function leaveCell(): void {
  storage.enterWith(undefined as unknown as CellContext);
}
