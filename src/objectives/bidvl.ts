import { klToStandardNormal, reparameterise, sumPerSample } from '../diffusion/gaussian.ts';
import { stopGradient } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { type Mlp, mlp } from '../models/mlp.ts';
import type { NormMode } from '../nn/batch-norm.ts';
import type { Params } from '../nn/params.ts';
import { endOfStep, energyLoss, type GameState, meanSquaredNorm, turn } from './game.ts';
import type { Objective } from './objective.ts';
import { energyOf, latentGame, type ToyGameConfig, toyGame, toyPlayers } from './toy-game.ts';

export interface BidvlConfig extends ToyGameConfig {
  /** λ of the variational autoencoder's two terms. Default 0.05. */
  readonly lambda?: number;
  /** Weight of |μ(G(ĥ)) − ĥ|². Default 1/latentDim. */
  readonly latentWeight?: number;
  /** γ of (γ/2)·E|∇E|² on real data; 0 in the original, 0.02 steadies 2-D runs. Default 0.02. */
  readonly gamma?: number;
  /** dim → 2·latentDim: mean and log-variance side by side. Default PReLU with batch norm. */
  readonly encoder?: Mlp;
}

/**
 * Bi-level doubly variational learning (Kan et al. 2022). Upper level: E_θ separates data from
 * samples. Lower level, generator and encoder together: E E(G(ĥ)) + w·E|μ(G(ĥ)) − ĥ|² (its
 * entropy; the encoder is held fixed in it) + λ·(E|G(h) − v|² + KL(q(h|v) ‖ N(0, I))), h ~ q(h|v).
 */
export function bidvl(config: BidvlConfig = {}): Objective<GameState<'energy' | 'generator'>> {
  const game = toyGame('bidvl', config);
  const { batch, dim, latentDim, width } = game;
  const { lambda = 0.05, gamma = 0.02, latentWeight = 1 / latentDim } = config;
  const encoderNet =
    config.encoder ?? mlp({ widths: [dim, width, width, 2 * latentDim], batchNorm: true });
  const players = toyPlayers(game, { encoder: encoderNet });
  const density = energyOf(game, players);
  const encode = (params: Params, x: Tensor, mode: NormMode) => {
    const parts = tf.split(encoderNet.apply(params, x, mode), 2, 1);
    return { mean: parts[0], logVariance: parts[1] };
  };

  return {
    ...latentGame('bidvl', game, players),
    batchShape: [batch, dim],
    noise: {
      z: { kind: 'normal', shape: [batch, latentDim] },
      posterior: { kind: 'normal', shape: [batch, latentDim] },
    },
    step(state, { data }, noise) {
      const z = noise['z'];
      const before = players.generator.unpack(state.generator.params).generator;
      const fake = game.generate(before, z);
      const energy = turn(players.energy, state.energy, (networks) =>
        energyLoss(game.energy(networks.energy), data, fake, gamma / 2),
      );
      const f = density(energy.state);
      const generator = turn(players.generator, state.generator, (networks) => {
        const passes = [{}, {}] as Record<string, Tensor>[];
        const codes = [{}, {}] as Record<string, Tensor>[];
        const x = game.generate(networks.generator, z, { kind: 'batch', collect: passes[0] });
        const frozen = stopGradient(networks.encoder) as Params;
        const seen = encode(frozen, x, { kind: 'batch', collect: codes[0] });
        const latent = tf.mul(meanSquaredNorm(tf.sub(seen.mean, z)), latentWeight);
        const q = encode(networks.encoder, data, { kind: 'batch', collect: codes[1] });
        const h = reparameterise(q.mean, q.logVariance, noise['posterior']);
        const again = game.generate(networks.generator, h, { kind: 'batch', collect: passes[1] });
        const reconstruction = tf.mean(sumPerSample(tf.square(tf.sub(again, data))));
        const kl = tf.mean(klToStandardNormal(q.mean, q.logVariance));
        const vae = tf.mul(tf.add(reconstruction, kl), lambda);
        const loss = tf.add(tf.sub(latent, tf.mean(f(x))), vae);
        return [loss, { latent, reconstruction, kl }, { generator: passes, encoder: codes }];
      });
      return endOfStep(energy, generator);
    },
  };
}
