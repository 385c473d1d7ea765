import { sumPerSample } from '../diffusion/gaussian.ts';
import { grad, valueAndGrad } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import type { Mlp } from '../models/mlp.ts';
import type { AdamConfig } from '../optim/adam.ts';
import type { Objective } from './objective.ts';
import {
  densityNetwork,
  type Energy,
  type SingleEnergyState,
  singleEnergyObjective,
} from './single-energy.ts';

const sumOf = (energy: Energy) => (x: Tensor) => tf.sum(energy(x));

/**
 * Explicit score matching (Hyvärinen 2005) with the exact trace: mean[ ½|∇U|² − ΔU ] for an
 * energy U = −log p + const on `x` [B, d]. d + 1 backward passes. Scalar.
 */
export function scoreMatching(energy: Energy, x: Tensor): Tensor {
  const [batch, dim] = x.shape;
  // ∂_i of (∂_i U) summed over the batch: samples do not interact, so the sum separates.
  const laplacian = Array.from({ length: dim }, (_, i) => {
    const column = (y: Tensor) => tf.sum(tf.slice(grad(sumOf(energy))(y), [0, i], [batch, 1]));
    return tf.slice(grad(column)(x), [0, i], [batch, 1]);
  });
  const gradient = grad(sumOf(energy))(x);
  const half = tf.mul(sumPerSample(tf.square(gradient)), 0.5);
  const trace = tf.sum(tf.concat(laplacian, 1), 1);
  return tf.mean(tf.sub(half, trace));
}

/**
 * Sliced score matching (Song et al. 2019): the trace replaced by vᵀ∇²U v for directions `v`
 * [B, d], standard normal. Two backward passes whatever the dimension.
 */
export function slicedScoreMatching(energy: Energy, x: Tensor, v: Tensor): Tensor {
  const directional = (y: Tensor) => {
    const g = grad(sumOf(energy))(y);
    return [tf.sum(tf.mul(g, v)), g] as const;
  };
  const { grad: hv, aux: gradient } = valueAndGrad(directional, { hasAux: true })(x);
  const half = tf.mul(sumPerSample(tf.square(gradient)), 0.5);
  return tf.mean(tf.sub(half, sumPerSample(tf.mul(hv, v))));
}

/**
 * Denoising score matching (Vincent 2011) at one noise level: mean ½|−∇U(x + σε) + ε/σ|²·σ². The
 * model learns the density of the data blurred by N(0, σ²).
 */
export function denoisingScoreMatching(
  energy: Energy,
  x: Tensor,
  noise: Tensor,
  sigma: number,
): Tensor {
  const gradient = grad(sumOf(energy))(tf.add(x, tf.mul(noise, sigma)));
  const residual = tf.sub(noise, tf.mul(gradient, sigma));
  return tf.mul(tf.mean(sumPerSample(tf.square(residual))), 0.5);
}

/** Settings that the density experiments on 2-D data share. */
export interface DensityConfig {
  /** Samples per step. Default 128. */
  readonly batch?: number;
  /** Dimension of the data. Default 2. */
  readonly dim?: number;
  /** Default 2→128→128→128→128→1, Softplus. */
  readonly network?: Mlp;
  /** Default: rate 1e-3, betas (0.9, 0.999). */
  readonly adam?: Partial<AdamConfig>;
  /** Decay of the parameter average that `energy` evaluates. Default 0.999. */
  readonly ema?: number;
}

/** Training an energy by explicit score matching. The network must be smooth (no PReLU). */
export function scoreMatchingObjective(config: DensityConfig = {}): Objective<SingleEnergyState> {
  const { batch = 128, dim = 2, ema = 0.999 } = config;
  return singleEnergyObjective({
    name: 'score-matching',
    batch,
    dim,
    network: config.network ?? densityNetwork(dim),
    adam: { learningRate: 1e-3, ...config.adam },
    ema,
    noise: {},
    loss: (energy, data) => scoreMatching(energy, data),
  });
}
