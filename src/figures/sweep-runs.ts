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
