import { ShapeError } from '../core/errors.ts';

/** Factors on the median distance that give the default bandwidths. */
const FACTORS = [0.25, 0.5, 1, 2, 4] as const;

export interface Mmd {
  /** Unbiased estimate of MMD^2; may be negative. */
  readonly mmd2: number;
  /** The bandwidths used, in the units of the data. */
  readonly bandwidths: readonly number[];
}

/**
 * Unbiased MMD^2 of two samples [n, d], [m, d] (Gretton et al. 2012, eq. 3) with the kernel
 * mean_b exp(-|x - y|^2 / (2 b^2)) over `bandwidths`; by default the median distance between the
 * two sets times 1/4, 1/2, 1, 2, 4. n + m distances squared in time.
 * @throws ShapeError when a set has fewer than two rows or the length is no multiple of d.
 */
export function mmd(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  d: number,
  bandwidths?: readonly number[],
): Mmd {
  for (const [name, v] of [
    ['x', x],
    ['y', y],
  ] as const) {
    if (!Number.isInteger(v.length / d) || v.length / d < 2) {
      throw new ShapeError(
        `mmd: ${name} must hold at least 2 rows of ${d}, got ${v.length} values`,
      );
    }
  }
  const [n, m] = [x.length / d, y.length / d];
  const used = bandwidths ?? defaultBandwidths(x, y, d);
  const scales = used.map((b) => -1 / (2 * b * b));
  const kernel = (square: number) =>
    scales.reduce((sum, s) => sum + Math.exp(s * square), 0) / scales.length;
  const within = (v: ArrayLike<number>, count: number) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < i; j++) sum += kernel(squaredDistance(v, i, v, j, d));
    }
    return (2 * sum) / (count * (count - 1));
  };
  let across = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) across += kernel(squaredDistance(x, i, y, j, d));
  }
  const mmd2 = within(x, n) + within(y, m) - (2 * across) / (n * m);
  return { mmd2, bandwidths: used };
}

/** At most 500 rows of either set: the median needs no more. */
function defaultBandwidths(x: ArrayLike<number>, y: ArrayLike<number>, d: number): number[] {
  const [n, m] = [Math.min(500, x.length / d), Math.min(500, y.length / d)];
  const squares = new Float64Array(n * m);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) squares[i * m + j] = squaredDistance(x, i, y, j, d);
  }
  const median = Math.sqrt(squares.sort()[squares.length >> 1]) || 1;
  return FACTORS.map((f) => f * median);
}

function squaredDistance(
  a: ArrayLike<number>,
  i: number,
  b: ArrayLike<number>,
  j: number,
  d: number,
): number {
  let sum = 0;
  for (let k = 0; k < d; k++) sum += (a[i * d + k] - b[j * d + k]) ** 2;
  return sum;
}
