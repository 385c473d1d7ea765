/** Axes: from values to places and back. No DOM: used by tests as well. */

export interface Scale {
  readonly low: number;
  readonly high: number;
  readonly log: boolean;
  /** Place of a value in 0 .. 1; outside the axis beyond that. */
  place(value: number): number;
  value(place: number): number;
  /** Round values to label. */
  ticks(count: number): number[];
}

/** An axis from `low` to `high`; a logarithmic one needs both positive. */
export function scale(low: number, high: number, log = false): Scale {
  const [from, to] = log ? [Math.log10(low), Math.log10(high)] : [low, high];
  const span = to - from || 1;
  return {
    low,
    high,
    log,
    place: (value) => ((log ? Math.log10(value) : value) - from) / span,
    value: (place) => (log ? 10 ** (from + place * span) : from + place * span),
    ticks: (count) => (log ? logTicks(low, high, count) : linearTicks(low, high, count)),
  };
}

/** Smallest and largest of finite (for a logarithmic axis: positive) values, undefined for none. */
export function extent(values: Iterable<number>, log = false): [number, number] | undefined {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (!Number.isFinite(value) || (log && value <= 0)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : undefined;
}

/** An extent with a little air, and never of no width. */
export function padded([low, high]: readonly [number, number], log: boolean): [number, number] {
  if (log) {
    const factor = low === high ? 2 : (high / low) ** 0.05;
    return [low / factor, high * factor];
  }
  const air = low === high ? Math.abs(low) * 0.1 || 1 : (high - low) * 0.05;
  return [low - air, high + air];
}

/** Multiples of 1, 2 or 5 times a power of ten. */
export function linearTicks(low: number, high: number, count: number): number[] {
  const rough = (high - low) / Math.max(1, count);
  if (!(rough > 0) || !Number.isFinite(rough)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * (1 - 1e-9)) ?? rough;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  );
}

/** Powers of ten, thinned out; 1, 2, 5 between them where there are few, round values within one. */
function logTicks(low: number, high: number, count: number): number[] {
  if (high / low < 10) return linearTicks(low, high, count);
  const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const decades = to - from;
  const every = Math.max(1, Math.ceil(decades / Math.max(1, count)));
  const steps = decades <= 2 ? [1, 2, 5] : [1];
  const out: number[] = [];
  for (let e = from; e <= to; e += every) {
    for (const m of steps) {
      const value = Number((m * 10 ** e).toPrecision(12));
      if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) out.push(value);
    }
  }
  return out.length > 0 ? out : [low];
}

/** A point of a curve. */
export type Point = readonly [x: number, y: number];

/**
 * At most four points for each of `columns` columns: first, lowest, highest, last. The picture of
 * the curve stays the same, its cost does not grow with the length of the run.
 */
export function thinned(points: readonly Point[], columns: number): readonly Point[] {
  if (points.length <= 4 * columns || columns < 1) return points;
  const [first, last] = [points[0][0], points[points.length - 1][0]];
  const width = (last - first) / columns || 1;
  const out: Point[] = [];
  let at = 0;
  for (let c = 0; c < columns && at < points.length; c++) {
    const end = c === columns - 1 ? Number.POSITIVE_INFINITY : first + (c + 1) * width;
    let stop = at;
    let [low, high] = [at, at];
    while (stop < points.length && points[stop][0] < end) {
      if (points[stop][1] < points[low][1]) low = stop;
      if (points[stop][1] > points[high][1]) high = stop;
      stop++;
    }
    if (stop === at) continue;
    const kept = [...new Set([at, low, high, stop - 1])].sort((a, b) => a - b);
    for (const i of kept) out.push(points[i]);
    at = stop;
  }
  return out;
}
