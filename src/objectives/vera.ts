import { sumPerSample } from '../diffusion/gaussian.ts';
import { stopGradient, valueAndGrad } from '../jit/grad.ts';
import { rankCount } from '../jit/ranks.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import type { NetworkSpec } from '../models/network.ts';
import type { NormMode } from '../nn/batch-norm.ts';
import type { Params } from '../nn/params.ts';
import type { AdamConfig } from '../optim/adam.ts';
import { endOfStep, energyLoss, type GameState, playersIo, turn } from './game.ts';
import type { Objective } from './objective.ts';
import { type PlayerState, player } from './player.ts';
import { energyOf, type ToyGameConfig, toyGame, toyPlayers } from './toy-game.ts';

export interface VeraConfig extends ToyGameConfig {
  /** γ of (γ/2)·E|∇f|² on real data. Default 0.1: the code's default of 0 is unstable. */
  readonly gamma?: number;
  /** Weight of the generated samples in the energy's loss; 0.1 with a normalised energy. */
  readonly fakeWeight?: number;
  /** λ of the sampler's entropy. Default 1. */
  readonly entropyWeight?: number;
  /** Importance samples per point for the score of the sampler. Default 20. */
  readonly importanceSamples?: number;
  /** Bounds of σ, the noise of the sampler's output; it starts at the lower. Default [0.01, 0.3]. */
  readonly sigmaRange?: readonly [number, number];
  /** Start value of η, the width of the approximate posterior. Default 0.1. */
  readonly posteriorWidth?: number;
  /** Default rate 0.02, betas (0, 0.9). */
  readonly posteriorAdam?: Partial<AdamConfig>;
}

type Sides = 'energy' | 'generator' | 'sigma' | 'posterior';

/** A network that is one vector of numbers. */
function vector(key: string, size: number, value: number): NetworkSpec {
  const params = { [key]: { shape: [size], init: { kind: 'constant' as const, value } } };
  return { params, buffers: {}, norms: [], idleNorms: [] };
}

/**
 * VERA (Grathwohl et al. 2021): an amortised sampler x = g(h) + σε whose entropy gradient needs no
 * bound. −∇_x log q(x) = E_{q(h|x)}[(x − g(h))/σ²] is estimated with self-normalised importance
 * samples from N(h, diag η²) around the latent that made x; η maximises the evidence bound.
 *
 * Within that estimate g keeps the batch-norm statistics of the pass that made x: q is a density
 * only if g(h) depends on its own latent alone.
 */
export function vera(config: VeraConfig = {}): Objective<GameState<Sides>> {
  const { gamma = 0.1, fakeWeight = 1, entropyWeight = 1 } = config;
  const { importanceSamples: particles = 20 } = config;
  const { sigmaRange = [0.01, 0.3], posteriorWidth = 0.1 } = config;
  const game = toyGame('vera', config);
  const { batch, dim, latentDim } = game;
  const players = {
    ...toyPlayers(game),
    // Adam acts element by element: a player of its own moves σ as if it were the generator's.
    sigma: player({
      networks: { sigma: vector('log_sigma', 1, Math.log(sigmaRange[0])) },
      adam: game.generatorAdam,
    }),
    posterior: player({
      networks: { posterior: vector('log_eta', latentDim, Math.log(posteriorWidth)) },
      adam: { learningRate: 0.02, betas: [0, 0.9], ...config.posteriorAdam },
    }),
  };

  const density = energyOf(game, players);

  /** g as a function of the latent alone. */
  const frozen = (params: Params, norm: NormMode) => (h: Tensor) => game.generate(params, h, norm);

  /** σ held within its range, as the official code does after each step. */
  const clamped = (sigma: PlayerState): PlayerState => ({
    ...sigma,
    params: tf.clipByValue(sigma.params, Math.log(sigmaRange[0]), Math.log(sigmaRange[1])),
  });

  return {
    name: 'vera',
    batchShape: [batch, dim],
    noise: {
      z: { kind: 'normal', shape: [batch, latentDim] },
      output: { kind: 'normal', shape: [batch, dim] },
      posterior: { kind: 'normal', shape: [batch, particles, latentDim] },
    },
    ...playersIo('vera', players),
    step(state, { data }, noise) {
      const [z, output] = [noise['z'], noise['output']];
      const params = players.generator.unpack(state.generator.params).generator;
      const sigma = tf.exp(state.sigma.params);
      const collect: Record<string, Tensor> = {};
      const clean = game.generate(params, z, { kind: 'batch', collect });
      const fake = stopGradient(tf.add(clean, tf.mul(output, sigma)));
      const norm: NormMode = {
        kind: 'running',
        buffers: asBatchStatistics(collect, batch * rankCount()),
      };

      const energy = turn(players.energy, state.energy, (networks) =>
        energyLoss(game.energy(networks.energy), data, fake, gamma / 2, fakeWeight),
      );
      const f = density(energy.state);

      const g = frozen(params, norm);
      const draws = { h: z, logEta: state.posterior.params, noise: noise['posterior'] };
      const score = stopGradient(samplerScore(g, sigma, fake, draws));
      const forGenerator = valueAndGrad(
        (both: { readonly generator: Tensor; readonly sigma: Tensor }) => {
          const moved = players.generator.unpack(both.generator).generator;
          const x = tf.add(game.generate(moved, z), tf.mul(output, tf.exp(both.sigma)));
          const entropy = tf.mean(sumPerSample(tf.mul(score, x)));
          return tf.neg(tf.add(tf.mean(f(x)), tf.mul(entropy, entropyWeight)));
        },
      )({ generator: state.generator.params, sigma: state.sigma.params });

      const forPosterior = valueAndGrad((logEta: Tensor) => {
        const { value } = logJoint(g, sigma, fake, nearby({ ...draws, logEta }));
        return tf.neg(tf.add(tf.mean(value), tf.sum(logEta)));
      })(state.posterior.params);

      const { state: moved, metrics } = endOfStep(energy, {
        state: players.generator.update(state.generator, forGenerator.grad.generator, {
          generator: [collect],
        }),
        loss: forGenerator.value,
        metrics: { posteriorLoss: forPosterior.value, sigma: tf.reshape(sigma, []) },
      });
      return {
        state: {
          ...moved,
          sigma: clamped(players.sigma.update(state.sigma, forGenerator.grad.sigma)),
          posterior: players.posterior.update(state.posterior, forPosterior.grad),
        },
        metrics,
      };
    },
    energy: (state, x) => density(state.energy)(x),
    sampleNoise: (n) => ({
      z: { kind: 'normal', shape: [n, latentDim] },
      output: { kind: 'normal', shape: [n, dim] },
    }),
    sample(state, noise) {
      const params = players.generator.unpack(state.generator.params).generator;
      const x = game.generate(params, noise['z']);
      return tf.add(x, tf.mul(noise['output'], tf.exp(state.sigma.params)));
    },
  };
}

