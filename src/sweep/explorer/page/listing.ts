import type { WireRun } from '../wire.ts';
import { shortKey } from './format.ts';

/** What the list shows, by which order, and which runs. No DOM: used by tests as well. */

export interface Column {
  /** `field.step`, `config.diffusion.T` or `metrics.gridKl`. */
  readonly id: string;
  readonly title: string;
  readonly numeric: boolean;
}

export interface Order {
  readonly column: string;
  readonly descending: boolean;
}

const flat = new WeakMap<object, ReadonlyMap<string, unknown>>();

/** The leaves of a run's configuration by dotted path. */
export function settingsOf(run: WireRun): ReadonlyMap<string, unknown> {
  const owner = run.config;
  if (typeof owner !== 'object' || owner === null) return new Map();
  let found = flat.get(owner);
  if (!found) {
    found = new Map(leafEntries(owner, ''));
    flat.set(owner, found);
  }
  return found;
}

export function leafEntries(tree: unknown, prefix: string): [string, unknown][] {
  if (typeof tree !== 'object' || tree === null) return prefix === '' ? [] : [[prefix, tree]];
  return Object.entries(tree).flatMap(([key, value]) =>
    leafEntries(value, prefix === '' ? key : `${prefix}.${key}`),
  );
}

/** What a run has in a column. */
export function valueIn(run: WireRun, column: string): unknown {
  const at = column.indexOf('.');
  const [kind, path] = [column.slice(0, at), column.slice(at + 1)];
  if (kind === 'config') return settingsOf(run).get(path);
  if (kind === 'metrics') return run.metrics[path];
  if (kind === 'labels') return run.labels[path];
  return path === 'run' ? shortKey(run.key) : (run as unknown as Record<string, unknown>)[path];
}

/** Settings in which some of the runs differ (or that some lack), by path. */
export interface VaryingSettings {
  /** What was varied on purpose, as far as can be told. */
  readonly swept: readonly string[];
  /** What follows from one of these, e.g. a rate that goes with the data set, or hardly varies. */
  readonly others: readonly string[];
}

/** A value that more of the runs have is that of all but a few strangers. */
const COMMON = 0.95;

export function varyingSettings(runs: readonly WireRun[]): VaryingSettings {
  const levels = new Map<string, Int32Array>();
  const seen = new Map<string, Map<unknown, number>>();
  runs.forEach((run, i) => {
    for (const [path, value] of settingsOf(run)) {
      let column = levels.get(path);
      let known = seen.get(path);
      if (!column || !known) {
        // Level 0: the run lacks the setting.
        column = new Int32Array(runs.length);
        known = new Map();
        levels.set(path, column);
        seen.set(path, known);
      }
      let level = known.get(value);
      if (level === undefined) {
        level = known.size + 1;
        known.set(value, level);
      }
      column[i] = level;
    }
  });
  const varying = [...levels].filter(([, column]) => column.some((level) => level !== column[0]));
  const swept: [string, Int32Array][] = [];
  // Those of more levels first: a coarser setting may follow from them.
  const byLevels = varying.toSorted(([, a], [, b]) => Math.max(...b) - Math.max(...a));
  for (const [path, column] of byLevels) {
    const follows = swept.some(([, other]) => isFunctionOf(column, other));
    if (!follows && commonest(column) <= COMMON * runs.length) swept.push([path, column]);
  }
  const paths = varying.map(([path]) => path);
  const chosen = new Set(swept.map(([path]) => path));
  return {
    swept: paths.filter((path) => chosen.has(path)),
    others: paths.filter((path) => !chosen.has(path)),
  };
}

function isFunctionOf(column: Int32Array, other: Int32Array): boolean {
  const to = new Map<number, number>();
  return column.every((level, i) => {
    const known = to.get(other[i]);
    if (known === undefined) to.set(other[i], level);
    return known === undefined || known === level;
  });
}

function commonest(column: Int32Array): number {
  const counts = new Map<number, number>();
  for (const level of column) counts.set(level, (counts.get(level) ?? 0) + 1);
  return Math.max(...counts.values());
}

