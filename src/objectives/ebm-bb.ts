import { ConfigError } from '../core/errors.ts';
import { sumPerSample } from '../diffusion/gaussian.ts';
import { grad, stopGradient, valueAndGrad } from '../jit/grad.ts';
import { rankMean } from '../jit/ranks.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import type { NormMode } from '../nn/batch-norm.ts';
import type { Params } from '../nn/params.ts';
import { endOfStep, type GameState, turn } from './game.ts';
import type { Objective } from './objective.ts';
import { energyOf, latentGame, type ToyGameConfig, toyGame, toyPlayers } from './toy-game.ts';

export interface EbmBbConfig extends ToyGameConfig {
  /**
   * Entropy of the sampler up to a constant: `determinant` ½ log det JᵀJ, or its lower bound
   * `smallest` m·log s_min(J). Default `smallest`.
   */
  readonly entropy?: 'smallest' | 'determinant';
  /** w and τ of relu(w·P − τ). Defaults 0.001 and 1 (toy). */
  readonly boundWeight?: number;
  readonly boundMargin?: number;
  /** Weight of the entropy in the generator's loss. Default 1. */
  readonly entropyWeight?: number;
}

/** Keeps logarithms and roots of a singular Jacobian finite. */
const EPS = 1e-6;

/**
 * Bidirectional bounds (Geng et al. 2021). The generator raises a LOWER bound of the
 * log-likelihood: E f(G(z)) plus its entropy from the change of variables, with J = ∂G/∂z; the
 * energy lowers an UPPER bound: −E f(x) + E f(G(z)) + relu(w·P − τ), where
 * P = ½E(⟨−∇f(G(z)), Jv⟩ + ⟨∇_z log p_G(z), v⟩)² with v ~ N(0, I) is small when the energy already
 * matches the generator's density. J is taken with running batch-norm statistics, so that samples
 * do not interact. Two latents only: the singular values of J are then in closed form.
 * @throws ConfigError for another latent dimension.
 */
export function ebmBb(config: EbmBbConfig = {}): Objective<GameState<'energy' | 'generator'>> {
  const { boundWeight = 1e-3, boundMargin = 1, entropyWeight = 1 } = config;
  const { entropy = 'smallest' } = config;
  const adam = { learningRate: 2e-4 };
  const game = toyGame('ebm-bb', {
    width: 100,
    ...config,
    energyAdam: { ...adam, ...config.energyAdam },
    generatorAdam: { ...adam, ...config.generatorAdam },
  });
  const { batch, dim, latentDim } = game;
  if (latentDim !== 2) {
    throw new ConfigError(`ebmBb: latentDim must be 2, got ${latentDim}`);
  }
  const players = toyPlayers(game);
  const density = energyOf(game, players);

  /** Rows ∂G_i/∂z of the Jacobian, dim tensors of [B, 2]. */
  const jacobianRows = (params: Params, norm: NormMode, z: Tensor): Tensor[] =>
    Array.from({ length: dim }, (_, i) =>
      grad((y: Tensor) =>
        tf.sum(tf.slice(game.generate(params, y, norm), [0, i], [y.shape[0], 1])),
      )(z),
    );

  /** log-volume change of the generator per sample, [B]. */
  const logVolume = (rows: readonly Tensor[]): Tensor => {
    const pairs = rows.map((row) => tf.split(row, 2, 1));
    const inner = (i: number, j: number) =>
      pairs.map((p) => tf.mul(p[i], p[j])).reduce((sum, term) => tf.add(sum, term));
    const [a, b, c] = [inner(0, 0), inner(0, 1), inner(1, 1)];
    const logDeterminant = tf.log(tf.add(tf.sub(tf.mul(a, c), tf.square(b)), EPS));
    if (entropy === 'determinant') return tf.mul(tf.reshape(logDeterminant, [-1]), 0.5);
    // The smaller eigenvalue of JᵀJ as det/larger: no difference of nearly equal numbers.
    const gap = tf.add(tf.square(tf.sub(a, c)), tf.mul(tf.square(b), 4));
    const larger = tf.mul(tf.add(tf.add(a, c), tf.sqrt(tf.add(gap, EPS))), 0.5);
    const logSmaller = tf.sub(logDeterminant, tf.log(tf.add(larger, EPS)));
    return tf.mul(tf.reshape(logSmaller, [-1]), 0.5 * latentDim);
  };

  return {
    ...latentGame('ebm-bb', game, players),
    batchShape: [batch, dim],
    noise: {
      z: { kind: 'normal', shape: [batch, latentDim] },
      v: { kind: 'normal', shape: [batch, latentDim] },
    },
    step(state, { data }, noise) {
      const [z, v] = [noise['z'], noise['v']];
      const before = players.generator.unpack(state.generator.params).generator;
      const norm: NormMode = {
        kind: 'running',
        buffers: players.generator.running(state.generator, 'generator'),
      };
      const fake = stopGradient(game.generate(before, z));
      const rows = stopGradient(jacobianRows(before, norm, z));
      const jv = tf.concat(
        rows.map((row) => tf.sum(tf.mul(row, v), 1, true)),
        1,
      );
      const volumeGradient = grad((y: Tensor) => tf.sum(logVolume(jacobianRows(before, norm, y))))(
        z,
      );
      // ∇_z log p_G = −z − ∇_z log-volume.
      const along = stopGradient(tf.neg(sumPerSample(tf.mul(tf.add(z, volumeGradient), v))));

      const energy = turn(players.energy, state.energy, (networks) => {
        const f = game.energy(networks.energy);
        const realEnergy = tf.mean(f(data));
        const atFake = valueAndGrad((x: Tensor) => tf.sum(f(x)))(fake);
        const fakeEnergy = tf.div(atFake.value, batch);
        const mismatch = tf.sub(along, sumPerSample(tf.mul(atFake.grad, jv)));
        const bound = tf.mul(rankMean(tf.mean(tf.square(mismatch))), 0.5);
        const penalty = tf.relu(tf.sub(tf.mul(bound, boundWeight), boundMargin));
        const loss = tf.add(tf.sub(fakeEnergy, realEnergy), penalty);
        return [loss, { realEnergy, fakeEnergy, bound }];
      });
      const f = density(energy.state);
      const generator = turn(players.generator, state.generator, (networks) => {
        const collect: Record<string, Tensor> = {};
        const x = game.generate(networks.generator, z, { kind: 'batch', collect });
        const volume = tf.mean(logVolume(jacobianRows(networks.generator, norm, z)));
        const loss = tf.neg(tf.add(tf.mean(f(x)), tf.mul(volume, entropyWeight)));
        return [loss, { entropy: volume }, { generator: [collect] }];
      });
      return endOfStep(energy, generator);
    },
  };
}
