/** The middle of `values` (mean of the two middle ones); NaN when there is none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function summarise(values: readonly number[]): Summary {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * How many times faster `ours` is than `peer`: the summary of peer/ours over the rounds that both
 * took part in. Paired by round, because a shared machine changes its speed from one to the next.
 */
export function pairedRatio(
  ours: readonly (number | undefined)[],
  peer: readonly (number | undefined)[],
): Summary {
  const ratios: number[] = [];
  for (let r = 0; r < Math.min(ours.length, peer.length); r++) {
    const [a, b] = [ours[r], peer[r]];
    if (a !== undefined && b !== undefined) ratios.push(b / a);
  }
  return summarise(ratios);
}