/** Names of final numbers, the commonest first. */
export function metricNames(runs: readonly WireRun[]): string[] {
  const counts = new Map<string, number>();
  for (const { metrics } of runs) {
    for (const [name, value] of Object.entries(metrics)) {
      if (typeof value === 'number') counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  return [...counts].sort(([, a], [, b]) => b - a).map(([name]) => name);
}

const LEADING: readonly Column[] = [
  { id: 'field.status', title: 'Status', numeric: false },
  { id: 'field.run', title: 'Run', numeric: false },
  { id: 'field.experiment', title: 'Experiment', numeric: false },
  { id: 'labels.sweep', title: 'Sweep', numeric: false },
  { id: 'labels.preset', title: 'Preset', numeric: false },
  { id: 'field.seed', title: 'Seed', numeric: true },
];

const TRAILING: readonly Column[] = [
  { id: 'field.step', title: 'Step', numeric: true },
  { id: 'field.seconds', title: 'Time', numeric: true },
  { id: 'field.created', title: 'Created', numeric: true },
  { id: 'field.updated', title: 'Updated', numeric: true },
];

/** Settings and numbers shown until somebody chooses: few enough to be read. */
const SETTINGS_SHOWN = 6;
const NUMBERS_SHOWN = 4;

/** The columns of some runs; found again only when there are other runs. */
export class Columns {
  /** Every column that some run has something to say in. */
  all: readonly Column[] = [];
  /** Ids of those that are shown unless somebody chose. */
  usual: ReadonlySet<string> = new Set();
  #shape = '';

  /** @returns whether the columns may have changed. */
  update(runs: readonly WireRun[]): boolean {
    const ended = runs.reduce((n, { status }) => n + (status === 'finished' ? 1 : 0), 0);
    const shape = `${runs.length} ${runs[0]?.key} ${runs.at(-1)?.key} ${ended}`;
    if (shape === this.#shape) return false;
    this.#shape = shape;
    const { swept, others } = varyingSettings(runs);
    const settings = [...swept, ...others].map((path) => `config.${path}`);
    const numbers = metricNames(runs).map((name) => `metrics.${name}`);
    const has = (id: string) => runs.some((run) => valueIn(run, id) !== undefined);
    const several = (id: string) => new Set(runs.map((run) => valueIn(run, id))).size > 1;
    const numeric = (id: string) => runs.some((run) => typeof valueIn(run, id) === 'number');
    const fields = LEADING.filter(({ id }) => !id.startsWith('labels.') || has(id));
    const found = [...settings, ...numbers].map((id) => ({
      id,
      title: id.slice(id.indexOf('.') + 1),
      numeric: numeric(id),
    }));
    this.all = [...fields, ...found, ...TRAILING];
    this.usual = new Set([
      ...[...fields, ...TRAILING]
        .map(({ id }) => id)
        .filter((id) => id !== HIDDEN && (!WHEN_SEVERAL.includes(id) || several(id))),
      ...(swept.length > 0 ? settings.slice(0, swept.length) : settings).slice(0, SETTINGS_SHOWN),
      ...numbers.slice(0, NUMBERS_SHOWN),
    ]);
    return true;
  }
}

/** Shown where runs differ in them. */
const WHEN_SEVERAL: readonly string[] = ['field.experiment', 'labels.sweep', 'labels.preset'];

/** Shown when somebody chooses it: it moves while a run does. */
const HIDDEN = 'field.updated';

/** A sorted copy; runs without a value come last either way, ties stand newest first. */
export function sorted(runs: readonly WireRun[], { column, descending }: Order): WireRun[] {
  const keyed = runs.map((run) => ({ run, value: valueIn(run, column) ?? undefined }));
  keyed.sort((a, b) => {
    const missing = Number(a.value === undefined) - Number(b.value === undefined);
    if (missing !== 0) return missing;
    const by = compareValues(a.value, b.value);
    return (descending ? -by : by) || compareValues(b.run.created, a.run.created);
  });
  return keyed.map(({ run }) => run);
}

export function compareValues(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b || 0;
  const [x, y] = [String(a), String(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Whether every word is somewhere in the run's key, settings, labels or error. */
export function mentions(run: WireRun, text: string): boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const content = contentOf(run);
  return words.every((word) => content.includes(word));
}

const contents = new WeakMap<WireRun, string>();

function contentOf(run: WireRun): string {
  let found = contents.get(run);
  if (found === undefined) {
    const settings = [...settingsOf(run)].map(([path, value]) => `${path}=${value}`);
    const parts = [run.key, run.status, run.error ?? '', ...settings, ...Object.values(run.labels)];
    found = parts.join('\n').toLowerCase();
    contents.set(run, found);
  }
  return found;
}
