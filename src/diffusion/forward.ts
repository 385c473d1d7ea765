import { type Tensor, tf } from '../jit/tf.ts';
import { gaussianLogDensity } from './gaussian.ts';

/** Coefficients of the forward process for each sample's level t, all [B, 1, ...]. */
export interface ForwardAt {
  /** √ᾱ_t and √(1−ᾱ_t). */
  readonly aCum: Tensor;
  readonly sigmaCum: Tensor;
  /** √(1−β_{t+1}) and √β_{t+1}. */
  readonly aNext: Tensor;
  readonly sigmaNext: Tensor;
}

/** A draw from q(x_t | x_data): √ᾱ_t·x_data + √(1−ᾱ_t)·ε. */
export function qSample(
  at: Pick<ForwardAt, 'aCum' | 'sigmaCum'>,
  data: Tensor,
  noise: Tensor,
): Tensor {
  return tf.add(tf.mul(data, at.aCum), tf.mul(noise, at.sigmaCum));
}

/** One forward step x_{t+1} = √(1−β_{t+1})·x_t + √β_{t+1}·ε, eq. (4). */
export function qStep(
  at: Pick<ForwardAt, 'aNext' | 'sigmaNext'>,
  x: Tensor,
  noise: Tensor,
): Tensor {
  return tf.add(tf.mul(x, at.aNext), tf.mul(noise, at.sigmaNext));
}

/** A training pair: x_t from the data, then x_{t+1} from x_t with independent noise. */
export function diffusePair(
  at: ForwardAt,
  data: Tensor,
  noise: { readonly x: Tensor; readonly xNext: Tensor },
): { readonly x: Tensor; readonly xNext: Tensor } {
  const x = qSample(at, data, noise.x);
  return { x, xNext: qStep(at, x, noise.xNext) };
}

/**
 * log q(x_{t+1} | x_t) = log N(x_{t+1}; a_{t+1}x_t, β_{t+1} I) per sample, [B], constant included.
 * `halfPrecision` is 1/(2β_{t+1}), `logNorm` −(n/2)·log 2πβ_{t+1}.
 */
export function logForward(
  at: {
    readonly aNext: Tensor;
    readonly halfPrecision: Tensor;
    readonly logNorm: Tensor;
  },
  x: Tensor,
  xNext: Tensor,
): Tensor {
  return gaussianLogDensity(tf.sub(xNext, tf.mul(x, at.aNext)), at);
}

/** Its gradient in x_t, (a_{t+1}/β_{t+1})·(x_{t+1} − a_{t+1}x_t), with `pull` = a_{t+1}/β_{t+1}. */
export function logForwardGradient(
  at: { readonly aNext: Tensor; readonly pull: Tensor },
  x: Tensor,
  xNext: Tensor,
): Tensor {
  return tf.mul(tf.sub(xNext, tf.mul(x, at.aNext)), at.pull);
}
