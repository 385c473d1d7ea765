import { fromNextRank } from '../jit/ranks.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { mlp } from '../models/mlp.ts';
import type { Params } from '../nn/params.ts';
import { endOfStep, energyLoss, type GameState, type Turn, turn } from './game.ts';
import type { Objective } from './objective.ts';
import {
  type EnergyMap,
  energyOf,
  latentGame,
  type ToyGameConfig,
  toyGame,
  toyPlayers,
} from './toy-game.ts';

export interface MegConfig extends ToyGameConfig {
  /** λ of λ·E|∇E|² on real data, without ½. Default 0.1 (toy). */
  readonly lambda?: number;
  /** Energy steps per generator step. Default 5. */
  readonly energySteps?: number;
  /** Weight of the generated samples in the energy's loss; 0.1 with a normalised energy. */
  readonly fakeWeight?: number;
  /** H: [dim + latent] → 1, whether sample and latent belong together. */
  readonly statistics?: EnergyMap;
}

/**
 * Maximum entropy generators (Kumar et al. 2019). The entropy of the sampler is raised through the
 * mutual information of its latent and its output, estimated by a discriminator H between pairs
 * (G(z), z) and shuffled ones (Deep InfoMax): generator and H minimise
 * E E(G(z)) + BCE(H(G(z), z) → 1, H(G(z), z̄) → 0).
 */
export function meg(config: MegConfig = {}): Objective<GameState<'energy' | 'generator'>> {
  const { lambda = 0.1, energySteps = 5, fakeWeight = 1 } = config;
  const game = toyGame('meg', config);
  const { batch, dim, latentDim, width } = game;
  const statisticsNet = config.statistics ?? mlp({ widths: [dim + latentDim, width, width, 1] });
  const players = toyPlayers(game, { statistics: statisticsNet });
  const density = energyOf(game, players);

  /** The loss of H: log 2 when it tells nothing apart, 0 when everything. */
  const informationLoss = (params: Params, x: Tensor, z: Tensor) => {
    // A batch of independent latents rotated by one is as good as any shuffle, and has no fixed
    // point.
    const shuffled = tf.concat([
      tf.slice(z, [1, 0], [batch - 1, latentDim]),
      fromNextRank(tf.slice(z, [0, 0], [1, latentDim])),
    ]);
    const logit = (latent: Tensor) => statisticsNet.apply(params, tf.concat([x, latent], 1));
    const joint = tf.mean(tf.softplus(tf.neg(logit(z))));
    const marginal = tf.mean(tf.softplus(logit(shuffled)));
    return tf.mul(tf.add(joint, marginal), 0.5);
  };

  return {
    ...latentGame('meg', game, players),
    batchShape: [energySteps * batch, dim],
    batches: energySteps,
    noise: { z: { kind: 'normal', shape: [energySteps + 1, batch, latentDim] } },
    step(state, { data }, noise) {
      const latents = tf.unstack(noise['z'], 0);
      const parts = energySteps === 1 ? [data] : tf.split(data, energySteps, 0);
      const before = players.generator.unpack(state.generator.params).generator;
      const turns: Turn[] = [];
      parts.forEach((part, i) => {
        const fake = game.generate(before, latents[i]);
        const current = turns.at(-1)?.state ?? state.energy;
        turns.push(
          turn(players.energy, current, (networks) =>
            energyLoss(game.energy(networks.energy), part, fake, lambda, fakeWeight),
          ),
        );
      });
      const energy = turns[turns.length - 1];
      const f = density(energy.state);
      const z = latents[energySteps];
      const generator = turn(players.generator, state.generator, (networks) => {
        const collect: Record<string, Tensor> = {};
        const x = game.generate(networks.generator, z, { kind: 'batch', collect });
        const information = informationLoss(networks.statistics, x, z);
        const loss = tf.sub(information, tf.mean(f(x)));
        return [loss, { information }, { generator: [collect] }];
      });
      return endOfStep(energy, generator);
    },
  };
}
