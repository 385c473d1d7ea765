import { ShapeError } from '../core/errors.ts';
import { symmetricEigenvalues } from './eigenvalues.ts';
import { gram, type Matrix, matrix, semidefiniteFactor, timesTransposed } from './linalg.ts';

/** Mean [d] and unbiased covariance [d, d] (divided by count - 1) of a set of features. */
export interface FeatureStatistics {
  readonly count: number;
  readonly mean: Float64Array;
  readonly covariance: Matrix;
}

/**
 * Statistics of features [n, d], row-major, in float64 with the mean subtracted first.
 * @throws ShapeError when the length is no multiple of d or there are fewer than two rows.
 */
export function featureStatistics(features: ArrayLike<number>, d: number): FeatureStatistics {
  const n = features.length / d;
  if (!Number.isInteger(n) || n < 2) {
    throw new ShapeError(
      `featureStatistics: expected at least 2 rows of ${d} features, got ${features.length} values`,
    );
  }
  const mean = new Float64Array(d);
  for (let i = 0; i < n; i++) for (let j = 0; j < d; j++) mean[j] += features[i * d + j];
  for (let j = 0; j < d; j++) mean[j] /= n;
  // [d, n]: each feature along memory, as the product wants it.
  const centred = matrix(d, n);
  for (let j = 0; j < d; j++) {
    // A second pass removes the rounding error of the mean (and makes a constant exactly zero).
    let residual = 0;
    for (let i = 0; i < n; i++) {
      centred.data[j * n + i] = features[i * d + j] - mean[j];
      residual += centred.data[j * n + i];
    }
    for (let i = 0; i < n; i++) centred.data[j * n + i] -= residual / n;
  }
  const covariance = gram(centred);
  for (let k = 0; k < covariance.data.length; k++) covariance.data[k] /= n - 1;
  return { count: n, mean, covariance };
}

/**
 * The statistics of two sets together (Chan, Golub, LeVeque 1979), for features that arrive in
 * batches or lie in shards.
 */
export function mergeStatistics(a: FeatureStatistics, b: FeatureStatistics): FeatureStatistics {
  const d = sameDimension('mergeStatistics', a, b);
  const count = a.count + b.count;
  const shift = b.mean.map((v, j) => v - a.mean[j]);
  const mean = a.mean.map((v, j) => v + (shift[j] * b.count) / count);
  const between = (a.count * b.count) / count;
  const covariance = matrix(d, d);
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < d; j++) {
      const k = i * d + j;
      const scatter =
        (a.count - 1) * a.covariance.data[k] +
        (b.count - 1) * b.covariance.data[k] +
        between * shift[i] * shift[j];
      covariance.data[k] = scatter / (count - 1);
    }
  }
  return { count, mean, covariance };
}

export interface FrechetOptions {
  /**
   * Added to both diagonals inside the square root only; 0 by default. The PyTorch implementation
   * uses 1e-6 when its matrix square root is not finite, which cannot happen here.
   */
  readonly jitter?: number;
}

/**
 * The squared Frechet distance of two Gaussians (Dowson and Landau 1982; Heusel et al. 2017):
 * |mu1 - mu2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2).
 *
 * With factors S = F F^T the last trace is the sum of the singular values of F1^T F2, so that
 * rank-deficient covariances (fewer samples than features, constant or repeated features) need no
 * special case: the null space contributes exact zeros instead of square roots of rounding errors.
 * May be negative by rounding, about 1e-13 of the traces, for equal arguments.
 */
export function frechetDistance(
  a: Pick<FeatureStatistics, 'mean' | 'covariance'>,
  b: Pick<FeatureStatistics, 'mean' | 'covariance'>,
  { jitter = 0 }: FrechetOptions = {},
): number {
  const d = sameDimension('frechetDistance', a, b);
  let distance = 0;
  for (let j = 0; j < d; j++) {
    distance += (a.mean[j] - b.mean[j]) ** 2;
    distance += a.covariance.data[j * d + j] + b.covariance.data[j * d + j];
  }
  return (
    distance -
    2 * traceOfRoot(plusDiagonal(a.covariance, jitter), plusDiagonal(b.covariance, jitter))
  );
}

/** tr (S1 S2)^(1/2) for symmetric positive semidefinite matrices. */
export function traceOfRoot(s1: Matrix, s2: Matrix): number {
  const f1 = semidefiniteFactor(s1);
  const f2 = semidefiniteFactor(s2);
  const cross = f1.rows <= f2.rows ? timesTransposed(f1, f2) : timesTransposed(f2, f1);
  const squares = symmetricEigenvalues(gram(cross));
  return squares.reduce((sum, v) => sum + Math.sqrt(Math.max(v, 0)), 0);
}

function plusDiagonal(s: Matrix, jitter: number): Matrix {
  if (jitter === 0) return s;
  const data = s.data.slice();
  for (let j = 0; j < s.rows; j++) data[j * s.rows + j] += jitter;
  return matrix(s.rows, s.columns, data);
}

function sameDimension(
  name: string,
  a: Pick<FeatureStatistics, 'mean' | 'covariance'>,
  b: Pick<FeatureStatistics, 'mean' | 'covariance'>,
): number {
  const d = a.mean.length;
  for (const { rows, columns } of [a.covariance, b.covariance]) {
    if (b.mean.length !== d || rows !== d || columns !== d) {
      throw new ShapeError(
        `${name}: means of ${d} and ${b.mean.length} features, covariance ${rows} x ${columns}`,
      );
    }
  }
  return d;
}
