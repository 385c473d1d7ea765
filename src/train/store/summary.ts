import { checkpointFiles } from '../checkpoint.ts';
import type { MetricsRow } from '../run.ts';
import { leaves, lookUp } from './query.ts';
import { numbersOf, type RunRecord, type RunStatus, statusOf } from './record.ts';
import type { RunStore } from './run-store.ts';

/** A run in a listing. */
export interface RunSummary {
  readonly key: string;
  readonly experiment: string;
  readonly status: RunStatus;
  readonly seed: number;
  readonly step: number;
  /** Seconds of training. */
  readonly seconds: number;
  readonly created: string;
  readonly updated: string;
  readonly code: string;
  /** SHA-256 of the final parameters; null before the end. */
  readonly checksum: string | null;
  readonly config: unknown;
  /** Final numbers. */
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly error: string | null;
}

export function summaryOf(record: RunRecord): RunSummary {
  const { key, experiment, seed, step, seconds, created, updated, code, config } = record;
  return {
    ...{ key, experiment, status: statusOf(record), seed, step, seconds, created, updated, code },
    checksum: record.checksum ?? null,
    config,
    metrics: numbersOf(record),
    labels: record.labels ?? {},
    error: record.error ?? null,
  };
}

export interface RunDetails extends RunSummary {
  readonly starts: number;
  readonly sessions: RunRecord['sessions'];
  readonly environment: unknown;
  readonly folder: string;
  readonly files: readonly string[];
  readonly checkpoints: readonly string[];
  readonly best: RunRecord['best'] | null;
  readonly rows: number;
  readonly last: MetricsRow | null;
  readonly series?: readonly MetricsRow[];
}

export function detailsOf(store: RunStore, record: RunRecord, withSeries: boolean): RunDetails {
  const series = store.metrics(record.key);
  const session = record.sessions.at(-1);
  return {
    ...summaryOf(record),
    starts: record.starts,
    sessions: record.sessions,
    environment: session ? (store.environment(session.environment) ?? null) : null,
    folder: store.folder(record),
    files: Object.keys(record.files),
    checkpoints: checkpointFiles(store.folder(record)),
    best: record.best ?? null,
    rows: series.length,
    last: series.at(-1) ?? null,
    ...(withSeries && { series }),
  };
}

/** One thing in which runs differ; null where one of them lacks it. */
export interface Comparison {
  readonly what: string;
  /** One a run, in the order in which they were given. */
  readonly values: readonly unknown[];
}

/** What runs differ in: identity, settings, environment of the latest session, final numbers. */
export function comparison(store: RunStore, records: readonly RunRecord[]): Comparison[] {
  const out: Comparison[] = [];
  const compare = (what: string, read: (record: RunRecord, index: number) => unknown) => {
    const values = records.map((record, i) => read(record, i) ?? null);
    const [first, ...others] = values.map((value) => JSON.stringify(value));
    if (others.some((other) => other !== first)) out.push({ what, values });
  };
  const environments = records.map((record) => {
    const session = record.sessions.at(-1);
    return { environment: session && store.environment(session.environment) };
  });
  compare('experiment', (record) => record.experiment);
  compare('seed', (record) => record.seed);
  compare('code', (record) => record.code);
  compare('status', statusOf);
  compare('step', (record) => record.step);
  const settings = union(...records.map((record) => leaves(record.config)));
  for (const path of settings) compare(path, (record) => lookUp(record, path));
  for (const path of union(...environments.map((tree) => leaves(tree)))) {
    compare(path, (_, i) => at(environments[i], path));
  }
  for (const path of union(...records.map((record) => leaves(numbersOf(record), 'metrics')))) {
    compare(path, (record) => lookUp(record, path));
  }
  compare('checksum', (record) => record.checksum);
  return out;
}

/** One thing in which two runs differ; null where one of them lacks it. */
export interface Difference {
  readonly what: string;
  readonly a: unknown;
  readonly b: unknown;
}

export function differences(store: RunStore, a: RunRecord, b: RunRecord): Difference[] {
  return comparison(store, [a, b]).map(({ what, values }) => ({
    what,
    a: values[0],
    b: values[1],
  }));
}

/** Settings in which some of the runs differ, by path. */
export function varyingSettings(runs: readonly RunSummary[]): string[] {
  const values = new Map<string, Set<string>>();
  for (const { config } of runs) {
    for (const path of leaves(config)) {
      const seen = values.get(path) ?? new Set<string>();
      seen.add(JSON.stringify(at(config, path)));
      values.set(path, seen);
    }
  }
  return [...values].filter(([, seen]) => seen.size > 1).map(([path]) => path);
}

export function at(tree: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((found, key) => (found as Record<string, unknown> | undefined)?.[key], tree);
}

function union(...lists: readonly (readonly string[])[]): string[] {
  return [...new Set(lists.flat())];
}
