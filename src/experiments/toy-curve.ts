/** How the losses of a run went. */
export interface ToyCurve {
  /** The last iteration of each stretch. */
  readonly steps: readonly number[];
  /** Means over the stretches, e.g. of `energyLoss`. */
  readonly losses: Readonly<Record<string, readonly number[]>>;
}

/** Stretches that a run is divided into. */
const STRETCHES = 60;

/** Digits kept: a curve is looked at, and stands in the head of a published checkpoint. */
const DIGITS = 4;

/**
 * The losses of a run; undefined where it logged none.
 * @param rows of its metric series: means since the row before.
 */
export function toyCurve(
  rows: readonly Readonly<Record<string, number>>[],
  stretches = STRETCHES,
): ToyCurve | undefined {
  const names = Object.keys(rows[0] ?? {}).filter((name) => /loss$/i.test(name));
  if (names.length === 0) return undefined;
  const count = Math.min(stretches, rows.length);
  const groups = Array.from({ length: count }, (_, i) =>
    rows.slice(Math.floor((i * rows.length) / count), Math.floor(((i + 1) * rows.length) / count)),
  );
  const mean = (group: typeof rows, name: string) =>
    Number((group.reduce((sum, row) => sum + row[name], 0) / group.length).toPrecision(DIGITS));
  return {
    steps: groups.map((group) => group[group.length - 1]['step']),
    losses: Object.fromEntries(names.map((name) => [name, groups.map((g) => mean(g, name))])),
  };
}

/** Means of a loss over the given parts of a run, each from one share of it to another. */
export function meansOver(
  { steps, losses }: ToyCurve,
  name: string,
  parts: readonly (readonly [from: number, to: number])[],
): number[] {
  const last = steps[steps.length - 1];
  return parts.map(([from, to]) => {
    const inside = losses[name].filter((_, i) => steps[i] > from * last && steps[i] <= to * last);
    return inside.reduce((sum, value) => sum + value, 0) / inside.length;
  });
}
