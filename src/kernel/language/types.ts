/** One finding of the type checker, in coordinates of the cell it was asked about. */
export interface Diagnostic {
  /** TypeScript's number, e.g. 2322. */
  readonly code: number;
  readonly category: 'error' | 'warning';
  /** May span several lines: the first says what is wrong, the others why. */
  readonly message: string;
  /** UTF-16 offsets in the cell, `start <= end`. */
  readonly start: number;
  readonly end: number;
  /** Line and column of `start`, both from 1. */
  readonly line: number;
  readonly column: number;
}

/** An entry of `_jupyter_types_experimental`: offsets are UTF-16, the caller converts. */
export interface CompletionType {
  readonly text: string;
  /** `'function' | 'method' | 'class' | 'property' | 'module' | 'keyword' | …` */
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/** Every match replaces the text between `start` and `end` (UTF-16 offsets). */
export interface Completions {
  readonly matches: string[];
  readonly start: number;
  readonly end: number;
  readonly types: CompletionType[];
}

/** `indent` is what the next line should begin with; empty unless `status` is `'incomplete'`. */
export interface Completeness {
  readonly status: 'complete' | 'incomplete' | 'invalid' | 'unknown';
  readonly indent: string;
}

/** A cell that was executed. */
export interface ExecutedCell {
  readonly cellId: string;
  readonly code: string;
  readonly executionCount: number;
}

/** What the thread is asked; every request is answered once, in order. */
export type Request =
  | { readonly kind: 'warm' }
  | { readonly kind: 'reset' }
  | ({ readonly kind: 'update'; readonly check?: boolean } & ExecutedCell)
  | { readonly kind: 'diagnostics'; readonly code: string }
  | { readonly kind: 'complete'; readonly code: string; readonly offset: number }
  | {
      readonly kind: 'inspect';
      readonly code: string;
      readonly offset: number;
      readonly level: 0 | 1;
    };

/** `result` has the type that belongs to the request's kind; `failure` is an internal error. */
export type Reply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: string };

/** What the thread is started with. `cancelled[0]` is the id of the request to give up. */
export interface WorkerSetup {
  readonly cwd: string;
  readonly cancelled: Int32Array;
}

/** The failure of a request that was given up on demand. */
export const CANCELLED = 'cancelled';
