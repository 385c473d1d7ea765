import { grad, stopGradient } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import type { Objective } from './objective.ts';
import type { DensityConfig } from './score-matching.ts';
import {
  densityNetwork,
  type Energy,
  type SingleEnergyState,
  singleEnergyObjective,
} from './single-energy.ts';

export interface ContrastiveDivergenceConfig {
  /** ε of x ← x − ½ε∇U + √ε·noise. 0.01 in the 2-D density experiment. */
  readonly stepSize: number;
  /** Weight of mean(U(x⁺)² + U(x⁻)²), which keeps the energies near zero. 0.3 there. */
  readonly regularisation: number;
}

/**
 * Contrastive divergence: the chain starts at the data, K steps; loss mean(U(x⁺) − U(x⁻)) plus
 * the regulariser, no gradient through the chain. `noise` is [K, B, ...]. Scalar.
 */
export function contrastiveDivergence(
  energy: Energy,
  data: Tensor,
  noise: Tensor,
  config: ContrastiveDivergenceConfig,
): Tensor {
  const negative = chain(energy, data, noise, config.stepSize);
  const positiveEnergy = energy(data);
  const negativeEnergy = energy(negative);
  const contrast = tf.mean(tf.sub(positiveEnergy, negativeEnergy));
  const size = tf.mean(tf.add(tf.square(positiveEnergy), tf.square(negativeEnergy)));
  return tf.add(contrast, tf.mul(size, config.regularisation));
}

function chain(energy: Energy, start: Tensor, noise: Tensor, stepSize: number): Tensor {
  const force = grad((x: Tensor) => tf.sum(energy(x)));
  let x = stopGradient(start);
  for (const row of tf.unstack(noise, 0)) {
    const drift = tf.mul(force(x), -0.5 * stepSize);
    x = stopGradient(tf.add(tf.add(x, drift), tf.mul(row, Math.sqrt(stepSize))));
  }
  return x;
}

/** Training an energy by contrastive divergence: 10 steps from the data by default. */
export function contrastiveDivergenceObjective(
  config: DensityConfig & Partial<ContrastiveDivergenceConfig> & { readonly steps?: number } = {},
): Objective<SingleEnergyState> {
  const { batch = 128, dim = 2, ema = 0.999, steps = 10 } = config;
  const { stepSize = 0.01, regularisation = 0.3 } = config;
  return singleEnergyObjective({
    name: 'contrastive-divergence',
    batch,
    dim,
    network: config.network ?? densityNetwork(dim),
    adam: { learningRate: 1e-3, ...config.adam },
    ema,
    noise: { chain: { kind: 'normal', shape: [steps, batch, dim] } },
    loss: (energy, data, noise) =>
      contrastiveDivergence(energy, data, noise['chain'], { stepSize, regularisation }),
  });
}
