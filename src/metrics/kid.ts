import { ConfigError, ShapeError } from '../core/errors.ts';
import { permutation } from '../core/random.ts';
import { gram, type Matrix, matrix, timesTransposed } from './linalg.ts';

export interface KernelDistance {
  /** Mean over the subsets; unbiased, so it may be negative. */
  readonly mean: number;
  /** Population standard deviation over the subsets. */
  readonly std: number;
}

export interface KernelDistanceOptions {
  /** Default 100. */
  readonly subsets?: number;
  /** Rows of each subset. Default 1000, or all rows where there are fewer. */
  readonly subsetSize?: number;
  /** Of the choice of subsets. Default 0. */
  readonly seed?: number;
}

/**
 * Kernel Inception Distance (Bińkowski et al. 2018): the unbiased squared MMD of features [n, d]
 * and [m, d] with the kernel (x·y/d + 1)³, mean over random subsets without replacement.
 * @throws ShapeError when a set has fewer than two rows or is no rows of d; ConfigError when a
 * subset has fewer than two rows or more than there are.
 */
export function kernelDistance(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  d: number,
  options: KernelDistanceOptions = {},
): KernelDistance {
  const [n, m] = [rowsOf(a, d), rowsOf(b, d)];
  const { subsets = 100, subsetSize = Math.min(1000, n, m), seed = 0 } = options;
  if (!Number.isInteger(subsets) || subsets < 1) {
    throw new ConfigError(`kernelDistance: subsets must be a positive number, got ${subsets}`);
  }
  if (!Number.isInteger(subsetSize) || subsetSize < 2 || subsetSize > Math.min(n, m)) {
    throw new ConfigError(
      `kernelDistance: subsetSize must lie in 2 .. ${Math.min(n, m)}, got ${subsetSize}`,
    );
  }
  const choose = (values: ArrayLike<number>, rows: number, name: string, k: number): Matrix => {
    const order = permutation({ seed, stream: `kernel-distance/${name}`, step: k }, rows);
    const out = matrix(subsetSize, d);
    for (let i = 0; i < subsetSize; i++) {
      for (let j = 0; j < d; j++) out.data[i * d + j] = values[order[i] * d + j];
    }
    return out;
  };
  const found = Array.from({ length: subsets }, (_, k) =>
    polynomialMmd(choose(a, n, 'a', k), choose(b, m, 'b', k)),
  );
  const mean = found.reduce((sum, v) => sum + v, 0) / subsets;
  const variance = found.reduce((sum, v) => sum + (v - mean) ** 2, 0) / subsets;
  return { mean, std: Math.sqrt(variance) };
}

/** Unbiased squared MMD of the rows of two matrices with the kernel (x·y/d + 1)³. */
export function polynomialMmd(a: Matrix, b: Matrix): number {
  const d = a.columns;
  const kernel = (product: number): number => {
    const v = product / d + 1;
    return v * v * v;
  };
  const within = (rows: Matrix): number => {
    const products = gram(rows);
    const n = rows.rows;
    let sum = 0;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < i; j++) sum += kernel(products.data[i * n + j]);
    }
    return (2 * sum) / (n * (n - 1));
  };
  const across = timesTransposed(a, b).data.reduce((sum, v) => sum + kernel(v), 0);
  return within(a) + within(b) - (2 * across) / (a.rows * b.rows);
}

function rowsOf(values: ArrayLike<number>, d: number): number {
  const n = values.length / d;
  if (Number.isInteger(n) && n >= 2) return n;
  throw new ShapeError(
    `kernelDistance: expected at least 2 rows of ${d} features, got ${values.length} values`,
  );
}
