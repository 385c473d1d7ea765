import { normal } from '../../src/core/random.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';

/** Standard normal numbers as a tensor; the stream's name is the seed. */
export function randn(stream: string, shape: readonly number[]): Tensor {
  const n = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(normal({ seed: 7, stream, step: 0 }, n), [...shape]);
}

/**
 * The gap between ⟨gradient, v⟩ and the central difference of `f` along a random v, relative to
 * |gradient|·|v|/√n, the typical size of that product. Float32 differences: expect 1e-3 to 1e-2.
 */
export function directionalGap(
  f: (x: Tensor) => Tensor,
  gradient: Tensor,
  x: Tensor,
  step = 1e-2,
): number {
  const v = randn('direction', x.shape);
  const at = (h: number) => f(tf.add(x, tf.mul(v, h))).dataSync()[0];
  const numeric = (at(step) - at(-step)) / (2 * step);
  const exact = tf.sum(tf.mul(gradient, v)).dataSync()[0];
  const norm = (y: Tensor) => Math.sqrt(tf.sum(tf.square(y)).dataSync()[0]);
  const scale = (norm(gradient) * norm(v)) / Math.sqrt(x.size);
  return Math.abs(exact - numeric) / Math.max(1e-6, scale);
}

export function mean(x: ArrayLike<number>): number {
  let s = 0;
  for (let i = 0; i < x.length; i++) s += x[i];
  return s / x.length;
}

export function variance(x: ArrayLike<number>): number {
  const m = mean(x);
  let s = 0;
  for (let i = 0; i < x.length; i++) s += (x[i] - m) ** 2;
  return s / (x.length - 1);
}
