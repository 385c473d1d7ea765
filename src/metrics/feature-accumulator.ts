import { ShapeError } from '../core/errors.ts';
import type { FeatureStatistics } from './fid.ts';
import { gram, matrix } from './linalg.ts';

/** Rows that are gathered before they enter the covariance: one product of matrices for all. */
const ROWS = 256;

/**
 * Mean and covariance of features that arrive in batches, in float64 and in memory that does not
 * grow with their number (Chan, Golub, LeVeque 1979).
 */
export class FeatureAccumulator {
  readonly size: number;
  #count = 0;
  readonly #mean: Float64Array;
  /** Sums of products of deviations from the mean; upper triangle and diagonal. */
  readonly #scatter: Float64Array;
  readonly #waiting: Float64Array;
  #rows = 0;

  /** @throws ShapeError when `size` is no positive whole number. */
  constructor(size: number) {
    if (!Number.isInteger(size) || size < 1) {
      throw new ShapeError(`FeatureAccumulator: ${size} is no number of features`);
    }
    this.size = size;
    this.#mean = new Float64Array(size);
    this.#scatter = new Float64Array(size * size);
    this.#waiting = new Float64Array(ROWS * size);
  }

  /** Rows added so far. */
  get count(): number {
    return this.#count + this.#rows;
  }

  /** Adds rows [n, size]. @throws ShapeError when the length is no multiple of the size. */
  add(features: ArrayLike<number>): this {
    const { size } = this;
    if (features.length % size !== 0) {
      throw new ShapeError(
        `FeatureAccumulator: ${features.length} values are no rows of ${size} features`,
      );
    }
    for (let at = 0; at < features.length; at += size) {
      for (let j = 0; j < size; j++) this.#waiting[this.#rows * size + j] = features[at + j];
      this.#rows++;
      if (this.#rows === ROWS) this.#merge();
    }
    return this;
  }

  /** @throws ShapeError with fewer than two rows. */
  statistics(): FeatureStatistics {
    this.#merge();
    const { size } = this;
    if (this.#count < 2) {
      throw new ShapeError(
        `FeatureAccumulator: a covariance needs at least 2 rows, there are ${this.#count}`,
      );
    }
    const covariance = matrix(size, size);
    for (let i = 0; i < size; i++) {
      for (let j = i; j < size; j++) {
        const value = this.#scatter[i * size + j] / (this.#count - 1);
        covariance.data[i * size + j] = value;
        covariance.data[j * size + i] = value;
      }
    }
    return { count: this.#count, mean: this.#mean.slice(), covariance };
  }

  #merge(): void {
    const { size } = this;
    const n = this.#rows;
    if (n === 0) return;
    const mean = new Float64Array(size);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < size; j++) mean[j] += this.#waiting[i * size + j] / n;
    }
    const centred = matrix(size, n);
    for (let j = 0; j < size; j++) {
      for (let i = 0; i < n; i++) centred.data[j * n + i] = this.#waiting[i * size + j] - mean[j];
    }
    const within = gram(centred).data;
    const count = this.#count + n;
    const between = (this.#count * n) / count;
    const shift = mean.map((v, j) => v - this.#mean[j]);
    for (let i = 0; i < size; i++) {
      const factor = between * shift[i];
      for (let j = i; j < size; j++) {
        this.#scatter[i * size + j] += within[i * size + j] + factor * shift[j];
      }
      this.#mean[i] += (shift[i] * n) / count;
    }
    this.#count = count;
    this.#rows = 0;
  }
}
