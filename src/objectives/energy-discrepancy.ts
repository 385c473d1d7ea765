import { ConfigError } from '../core/errors.ts';
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

/** Noise of one evaluation. */
export interface DiscrepancyNoise {
  /** One draw per data point, shared by its particles: [B, ...]. */
  readonly shared: Tensor;
  /** [B, M, ...]. */
  readonly particles: Tensor;
}

export interface DiscrepancyConfig {
  /** t, the VARIANCE of each of the two perturbations. */
  readonly variance: number;
  /** w ≥ 0: bounds the loss of a point from below by log(w/M). 0 leaves it out. Default 1. */
  readonly stabiliser?: number;
  /**
   * Subtract log M, as the paper's estimator has it. The released code does not, which shifts the
   * value and changes no gradient. Default false.
   */
  readonly normalised?: boolean;
}

/**
 * The parameter called t means a variance in the paper, but multiplies the noise itself in the
 * released 2-D density experiment ("t = 50" is a variance of 2500).
 */
export function varianceOfScale(scale: number): number {
  return scale * scale;
}

/**
 * Stabilised energy discrepancy (Schröder et al., NeurIPS 2023, section 4):
 * mean_i log( w/M + (1/M) Σ_j exp(U(x_i) − U(x̃_ij)) ), x̃_ij = x_i + √t ξ_i + √t ξ′_ij.
 * All M perturbed points are evaluated as one batch. Scalar.
 */
export function energyDiscrepancy(
  energy: Energy,
  data: Tensor,
  noise: DiscrepancyNoise,
  config: DiscrepancyConfig,
): Tensor {
  const { variance, stabiliser = 1, normalised = false } = config;
  const [batch, particles] = noise.particles.shape;
  const point = data.shape.slice(1);
  const std = Math.sqrt(variance);
  const centre = tf.reshape(tf.add(data, tf.mul(noise.shared, std)), [batch, 1, ...point]);
  const perturbed = tf.add(centre, tf.mul(noise.particles, std));
  const negative = energy(tf.reshape(perturbed, [batch * particles, ...point]));
  const gaps = tf.sub(
    tf.reshape(energy(data), [batch, 1]),
    tf.reshape(negative, [batch, particles]),
  );
  const entries =
    stabiliser === 0 ? gaps : tf.concat([gaps, tf.fill([batch, 1], Math.log(stabiliser))], 1);
  const loss = tf.mean(tf.logSumExp(entries, 1));
  return normalised ? tf.sub(loss, Math.log(particles)) : loss;
}

export interface EnergyDiscrepancyConfig extends DiscrepancyConfig {
  /** Samples per step. Default 128. */
  readonly batch?: number;
  /** M. Default 4. */
  readonly particles?: number;
  /** Dimension of the data. Default 2. */
  readonly dim?: number;
  /** The energy network. Default 2→128→128→128→128→1, Softplus. */
  readonly network?: Mlp;
  /** Default: rate 1e-3, betas (0.9, 0.999). */
  readonly adam?: Partial<AdamConfig>;
  /** Decay of the parameter average that `energy` evaluates. Default 0.999. */
  readonly ema?: number;
}

/** Training an energy by energy discrepancy; defaults of the 25-Gaussian density experiment. */
export function energyDiscrepancyObjective(
  config: EnergyDiscrepancyConfig,
): Objective<SingleEnergyState> {
  const { batch = 128, particles = 4, dim = 2, ema = 0.999 } = config;
  if (!(config.variance > 0)) {
    throw new ConfigError(
      `energyDiscrepancyObjective: variance must be positive, got ${config.variance}`,
    );
  }
  if (!((config.stabiliser ?? 1) >= 0)) {
    throw new ConfigError(
      `energyDiscrepancyObjective: stabiliser must not be negative, got ${config.stabiliser}`,
    );
  }
  return singleEnergyObjective({
    name: 'energy-discrepancy',
    batch,
    dim,
    network: config.network ?? densityNetwork(dim),
    adam: { learningRate: 1e-3, ...config.adam },
    ema,
    noise: {
      shared: { kind: 'normal', shape: [batch, dim] },
      particles: { kind: 'normal', shape: [batch, particles, dim] },
    },
    loss: (energy, data, noise) =>
      energyDiscrepancy(
        energy,
        data,
        { shared: noise['shared'], particles: noise['particles'] },
        config,
      ),
  });
}
