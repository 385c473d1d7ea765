import { type Tensor, tf } from '../jit/tf.ts';
import { endOfStep, energyLoss, type GameState, turn } from './game.ts';
import type { Objective } from './objective.ts';
import { energyOf, latentGame, type ToyGameConfig, toyGame, toyPlayers } from './toy-game.ts';

export interface Wgan0gpConfig extends ToyGameConfig {
  /** γ of (γ/2)·E|∇f|² on real data. Default 0.1, as VERA's runs. */
  readonly gamma?: number;
  /** Weight of the generated samples in the critic's loss; 0.1 with a normalised energy. */
  readonly fakeWeight?: number;
}

/**
 * WGAN with a zero-centred gradient penalty on real data: an adversarial energy-based model
 * without the entropy of its sampler. Critic: max E f(x) − E f(G(z)) − (γ/2)E|∇f(x)|²; generator:
 * max E f(G(z)).
 */
export function wgan0gp(config: Wgan0gpConfig = {}): Objective<GameState<'energy' | 'generator'>> {
  const { gamma = 0.1, fakeWeight = 1 } = config;
  const game = toyGame('wgan-0gp', config);
  const { batch, dim, latentDim } = game;
  const players = toyPlayers(game);
  const density = energyOf(game, players);

  return {
    ...latentGame('wgan-0gp', game, players),
    batchShape: [batch, dim],
    noise: { z: { kind: 'normal', shape: [batch, latentDim] } },
    step(state, { data }, noise) {
      const before = players.generator.unpack(state.generator.params).generator;
      const fake = game.generate(before, noise['z']);
      const energy = turn(players.energy, state.energy, (networks) =>
        energyLoss(game.energy(networks.energy), data, fake, gamma / 2, fakeWeight),
      );
      const f = density(energy.state);
      const generator = turn(players.generator, state.generator, (networks) => {
        const collect: Record<string, Tensor> = {};
        const x = game.generate(networks.generator, noise['z'], { kind: 'batch', collect });
        return [tf.neg(tf.mean(f(x))), {}, { generator: [collect] }];
      });
      return endOfStep(energy, generator);
    },
  };
}
