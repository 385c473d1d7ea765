import { ConfigError, unknownName } from '../core/errors.ts';

/** A run of a sweep, as its figures need it. */
export interface SweptRun {
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  readonly seed: number;
  readonly key: string | null;
  readonly metrics: Readonly<Record<string, number | undefined>>;
}

/** What is known of a run beside its numbers. */
export interface SweptDetails {
  readonly curve?: {
    readonly steps: readonly number[];
    readonly losses: Readonly<Record<string, readonly number[]>>;
  };
  /** In the plane: x0, y0, x1, y1, …. */
  readonly samples?: readonly number[];
}

/** A sweep and its details, e.g. a `SweepResult`. */
export interface Swept {
  readonly name: string;
  measured(): readonly SweptRun[];
  details(run: { readonly key: string | null }): SweptDetails | undefined;
}

/** Short name of a setting: the last part of its path. */
export function settingTitle(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}

/** A value as an axis or a legend says it. */
export function valueText(value: string | number | boolean | undefined): string {
  return value === undefined ? '–' : String(value);
}

/** The settings that vary, in the order in which runs name them. */
export function settingsOf(runs: readonly SweptRun[]): string[] {
  return [...new Set(runs.flatMap(({ settings }) => Object.keys(settings)))];
}

/** The values of a setting in the order of the runs, as text. */
export function valuesOf(runs: readonly SweptRun[], setting: string): string[] {
  return [...new Set(runs.map(({ settings }) => valueText(settings[setting])))];
}

/** @throws ConfigError for a setting or metric that no run has. */
export function checkNames(
  runs: readonly SweptRun[],
  asked: { readonly settings?: readonly string[]; readonly metrics?: readonly string[] },
): void {
  if (runs.length === 0) throw new ConfigError('figure of a sweep: it has no runs');
  const settings = settingsOf(runs);
  for (const name of asked.settings ?? []) {
    if (!settings.includes(name)) throw unknownName('setting of the sweep', name, settings);
  }
  const metrics = [...new Set(runs.flatMap((run) => Object.keys(run.metrics)))];
  for (const name of asked.metrics ?? []) {
    if (!metrics.includes(name)) throw unknownName('metric of the sweep', name, metrics);
  }
}

/** Mean ± standard error of a metric over the runs that share two settings, ready to be drawn. */
export interface MeanRow {
  readonly x: string;
  readonly c: string;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Means of a metric by the values of one setting or two. A single run has no error: its bar has no
 * length. Below 0 a bar on a logarithmic axis would have no end, so there it ends at the least run.
 */
export function meanRows(
  runs: readonly SweptRun[],
  metric: string,
  axes: { readonly x: string; readonly colour: string | undefined; readonly log: boolean },
): MeanRow[] {
  const groups = new Map<string, { x: string; c: string; values: number[] }>();
  for (const { settings, metrics } of runs) {
    const value = metrics[metric];
    if (value === undefined || (axes.log && value <= 0)) continue;
    const x = valueText(settings[axes.x]);
    const c = axes.colour === undefined ? '' : valueText(settings[axes.colour]);
    const group = groups.get(JSON.stringify([x, c])) ?? { x, c, values: [] };
    group.values.push(value);
    groups.set(JSON.stringify([x, c]), group);
  }
  return [...groups.values()].map(({ x, c, values }) => {
    const n = values.length;
    const mean = values.reduce((sum, v) => sum + v, 0) / n;
    const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
    const error = n > 1 ? Math.sqrt(squares / (n - 1) / n) : 0;
    const low = mean - error;
    const least = Math.min(...values);
    return { x, c, mean, low: axes.log && low <= 0 ? least : low, high: mean + error };
  });
}
