import { ShapeError } from '../core/errors.ts';
import { type Tensor, tf } from '../jit/tf.ts';

const MAX_PERIOD = 10000;

/** Angular frequencies ω_i = 10000^(−i/(half−1)), i = 0..half−1. */
export function sinusoidalFrequencies(half: number): Float64Array {
  // A single frequency divides by zero in the formula; the reference then yields ω_0 = 1.
  const last = Math.max(1, half - 1);
  return Float64Array.from({ length: half }, (_, i) => MAX_PERIOD ** (-i / last));
}

/**
 * Sinusoidal embedding of integer or real times `t` [B]: all sines, then all cosines,
 * [sin(tω_0)..sin(tω_{d/2−1}), cos(tω_0)..], zero-padded to `dim` when odd. The denominator of
 * the exponent is d/2−1 and `t` is the step index, not a time in [0,1] (DDPM; all networks of
 * DDAEBM). Result [B, dim].
 * @throws ShapeError when `dim` is below 2 or `t` is not a vector.
 */
export function sinusoidalEmbedding(t: Tensor, dim: number): Tensor {
  checkDim('sinusoidalEmbedding', dim);
  if (t.rank !== 1) {
    throw new ShapeError(`sinusoidalEmbedding: t must be a vector [B], got shape [${t.shape}]`);
  }
  const half = Math.floor(dim / 2);
  const frequencies = tf.tensor2d(Float32Array.from(sinusoidalFrequencies(half)), [1, half]);
  const angles = tf.mul(tf.reshape(tf.cast(t, 'float32'), [-1, 1]), frequencies);
  const parts = [tf.sin(angles), tf.cos(angles)];
  if (dim % 2 === 1) parts.push(tf.zeros([t.shape[0], 1]));
  return tf.concat(parts, 1);
}

/**
 * The embedding of the levels given as numbers: a constant [levels.length, dim], computed in
 * float64, that costs nothing at run time. For a tensor of levels, `sinusoidalEmbedding`.
 */
export function embedLevels(levels: readonly number[] | Tensor, dim: number): Tensor {
  if (!Array.isArray(levels)) return sinusoidalEmbedding(levels as Tensor, dim);
  checkDim('embedLevels', dim);
  const half = Math.floor(dim / 2);
  const frequencies = sinusoidalFrequencies(half);
  const values = new Float32Array(levels.length * dim);
  levels.forEach((t: number, row) => {
    for (let i = 0; i < half; i++) {
      values[row * dim + i] = Math.sin(t * frequencies[i]);
      values[row * dim + half + i] = Math.cos(t * frequencies[i]);
    }
  });
  return tf.tensor2d(values, [levels.length, dim]);
}

function checkDim(caller: string, dim: number): void {
  if (!Number.isInteger(dim) || dim < 2) {
    throw new ShapeError(`${caller}: dim must be an integer of at least 2, got ${dim}`);
  }
}

/**
 * Random Fourier features [sin(2πtW), cos(2πtW)] of real times `t` [B] with frequencies `w` [d/2]
 * that are drawn once and not trained (Tancik et al. 2020): [B, d].
 */
export function fourierProjection(t: Tensor, w: Tensor): Tensor {
  const column = tf.reshape(tf.cast(t, 'float32'), [-1, 1]);
  const angles = tf.mul(tf.mul(column, tf.reshape(w, [1, -1])), 2 * Math.PI);
  return tf.concat([tf.sin(angles), tf.cos(angles)], 1);
}