/** Importance samples: h̃ = h + η·noise with `h` [B, m], `logEta` [m], `noise` [B, S, m]. */
export interface PosteriorDraws {
  readonly h: Tensor;
  readonly logEta: Tensor;
  readonly noise: Tensor;
}

/** h̃, [B·S, m]. */
function nearby({ h, logEta, noise }: PosteriorDraws): Tensor {
  const moved = tf.add(tf.expandDims(h, 1), tf.mul(noise, tf.exp(logEta)));
  return tf.reshape(moved, [-1, h.shape[1] as number]);
}

/** log q(x, h̃) up to a constant, [B·S], and x − g(h̃). */
function logJoint(g: (h: Tensor) => Tensor, sigma: Tensor, x: Tensor, near: Tensor) {
  const [batch, dim] = x.shape;
  const particles = (near.shape[0] as number) / batch;
  const repeated = tf.reshape(tf.tile(tf.expandDims(x, 1), [1, particles, 1]), [-1, dim]);
  const residual = tf.sub(repeated, g(near));
  const fit = tf.div(sumPerSample(tf.square(residual)), tf.mul(tf.square(sigma), 2));
  return { value: tf.neg(tf.add(fit, tf.mul(sumPerSample(tf.square(near)), 0.5))), residual };
}

/**
 * The estimate of −∇_x log q(x), [B, dim], for a sampler x = g(h) + σε, h ~ N(0, I) (section 3.2
 * of VERA): (x − g(h̃))/σ² averaged with self-normalised weights q(x, h̃)/r(h̃).
 */
export function samplerScore(
  g: (h: Tensor) => Tensor,
  sigma: Tensor,
  x: Tensor,
  draws: PosteriorDraws,
): Tensor {
  const [batch, particles, latent] = draws.noise.shape;
  const dim = x.shape[1] as number;
  const { value, residual } = logJoint(g, sigma, x, nearby(draws));
  const flatNoise = tf.reshape(draws.noise, [batch * particles, latent]);
  const logProposal = tf.mul(sumPerSample(tf.square(flatNoise)), -0.5);
  const logWeights = tf.reshape(tf.sub(value, logProposal), [batch, particles]);
  const weights = tf.reshape(tf.softmax(logWeights), [batch, particles, 1]);
  const pulls = tf.reshape(residual, [batch, particles, dim]);
  return tf.div(tf.sum(tf.mul(pulls, weights), 1), tf.square(sigma));
}

/** The collected variances made biased again: what batch mode normalised with. Held fixed. */
function asBatchStatistics(collect: Readonly<Record<string, Tensor>>, batch: number): Params {
  return Object.fromEntries(
    Object.entries(collect).map(([key, value]) => [
      key,
      stopGradient(key.endsWith('running_var') ? tf.mul(value, (batch - 1) / batch) : value),
    ]),
  );
}
