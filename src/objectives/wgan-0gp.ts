import { valueAndGrad } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { energyLoss, type GameState, playersIo } from './game.ts';
import type { Objective } from './objective.ts';
import { player } from './player.ts';
import { type ToyGameConfig, toyGame } from './toy-game.ts';

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
  const players = {
    energy: player({ networks: { energy: game.energyNet }, adam: game.energyAdam }),
    generator: player({ networks: { generator: game.generatorNet }, adam: game.generatorAdam }),
  };

  return {
    name: 'wgan-0gp',
    batchShape: [batch, dim],
    noise: { z: { kind: 'normal', shape: [batch, latentDim] } },
    ...playersIo('wgan-0gp', players),
    step(state, { data }, noise) {
      const before = players.generator.unpack(state.generator.params).generator;
      const fake = game.generate(before, noise['z']);
      const forEnergy = valueAndGrad(
        (flat: Tensor) =>
          energyLoss(
            game.energy(players.energy.unpack(flat).energy),
            data,
            fake,
            gamma / 2,
            fakeWeight,
          ),
        { hasAux: true },
      )(state.energy.params);
      const energy = players.energy.update(state.energy, forEnergy.grad);
      const f = game.energy(players.energy.unpack(energy.params).energy);
      const forGenerator = valueAndGrad(
        (flat: Tensor) => {
          const collect: Record<string, Tensor> = {};
          const params = players.generator.unpack(flat).generator;
          const x = game.generate(params, noise['z'], { kind: 'batch', collect });
          return [tf.neg(tf.mean(f(x))), collect] as const;
        },
        { hasAux: true },
      )(state.generator.params);
      const generator = players.generator.update(state.generator, forGenerator.grad, {
        generator: [forGenerator.aux],
      });
      return {
        state: { energy, generator },
        metrics: {
          energyLoss: forEnergy.value,
          ...forEnergy.aux,
          generatorLoss: forGenerator.value,
        },
      };
    },
    energy: (state, x) => game.energy(players.energy.unpack(state.energy.params).energy)(x),
    sampleNoise: (n) => ({ z: { kind: 'normal', shape: [n, latentDim] } }),
    sample: (state, noise) =>
      game.generate(players.generator.unpack(state.generator.params).generator, noise['z']),
  };
}
