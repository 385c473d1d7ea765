import { type Tensor, tf } from '../jit/tf.ts';
import { gaussianLogDensity } from './gaussian.ts';
import type { Schedule } from './schedule.ts';

/**
 * q(x_t | x_{t+1}, x_data) = N(c1[t]·x_data + c2[t]·x_{t+1}, β̃_t I), t = 0..T−1, in float64
 * (section 3 of the method; β_0 is kept, unlike in DDGAN).
 */
export interface PosteriorCoefficients {
  readonly c1: Float64Array;
  readonly c2: Float64Array;
  /** β̃_t. */
  readonly variance: Float64Array;
  /** Of the variance used for sampling: log β̃_t, or log max(β̃_t, 1e-4) in the image code. */
  readonly logVariance: Float64Array;
}

/** `toy`: β̃_t as it is. `image`: at least 1e-4, which affects LSUN at t = 0 only. */
export type PosteriorConvention = 'toy' | 'image';

const IMAGE_MIN_VARIANCE = 1e-4;

export function posteriorCoefficients(
  schedule: Schedule,
  convention: PosteriorConvention = 'toy',
): PosteriorCoefficients {
  const { betas, alphaBars, a, aCum, steps } = schedule;
  const each = (f: (t: number) => number) => Float64Array.from({ length: steps }, (_, t) => f(t));
  const variance = each((t) => (betas[t + 1] * (1 - alphaBars[t])) / (1 - alphaBars[t + 1]));
  const floor = convention === 'image' ? IMAGE_MIN_VARIANCE : 0;
  return {
    c1: each((t) => (betas[t + 1] * aCum[t]) / (1 - alphaBars[t + 1])),
    c2: each((t) => ((1 - alphaBars[t]) * a[t + 1]) / (1 - alphaBars[t + 1])),
    variance,
    logVariance: variance.map((v) => Math.log(Math.max(v, floor))),
  };
}

/** What a Gaussian step needs per sample; each [B, 1, ...] or a number. */
export interface PosteriorAt {
  readonly c1: Tensor;
  readonly c2: Tensor;
}

/** Mean of the posterior for a predicted `clean` [B, ...] and `xNext` [B, ...]. */
export function posteriorMean(at: PosteriorAt, clean: Tensor, xNext: Tensor): Tensor {
  return tf.add(tf.mul(clean, at.c1), tf.mul(xNext, at.c2));
}

/**
 * A draw x_t = mean + std·ε. `std` is 0 at t = 0, in training as in generation: the released code
 * does not add the (tiny) noise of the last step.
 */
export function samplePosterior(
  at: PosteriorAt & { readonly std: Tensor },
  clean: Tensor,
  xNext: Tensor,
  noise: Tensor,
): Tensor {
  return tf.add(posteriorMean(at, clean, xNext), tf.mul(noise, at.std));
}

/**
 * log q(x_t | x_{t+1}, clean) with variance `at.variance` (floored by the caller), constant
 * included, summed over all dimensions: [B].
 */
export function logPosterior(
  at: PosteriorAt & { readonly halfPrecision: Tensor; readonly logNorm: Tensor },
  x: Tensor,
  clean: Tensor,
  xNext: Tensor,
): Tensor {
  return gaussianLogDensity(tf.sub(x, posteriorMean(at, clean, xNext)), at);
}

/**
 * Variance inside the reconstruction likelihood. Toy code: max(β̃_t, 0.01). Image code:
 * max(β̃_t, 1e-4) but at least that of t = 1, because at t = 0 the true one is ~1e-4 and its
 * inverse would drown every other term.
 */
export function reconstructionVariance(
  logVariance: ArrayLike<number>,
  floor: number | 'second',
): Float64Array {
  const v = Float64Array.from(logVariance, Math.exp);
  const least = floor === 'second' ? v[Math.min(1, v.length - 1)] : floor;
  return v.map((x) => Math.max(x, least));
}

/**
 * Eq. (21): w(τ) = w·τ^{log_½(wMid/w)}, so w(1) = w and w(½) = wMid. Evaluated at τ_{t+1}; (1, 1)
 * gives weight 1 everywhere, LSUN uses (0.6, 0.2).
 */
export function recoveryWeights(
  times: ArrayLike<number>,
  weight: number,
  middle: number,
): Float64Array {
  const exponent = Math.log(middle / weight) / Math.log(0.5);
  return Float64Array.from(times, (tau) => weight * tau ** exponent);
}
