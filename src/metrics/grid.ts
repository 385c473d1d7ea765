import { ConfigError, NumericError, ShapeError } from '../core/errors.ts';

/**
 * A square grid of points: `size` per axis from `low` to `high` inclusive. Point (ix, iy) has index
 * iy size + ix, so that rows of a picture with its origin at the bottom are rows of y.
 */
export interface Grid {
  readonly low: number;
  readonly high: number;
  readonly size: number;
}

/** The grid of the DDAEBM toy figures: linspace(-4, 4, 100). */
export const TOY_GRID: Grid = { low: -4, high: 4, size: 100 };

/** Area that one point stands for, ((high - low) / (size - 1))^2. */
export function cellArea({ low, high, size }: Grid): number {
  return ((high - low) / (size - 1)) ** 2;
}

/** Coordinates x0, y0, x1, y1, ..., float32 for the engine: [size^2, 2]. */
export function gridPoints(grid: Grid): Float32Array {
  const { low, high, size } = grid;
  if (!Number.isInteger(size) || size < 2 || !(high > low)) {
    throw new ConfigError(
      `gridPoints: needs size >= 2 and high > low, got ${size}, ${low}, ${high}`,
    );
  }
  const axis = Float64Array.from({ length: size }, (_, i) => low + ((high - low) * i) / (size - 1));
  const out = new Float32Array(2 * size * size);
  for (let iy = 0; iy < size; iy++) {
    for (let ix = 0; ix < size; ix++) {
      out[2 * (iy * size + ix)] = axis[ix];
      out[2 * (iy * size + ix) + 1] = axis[iy];
    }
  }
  return out;
}

export interface GridDensity {
  /** Probability mass per point; sums to 1 (what the figures of DDAEBM show). */
  readonly mass: Float64Array;
  /** log of the normalised density, `logDensity - logPartition`. */
  readonly logDensity: Float64Array;
  /** log of the integral of exp over the square, sum exp(E) cellArea. */
  readonly logPartition: number;
}

/**
 * Normalises an unnormalised log-density (high on data, -infinity allowed) over a grid.
 * @throws ShapeError when the length is not size^2; NumericError for NaN, +infinity, or no mass.
 */
export function normaliseOnGrid(energy: ArrayLike<number>, grid: Grid): GridDensity {
  const n = grid.size ** 2;
  if (energy.length !== n) {
    throw new ShapeError(`normaliseOnGrid: expected ${n} values, got ${energy.length}`);
  }
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < n; i++) {
    if (Number.isNaN(energy[i])) throw new NumericError(`normaliseOnGrid: NaN at point ${i}`);
    largest = Math.max(largest, energy[i]);
  }
  if (!Number.isFinite(largest)) {
    throw new NumericError(`normaliseOnGrid: the largest log-density is ${largest}`);
  }
  let sum = 0;
  for (let i = 0; i < n; i++) sum += Math.exp(energy[i] - largest);
  const logPartition = largest + Math.log(sum * cellArea(grid));
  const logDensity = Float64Array.from(energy, (e) => e - logPartition);
  const mass = Float64Array.from(energy, (e) => Math.exp(e - largest) / sum);
  return { mass, logDensity, logPartition };
}

/**
 * KL(p || q) in nats of two laws given by log-densities on a grid, both normalised there first.
 * Points without mass under p count nothing; infinite where p has mass and q has none.
 */
export function klOnGrid(logP: ArrayLike<number>, logQ: ArrayLike<number>, grid: Grid): number {
  const p = normaliseOnGrid(logP, grid);
  const q = normaliseOnGrid(logQ, grid);
  let sum = 0;
  for (let i = 0; i < p.mass.length; i++) {
    if (p.mass[i] > 0) sum += p.mass[i] * (p.logDensity[i] - q.logDensity[i]);
  }
  return sum;
}

/** Differential entropy in nats, -int p log p over the square, of a law normalised on the grid. */
export function entropyOnGrid(logP: ArrayLike<number>, grid: Grid): number {
  const { mass, logDensity } = normaliseOnGrid(logP, grid);
  return mass.reduce((sum, m, i) => (m > 0 ? sum - m * logDensity[i] : sum), 0);
}
