/*
 * What the explorer's server tells its page, as JSON. No imports: both sides read this file, the
 * page with the browser's types and the server with Node's.
 */

export type RunStatus = 'running' | 'dead' | 'stopped' | 'failed' | 'finished';

/** A run in the list. */
export interface WireRun {
  readonly key: string;
  readonly experiment: string;
  readonly status: RunStatus;
  readonly seed: number;
  readonly step: number;
  /** Seconds of training. */
  readonly seconds: number;
  /** ISO 8601, UTC, as `updated`. */
  readonly created: string;
  readonly updated: string;
  readonly code: string;
  readonly checksum: string | null;
  readonly config: unknown;
  /** Final numbers; empty before the end. */
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly error: string | null;
}

/** `api/runs`. */
export interface WireRuns {
  /** Absolute path of the store. */
  readonly place: string;
  /** Whether there is a store at the place. */
  readonly exists: boolean;
  readonly runs: readonly WireRun[];
  /** Entries of the store that cannot be read, named. */
  readonly problems: readonly string[];
  readonly version: string;
}

/** `api/events`, event `runs`: what was written since the event before. */
export interface WireChange {
  readonly exists: boolean;
  readonly changed: readonly WireRun[];
  readonly removed: readonly string[];
  readonly problems: readonly string[];
}

/** `api/filter`: the runs that fulfil every condition. */
export interface WireFilter {
  readonly keys: readonly string[];
}

export interface WireSession {
  readonly started: string;
  readonly ended?: string;
  readonly from?: number;
  readonly pid: number;
  readonly host: string;
}

export interface WireFile {
  readonly name: string;
  readonly bytes: number;
}

export interface WireArray {
  readonly name: string;
  readonly shape: readonly number[];
}

/** `api/run`. */
export interface WireDetails extends WireRun {
  readonly starts: number;
  readonly sessions: readonly WireSession[];
  readonly environment: unknown;
  readonly folder: string;
  readonly files: readonly WireFile[];
  readonly checkpoints: readonly WireFile[];
  readonly best: { readonly step: number; readonly metric: string; readonly value: number } | null;
  readonly arrays: readonly WireArray[];
  /** Why the arrays cannot be read. */
  readonly arraysProblem: string | null;
}

export interface WireRow {
  readonly step: number;
  readonly [metric: string]: number;
}

/** `api/series`: rows after the iteration that was asked from. */
export interface WireSeries {
  readonly rows: readonly WireRow[];
}

/** `api/compare`: what the runs differ in, values in the order of the keys. */
export interface WireComparison {
  readonly rows: readonly { readonly what: string; readonly values: readonly unknown[] }[];
}

/** `api/cell`: code for a notebook cell. */
export interface WireCell {
  readonly code: string | null;
  /** Why there is none. */
  readonly reason: string | null;
}

/** Body of every answer that is no success. */
export interface WireError {
  readonly error: string;
}
