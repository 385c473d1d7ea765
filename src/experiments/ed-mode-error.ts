import { ShapeError } from '../core/errors.ts';
import { ED_CENTRES } from './ed-gaussians.ts';

/** The error of a log-density, split by what it is wrong about; nat^2. */
export interface ModeError {
  /** Mean squared error under the data. */
  readonly total: number;
  /** The part that is constant on each mode: wrong weights of the modes. */
  readonly between: number;
  /** The rest: wrong shapes. `total = between + within`. */
  readonly within: number;
}

/**
 * Splits the mean squared error of a normalised log-density of the 25 Gaussians into the variance
 * of its mean on each mode and the variance around these means (law of total variance). A point
 * belongs to its nearest centre; expectations are sums over points weighted by exp(logTruth).
 * @param points x0, y0, x1, y1, ... of an even grid; `logModel` up to a constant.
 * @throws ShapeError when the lengths do not fit.
 */
export function modeError(
  points: ArrayLike<number>,
  logModel: ArrayLike<number>,
  logTruth: ArrayLike<number>,
): ModeError {
  const n = logModel.length;
  if (n === 0 || logTruth.length !== n || points.length !== 2 * n) {
    throw new ShapeError(
      `modeError: expected ${2 * n} coordinates and ${n} values of the truth (at least one), ` +
        `got ${points.length} and ${logTruth.length}`,
    );
  }
  const weights = normalised(logTruth);
  const ratio = Float64Array.from({ length: n }, (_, i) => logModel[i] - logTruth[i]);
  const logPartition = logMean(weights, ratio);
  const modes = ED_CENTRES.length / 2;
  const mass = new Float64Array(modes);
  const sum = new Float64Array(modes);
  let total = 0;
  for (let i = 0; i < n; i++) {
    const mode = nearest(points[2 * i], points[2 * i + 1]);
    const error = ratio[i] - logPartition;
    mass[mode] += weights[i];
    sum[mode] += weights[i] * error;
    total += weights[i] * error ** 2;
  }
  const between = sum.reduce((all, s, k) => (mass[k] > 0 ? all + (s * s) / mass[k] : all), 0);
  return { total, between, within: total - between };
}

function normalised(logDensity: ArrayLike<number>): Float64Array {
  const largest = Array.from(logDensity).reduce((a, b) => Math.max(a, b));
  const mass = Float64Array.from(logDensity, (l) => Math.exp(l - largest));
  const total = mass.reduce((a, b) => a + b, 0);
  return mass.map((m) => m / total);
}

/** log of the weighted mean of exp(values). */
function logMean(weights: Float64Array, values: Float64Array): number {
  const logs = values.map((v, i) => (weights[i] > 0 ? v + Math.log(weights[i]) : -Infinity));
  const largest = logs.reduce((a, b) => Math.max(a, b));
  return largest + Math.log(logs.reduce((sum, l) => sum + Math.exp(l - largest), 0));
}

function nearest(x: number, y: number): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let k = 0; k < ED_CENTRES.length / 2; k++) {
    const square = (x - ED_CENTRES[2 * k]) ** 2 + (y - ED_CENTRES[2 * k + 1]) ** 2;
    if (square < least) [best, least] = [k, square];
  }
  return best;
}
