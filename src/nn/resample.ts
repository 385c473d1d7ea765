import { ConfigError, ShapeError } from '../core/errors.ts';
import { type Tensor, tf } from '../jit/tf.ts';

/*
 * Resampling by a fixed kernel is linear, and along one axis a product with a banded matrix; a
 * kernel of rank one is two such products. Matrix products run far faster than sparse windows do,
 * and their derivatives are matrix products again.
 */

/** A kernel as rows of taps, [kh][kw]. */
export type Kernel = readonly (readonly number[])[];

export interface FirOptions {
  /** Zeros are inserted so that the image grows by this factor. Default 1. */
  readonly up?: number;
  /** Every `down`-th sample is kept. Default 1. */
  readonly down?: number;
  /** Zeros before and after, on both axes; negative numbers crop. Default [0, 0]. */
  readonly pad?: readonly [number, number];
}

/** The taps of NCSN++ along one axis, a binomial low-pass. */
export const FIR_TAPS: readonly number[] = [1, 3, 3, 1];

/** outer(taps, taps), scaled to sum to `gain`. */
export function separableKernel(taps: readonly number[] = FIR_TAPS, gain = 1): Kernel {
  const sum = taps.reduce((a, b) => a + b, 0);
  return taps.map((a) => taps.map((b) => (a * b * gain) / sum ** 2));
}

/**
 * Upsample, filter, downsample `x` [B, C, H, W]: insert zeros, pad, convolve with `kernel` (a true
 * convolution: the kernel is turned by 180°), keep every `down`-th sample. Channel by channel.
 * @throws ShapeError when nothing would be left; ConfigError for factors below 1.
 */
export function upfirdn2d(x: Tensor, kernel: Kernel, options: FirOptions = {}): Tensor {
  const { up = 1, down = 1, pad = [0, 0] } = options;
  if (![up, down].every((f) => Number.isInteger(f) && f >= 1)) {
    throw new ConfigError(`upfirdn2d: up and down must be integers from 1, got ${up} and ${down}`);
  }
  if (x.rank !== 4) throw new ShapeError(`upfirdn2d: x must be [B, C, H, W], got [${x.shape}]`);
  const [, , height, width] = x.shape;
  const parts = rankOne(kernel).map(({ column, row }) =>
    applySeparable(
      x,
      resamplingMatrix(column, height, { up, down, pad }),
      resamplingMatrix(row, width, { up, down, pad }),
    ),
  );
  return parts.reduce((sum, part) => tf.add(sum, part));
}

/** R·x·Cᵀ for every channel of every image. */
function applySeparable(x: Tensor, rows: Tensor, columns: Tensor): Tensor {
  return tf.matMul(rows, tf.matMul(x, columns, false, true));
}

/** [out, in]: what one axis of length `size` becomes under zero insertion, padding and taps. */
function resamplingMatrix(
  taps: readonly number[],
  size: number,
  { up, down, pad: [before, after] }: Required<FirOptions>,
): Tensor {
  const length = Math.floor((size * up + before + after - taps.length) / down) + 1;
  if (length < 1) {
    throw new ShapeError(
      `upfirdn2d: an axis of ${size} is too short for ${taps.length} taps with padding ${before}, ${after}`,
    );
  }
  const values = new Float32Array(length * size);
  for (let i = 0; i < length; i++) {
    taps.forEach((_, k) => {
      const at = i * down + k - before;
      const source = at / up;
      if (at < 0 || !Number.isInteger(source) || source >= size) return;
      values[i * size + source] += taps[taps.length - 1 - k];
    });
  }
  return tf.tensor2d(values, [length, size]);
}

/** The kernel as one outer product if it is one, else one per row. */
function rankOne(kernel: Kernel): { column: readonly number[]; row: readonly number[] }[] {
  const size = (v: readonly number[]) => v.reduce((m, t) => Math.max(m, Math.abs(t)), 0);
  const largest = kernel.reduce((best, row) => (size(row) > size(best) ? row : best));
  const pivot = largest.findIndex((t) => Math.abs(t) === size(largest));
  const column = kernel.map((row) => row[pivot] / largest[pivot]);
  const separable = kernel.every((row, i) =>
    row.every((t, j) => Math.abs(t - column[i] * largest[j]) <= 1e-7 * size(largest)),
  );
  if (separable) return [{ column, row: largest }];
  return kernel.map((row, i) => ({ column: kernel.map((_, j) => (i === j ? 1 : 0)), row }));
}

/** `fir`: binomial low-pass; `box`: nearest neighbour up, mean of 2×2 down. */
export type ResampleFilter = 'fir' | 'box';

/** Twice the height and width: [B, C, H, W] → [B, C, 2H, 2W]. */
export function upsample2(x: Tensor, filter: ResampleFilter, taps = FIR_TAPS): Tensor {
  if (filter === 'box') return upfirdn2d(x, separableKernel([1, 1], 4), { up: 2, pad: [1, 0] });
  const surplus = taps.length - 2;
  const pad = [Math.floor((surplus + 1) / 2) + 1, Math.floor(surplus / 2)] as const;
  return upfirdn2d(x, separableKernel(taps, 4), { up: 2, pad });
}

/** Half the height and width: [B, C, H, W] → [B, C, H/2, W/2]. */
export function downsample2(x: Tensor, filter: ResampleFilter, taps = FIR_TAPS): Tensor {
  if (filter === 'box') return upfirdn2d(x, separableKernel([1, 1]), { down: 2 });
  const surplus = taps.length - 2;
  const pad = [Math.floor((surplus + 1) / 2), Math.floor(surplus / 2)] as const;
  return upfirdn2d(x, separableKernel(taps), { down: 2, pad });
}
