import { valueAndGrad } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import type { NetworkSpec } from '../models/network.ts';
import type { BoundFlow } from '../models/nice.ts';
import type { Params } from '../nn/params.ts';
import type { AdamConfig } from '../optim/adam.ts';
import { type GameState, playersIo } from './game.ts';
import type { Objective } from './objective.ts';
import { player } from './player.ts';

/** A normalised density to be fitted. */
export interface Density extends NetworkSpec {
  bind(params: Params): BoundFlow;
}

export interface MaximumLikelihoodConfig {
  readonly density: Density;
  /** Dimension of the data. */
  readonly dim: number;
  /** Samples per step. Default 128. */
  readonly batch?: number;
  /** Default: rate 1e-4, betas (0.9, 0.999). */
  readonly adam?: Partial<AdamConfig>;
}

export type MaximumLikelihoodState<L = Tensor> = GameState<'energy', L>;

/** Maximum likelihood of a normalised density: the energy is its log-density, in nats. */
export function maximumLikelihood(
  config: MaximumLikelihoodConfig,
): Objective<MaximumLikelihoodState> {
  const { density, dim, batch = 128 } = config;
  const energy = player({
    networks: { energy: density },
    adam: { learningRate: 1e-4, ...config.adam },
  });
  const flow = (flat: Tensor): BoundFlow => density.bind(energy.unpack(flat).energy);
  return {
    name: 'maximum-likelihood',
    batchShape: [batch, dim],
    noise: {},
    ...playersIo('maximum-likelihood', { energy }),
    step(state, { data }) {
      const { value, grad } = valueAndGrad((flat: Tensor) =>
        tf.neg(tf.mean(flow(flat).logDensity(data))),
      )(state.energy.params);
      return {
        state: { energy: energy.update(state.energy, grad) },
        metrics: { realEnergy: tf.neg(value) },
      };
    },
    energy: (state, x) => flow(state.energy.params).logDensity(x),
    sampleNoise: (n) => ({ y: { kind: 'normal', shape: [n, dim] } }),
    sample: (state, noise) => flow(state.energy.params).inverse(noise['y']),
  };
}
