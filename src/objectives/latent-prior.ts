import { ConfigError } from '../core/errors.ts';
import { sumPerSample } from '../diffusion/gaussian.ts';
import { grad, stopGradient, valueAndGrad } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { type LatentDecoder, latentDecoder, latentEnergy } from '../models/latent-prior.ts';
import type { Params } from '../nn/params.ts';
import type { AdamConfig } from '../optim/adam.ts';
import { energyDiscrepancy } from './energy-discrepancy.ts';
import { type GameState, playersIo } from './game.ts';
import type { Objective } from './objective.ts';
import { player } from './player.ts';
import type { Energy } from './single-energy.ts';

export interface LatentPriorConfig {
  /** Dimension of the latent. Default 64. */
  readonly latentDim?: number;
  /** Base width of the decoder and width of the prior energy. Defaults 128 and 200. */
  readonly features?: number;
  readonly width?: number;
  /** Images per step. Default 256. */
  readonly batch?: number;
  /** t, the VARIANCE of each perturbation of the latent. Default 0.25 (the code's t_sqrt 0.5). */
  readonly variance?: number;
  /** M. Default 16. */
  readonly particles?: number;
  /** w. Default 1. */
  readonly stabiliser?: number;
  /** Langevin steps from the prior to the posterior, and their size s. Defaults 20 and 0.1. */
  readonly posteriorSteps?: number;
  readonly posteriorStep?: number;
  /** σ_x of x | z ~ N(G(z), σ_x² I). Default 0.3. */
  readonly sigma?: number;
  /** Defaults: rates 5e-5 and 1e-4, betas (0.5, 0.999). */
  readonly energyAdam?: Partial<AdamConfig>;
  readonly generatorAdam?: Partial<AdamConfig>;
  /** Decay of the average of the prior's parameters, with which it is sampled. Default 0.999. */
  readonly ema?: number;
}

export type LatentPriorState<L = Tensor> = GameState<'energy' | 'generator', L>;

export interface LatentPrior extends Objective<LatentPriorState> {
  readonly latentDim: number;
  readonly decoder: LatentDecoder;
  /** U(z) = E(z) + |z|²/2, [B]; with the averaged parameters unless `raw`. */
  priorEnergy(state: LatentPriorState, raw?: boolean): Energy;
  /** G(z), [B, 1, 28, 28]. */
  decode(state: LatentPriorState, z: Tensor): Tensor;
  /** Latents [B, m] of images after Langevin steps from `start`; `noise` is [K, B, m]. */
  posterior(state: LatentPriorState, x: Tensor, start: Tensor, noise: Tensor): Tensor;
}

/** U of a prior network: its energy and the standard Gaussian it is multiplied with. */
export function totalEnergy(energy: Energy): Energy {
  return (z) => tf.add(energy(z), tf.mul(sumPerSample(tf.square(z)), 0.5));
}

/** log p(x | z) up to a constant, [B]: −|G(z) − x|²/(2σ²). */
export function logLikelihood(decoded: Tensor, x: Tensor, sigma: number): Tensor {
  return tf.mul(sumPerSample(tf.square(tf.sub(decoded, x))), -0.5 / sigma ** 2);
}

/**
 * A latent energy-based prior for a decoder, trained by energy discrepancy (Schröder et al.,
 * NeurIPS 2023, section 5.3): p(z) ∝ exp(−U(z)), x | z ~ N(G(z), σ_x² I).
 *
 * One step draws z from the posterior by Langevin dynamics, with the parameters before the step;
 * the decoder then minimises mean |G(z) − x|² and the prior the energy discrepancy at these z. No
 * sample of the prior is needed. Both losses see the same z, so their order does not matter.
 * The Langevin gradient is taken in z alone.
 */
export function latentPrior(config: LatentPriorConfig = {}): LatentPrior {
  const { latentDim = 64, features = 128, width = 200, batch = 256, ema = 0.999 } = config;
  const { variance = 0.25, particles = 16, stabiliser = 1 } = config;
  const { posteriorSteps = 20, posteriorStep = 0.1, sigma = 0.3 } = config;
  for (const [name, value] of Object.entries({ variance, posteriorStep, sigma })) {
    if (!(value > 0)) throw new ConfigError(`latentPrior: ${name} must be positive, got ${value}`);
  }
  const decoder = latentDecoder(latentDim, features);
  const network = latentEnergy(latentDim, width);
  const betas = [0.5, 0.999] as const;
  const players = {
    energy: player({
      networks: { netE: network },
      adam: { learningRate: 5e-5, betas, ...config.energyAdam },
      ema,
    }),
    generator: player({
      networks: { netG: decoder },
      adam: { learningRate: 1e-4, betas, ...config.generatorAdam },
    }),
  };
  const energyOf = (params: Params): Energy =>
    totalEnergy((z) => tf.reshape(network.apply(params, z), [z.shape[0]]));

  const posterior: LatentPrior['posterior'] = (state, x, start, noise) => {
    const energy = energyOf(players.energy.unpack(state.energy.params).netE);
    const params = players.generator.unpack(state.generator.params).netG;
    const logDensity = (z: Tensor) =>
      tf.sub(logLikelihood(decoder.decode(params, z), x, sigma), energy(z));
    const slope = grad((z: Tensor) => tf.sum(logDensity(z)));
    let z = start;
    for (const normal of tf.unstack(noise, 0)) {
      const drift = tf.mul(slope(z), 0.5 * posteriorStep ** 2);
      z = stopGradient(tf.add(tf.add(z, drift), tf.mul(normal, posteriorStep)));
    }
    return z;
  };

  return {
    name: 'latent-prior',
    latentDim,
    decoder,
    batchShape: [batch, 1, 28, 28],
    noise: {
      start: { kind: 'normal', shape: [batch, latentDim] },
      posterior: { kind: 'normal', shape: [posteriorSteps, batch, latentDim] },
      shared: { kind: 'normal', shape: [batch, latentDim] },
      particles: { kind: 'normal', shape: [batch, particles, latentDim] },
    },
    ...playersIo('latent-prior', players),
    step(state, { data }, noise) {
      const z = stopGradient(posterior(state, data, noise['start'], noise['posterior']));
      const forGenerator = valueAndGrad((flat: Tensor) => {
        const x = decoder.decode(players.generator.unpack(flat).netG, z);
        return tf.mean(sumPerSample(tf.square(tf.sub(x, data))));
      })(state.generator.params);
      const forEnergy = valueAndGrad((flat: Tensor) =>
        energyDiscrepancy(
          energyOf(players.energy.unpack(flat).netE),
          z,
          { shared: noise['shared'], particles: noise['particles'] },
          { variance, stabiliser },
        ),
      )(state.energy.params);
      return {
        state: {
          energy: players.energy.update(state.energy, forEnergy.grad),
          generator: players.generator.update(state.generator, forGenerator.grad),
        },
        metrics: {
          reconstruction: forGenerator.value,
          discrepancy: forEnergy.value,
          // E alone, without the Gaussian: what the network has learned to tell apart.
          latentEnergy: tf.mean(network.apply(players.energy.unpack(state.energy.params).netE, z)),
          latentNorm: tf.mean(sumPerSample(tf.square(z))),
        },
      };
    },
    priorEnergy(state, raw = false) {
      const flat = raw ? state.energy.params : players.energy.averaged(state.energy);
      return energyOf(players.energy.unpack(flat).netE);
    },
    decode: (state, z) => decoder.decode(players.generator.unpack(state.generator.params).netG, z),
    posterior,
  };
}
