/** A bar of progress such as `display.progress` of a notebook makes. */
export interface ProgressBar {
  /** Sets the steps done, and a short note beside the bar. */
  update(done: number, note?: string): void;
  /** Ends the bar as one line. */
  finish(note?: string): void;
}

/** Makes a bar of `total` steps. */
export type ProgressMaker = (total: number, options: { readonly label: string }) => ProgressBar;

const KEY = Symbol.for('gibbs.notebook.progress');

interface Host {
  [KEY]?: ProgressMaker;
}

/**
 * Says how this thread shows progress; the kernel does so once, with `display.progress`. Found
 * through `globalThis`, because a notebook may load another copy of this package than the kernel's.
 */
export function installNotebookProgress(make: ProgressMaker | undefined): void {
  (globalThis as Host)[KEY] = make;
}

/** How progress is shown in the notebook whose cells this thread runs; undefined outside of one. */
export function notebookProgress(): ProgressMaker | undefined {
  return (globalThis as Host)[KEY];
}
