import type { WireRun } from '../wire.ts';
import type { Brush } from './brush.ts';
import { formatNumber, formatValue } from './format.ts';
import { compareValues, metricNames, valueIn, varyingSettings } from './listing.ts';
import { extent, padded, scale } from './scale.ts';

/** Axes of the parallel coordinates and what is brushed on them. No DOM: used by tests as well. */

export interface Axis {
  /** As a column of the list: `config.diffusion.T`, `metrics.gridKl`, `field.seed`. */
  readonly id: string;
  readonly kind: 'setting' | 'number';
  /** Place of a run in 0 .. 1, undefined where it has no value. */
  place(run: WireRun): number | undefined;
  readonly ticks: readonly { readonly place: number; readonly text: string }[];
  /** The value at a place, for whoever reads the brush. */
  textAt(place: number): string;
}

/** Up to so many values of a setting stand side by side, whatever their distances. */
const MOST_LEVELS = 12;
/** A number that spans more than this is drawn on a logarithmic axis. */
const LOG_FROM = 100;

/** Ids of all axes that some runs have, and of those that tell most. */
export interface AxisIds {
  readonly all: readonly string[];
  readonly usual: readonly string[];
}

/** Settings first, then the seed, then the final numbers. */
export function axisIds(runs: readonly WireRun[], most: number): AxisIds {
  const { swept, others } = varyingSettings(runs);
  const id = (path: string) => `config.${path}`;
  const seeds = new Set(runs.map(({ seed }) => seed)).size > 1 ? ['field.seed'] : [];
  const numbers = metricNames(runs).map((name) => `metrics.${name}`);
  const shown = (swept.length > 0 ? swept : others).map(id).slice(0, most - 3);
  return {
    all: [...swept.map(id), ...others.map(id), ...seeds, ...numbers],
    usual: [...shown, ...numbers.slice(0, Math.max(2, most - shown.length))],
  };
}

/** @returns undefined when no run has a value. */
export function axis(id: string, runs: readonly WireRun[]): Axis | undefined {
  const kind = id.startsWith('metrics.') ? 'number' : 'setting';
  const values = runs.map((run) => valueIn(run, id)).filter((v) => v !== undefined && v !== null);
  const levels = [...new Set(values)];
  if (levels.length === 0) return undefined;
  const numeric = levels.every((level) => typeof level === 'number');
  if (!numeric || (kind === 'setting' && levels.length <= MOST_LEVELS)) {
    return levelAxis(id, kind, levels);
  }
  return numberAxis(id, kind, values as number[]);
}

function levelAxis(id: string, kind: Axis['kind'], unordered: readonly unknown[]): Axis {
  const levels = [...unordered].sort(compareValues);
  const places = new Map(
    levels.map((level, i) => [
      level,
      levels.length === 1 ? 0.5 : 0.04 + (0.92 * i) / (levels.length - 1),
    ]),
  );
  const every = Math.ceil(levels.length / 24);
  return {
    id,
    kind,
    place: (run) => places.get(valueIn(run, id)),
    ticks: levels
      .filter((_, i) => i % every === 0)
      .map((level) => ({ place: places.get(level) as number, text: formatValue(level) })),
    textAt: (place) => {
      const distance = (level: unknown) => Math.abs((places.get(level) as number) - place);
      return formatValue([...levels].sort((a, b) => distance(a) - distance(b))[0]);
    },
  };
}

function numberAxis(id: string, kind: Axis['kind'], values: readonly number[]): Axis | undefined {
  const whole = extent(values);
  if (!whole) return undefined;
  const log = whole[0] > 0 && whole[1] / whole[0] > LOG_FROM;
  const { place, value, ticks } = scale(...padded(whole, log), log);
  return {
    id,
    kind,
    place: (run) => {
      const found = valueIn(run, id);
      return typeof found === 'number' && Number.isFinite(found) ? place(found) : undefined;
    },
    ticks: ticks(6).map((tick) => ({ place: place(tick), text: formatNumber(tick) })),
    textAt: (at) => formatNumber(value(at)),
  };
}

/** The runs that lie within every brush; one without a value lies within none. */
export function brushed(
  runs: readonly WireRun[],
  axes: readonly Axis[],
  brushes: ReadonlyMap<string, Brush>,
): WireRun[] {
  const active = axes.flatMap(({ id, place }) => {
    const brush = brushes.get(id);
    return brush ? [{ place, brush }] : [];
  });
  if (active.length === 0) return [...runs];
  return runs.filter((run) =>
    active.every(({ place, brush: { low, high } }) => {
      const at = place(run);
      return at !== undefined && at >= low && at <= high;
    }),
  );
}
