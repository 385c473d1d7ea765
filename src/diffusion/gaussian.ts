import { type Tensor, tf } from '../jit/tf.ts';

const LOG_2PI = Math.log(2 * Math.PI);

/** Sum over all axes but the first: [B, ...] → [B]. */
export function sumPerSample(x: Tensor): Tensor {
  const axes = x.shape.map((_, i) => i).slice(1);
  return axes.length === 0 ? x : tf.sum(x, axes);
}

/**
 * log N(r; 0, v I) per sample, [B], for residuals `r` [B, ...] with 1/(2v) = `halfPrecision` and
 * −(n/2)·log 2πv = `logNorm`, both [B, 1, ...].
 */
export function gaussianLogDensity(
  residual: Tensor,
  at: { readonly halfPrecision: Tensor; readonly logNorm: Tensor },
): Tensor {
  const batch = residual.shape[0];
  const distance = sumPerSample(tf.square(residual));
  const scaled = tf.mul(distance, tf.reshape(at.halfPrecision, [batch]));
  return tf.sub(tf.reshape(at.logNorm, [batch]), scaled);
}

/** −(n/2)·log(2πv): the constant of an n-dimensional isotropic Gaussian. */
export function gaussianLogNorm(dim: number, variance: number): number {
  return -0.5 * dim * (LOG_2PI + Math.log(variance));
}

/** KL(N(mean, e^logVariance) ‖ N(0, I)) per sample, [B], for [B, m]. */
export function klToStandardNormal(mean: Tensor, logVariance: Tensor): Tensor {
  const terms = tf.sub(tf.add(tf.square(mean), tf.exp(logVariance)), tf.add(logVariance, 1));
  return tf.mul(sumPerSample(terms), 0.5);
}

/** mean + e^{logVariance/2}·ε. */
export function reparameterise(mean: Tensor, logVariance: Tensor, noise: Tensor): Tensor {
  return tf.add(mean, tf.mul(tf.exp(tf.mul(logVariance, 0.5)), noise));
}
