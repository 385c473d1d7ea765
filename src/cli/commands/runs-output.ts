import { checkpointFiles } from '../../train/checkpoint.ts';
import type { MetricsRow } from '../../train/run.ts';
import { leaves, lookUp } from '../../train/store/query.ts';
import { numbersOf, type RunRecord, type RunStatus, statusOf } from '../../train/store/record.ts';
import type { RunStore } from '../../train/store/run-store.ts';

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

/** One thing in which two runs differ; null where one of them lacks it. */
export interface Difference {
  readonly what: string;
  readonly a: unknown;
  readonly b: unknown;
}

export function differences(store: RunStore, a: RunRecord, b: RunRecord): Difference[] {
  const out: Difference[] = [];
  const compare = (what: string, x: unknown, y: unknown) => {
    if (JSON.stringify(x) !== JSON.stringify(y)) out.push({ what, a: x ?? null, b: y ?? null });
  };
  compare('experiment', a.experiment, b.experiment);
  compare('seed', a.seed, b.seed);
  compare('code', a.code, b.code);
  compare('status', statusOf(a), statusOf(b));
  compare('step', a.step, b.step);
  for (const path of union(leaves(a.config), leaves(b.config))) {
    compare(path, lookUp(a, path), lookUp(b, path));
  }
  const [ours, theirs] = [a, b].map((record) => {
    const session = record.sessions.at(-1);
    return { environment: session && store.environment(session.environment) };
  });
  for (const path of union(leaves(ours), leaves(theirs))) {
    compare(path, at(ours, path), at(theirs, path));
  }
  for (const path of union(leaves(numbersOf(a), 'metrics'), leaves(numbersOf(b), 'metrics'))) {
    compare(path, lookUp(a, path), lookUp(b, path));
  }
  compare('checksum', a.checksum, b.checksum);
  return out;
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

function union(a: readonly string[], b: readonly string[]): string[] {
  return [...new Set([...a, ...b])];
}
