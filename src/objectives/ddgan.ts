import { diffusePair, logForward } from '../diffusion/forward.ts';
import { gatherLevels } from '../diffusion/levels.ts';
import { posteriorCoefficients, samplePosterior } from '../diffusion/posterior.ts';
import { reverseChain } from '../diffusion/reverse.ts';
import { noiseSchedule, type ScheduleConfig, scheduleConfig } from '../diffusion/schedule.ts';
import { stopGradient, valueAndGrad } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { type ToyConfig, toyEnergy, toyGenerator } from '../models/toy.ts';
import type { NormMode } from '../nn/batch-norm.ts';
import type { Params } from '../nn/params.ts';
import type { AdamConfig } from '../optim/adam.ts';
import { DEFAULT_OPTIONS, ddaebmTable } from './ddaebm-config.ts';
import { endOfStep, type GameState, meanSquaredNorm, playersIo, turn } from './game.ts';
import type { Objective } from './objective.ts';
import { player } from './player.ts';

export interface DdganConfig {
  /** Samples per step. Default 200. */
  readonly batch?: number;
  /** Default 2, as the latent's. */
  readonly dim?: number;
  readonly latentDim?: number;
  /** Default: the toy schedule of DDAEBM. */
  readonly schedule?: ScheduleConfig;
  readonly networks?: ToyConfig;
  /**
   * What the discriminator's logit is. `conditional`: D(x_t, x_{t+1}, t), the method. `marginal`:
   * D(x_t, t) + log q(x_{t+1} | x_t), DDAEBM's parameterisation under DDGAN's loss, of which D is
   * then an unnormalised log-density and can be plotted; a conditional D has no density.
   */
  readonly discriminator?: 'conditional' | 'marginal';
  /** γ of (γ/2)·E|∇_{x_t} logit|² on real pairs. Default 0.02. */
  readonly gamma?: number;
  /** Of the generator's batch norms: see `DdaebmConfig.samplingStatistics`. Default `batch`. */
  readonly samplingStatistics?: 'batch' | 'running';
  /** Defaults: rate 1e-4, betas (0.5, 0.9). */
  readonly energyAdam?: Partial<AdamConfig>;
  readonly generatorAdam?: Partial<AdamConfig>;
}

/**
 * Denoising diffusion GAN (Xiao et al., ICLR 2022) with DDAEBM's toy networks. Discriminator: min
 * E softplus(−D(x_t, ·)) + E softplus(D(x̃_t, ·)) + (γ/2)E|∇D|²; generator: min E softplus(−D(x̃_t, ·))
 * on a fresh level and pair.
 */
export function ddgan(config: DdganConfig = {}): Objective<GameState<'energy' | 'generator'>> {
  const { batch = 200, dim = 2, latentDim = 2, gamma = 0.02 } = config;
  const { discriminator = 'conditional', schedule = scheduleConfig('toy') } = config;
  const { samplingStatistics = 'batch' } = config;
  const marginal = discriminator === 'marginal';
  const process = noiseSchedule(schedule);
  const posterior = posteriorCoefficients(process);
  const table = ddaebmTable({ ...process, ...posterior }, DEFAULT_OPTIONS, [dim]);
  const levels = Array.from({ length: process.steps }, (_, t) => t);
  const critic = toyEnergy({ ...config.networks, dim: marginal ? dim : 2 * dim });
  const generatorNet = toyGenerator({ ...config.networks, dim, latent: latentDim });
  const adam: AdamConfig = { learningRate: 1e-4, betas: [0.5, 0.9] };
  const players = {
    energy: player({ networks: { energy: critic }, adam: { ...adam, ...config.energyAdam } }),
    generator: player({
      networks: { generator: generatorNet },
      adam: { ...adam, ...config.generatorAdam },
    }),
  };

  const drawPair = (data: Tensor, noise: Readonly<Record<string, Tensor>>, step: number) => {
    const row = (name: string) =>
      tf.reshape(tf.slice(noise[name], step, 1), noise[name].shape.slice(1));
    const { at, select } = gatherLevels(table, row('t'));
    const { x, xNext } = diffusePair(at, data, { x: row('x'), xNext: row('xNext') });
    const time = { levels, select };
    const generate = (params: Params, collect?: Record<string, Tensor>) => {
      const clean = generatorNet.bind(params, time)(xNext, row('z'), { kind: 'batch', collect });
      return samplePosterior(at, clean, xNext, row('posterior'));
    };
    const logit = (params: Params) => {
      const run = critic.bind(params, time);
      return marginal
        ? (y: Tensor) => tf.add(run(y), logForward(at, y, xNext))
        : (y: Tensor) => run(tf.concat([y, xNext], 1));
    };
    return { x, generate, logit };
  };

  return {
    name: 'ddgan',
    batchShape: [2 * batch, dim],
    batches: 2,
    noise: {
      t: { kind: 'integers', shape: [2, batch], high: process.steps },
      x: { kind: 'normal', shape: [2, batch, dim] },
      xNext: { kind: 'normal', shape: [2, batch, dim] },
      z: { kind: 'normal', shape: [2, batch, latentDim] },
      posterior: { kind: 'normal', shape: [2, batch, dim] },
    },
    ...playersIo('ddgan', players),
    step(state, { data }, noise) {
      const [first, second] = tf.split(data, 2, 0);
      const d = drawPair(first, noise, 0);
      const before = players.generator.unpack(state.generator.params).generator;
      const fake = stopGradient(d.generate(before));
      const energy = turn(players.energy, state.energy, (networks) => {
        const logit = d.logit(networks.energy);
        const real = valueAndGrad(
          (x: Tensor) => {
            const values = logit(x);
            return [tf.sum(values), values] as const;
          },
          { hasAux: true },
        )(d.x);
        const realLoss = tf.mean(tf.softplus(tf.neg(real.aux)));
        const fakeLoss = tf.mean(tf.softplus(logit(fake)));
        const penalty = tf.mul(meanSquaredNorm(real.grad), gamma / 2);
        const loss = tf.add(tf.add(realLoss, fakeLoss), penalty);
        return [loss, { realLoss, fakeLoss, penalty }];
      });

      const g = drawPair(second, noise, 1);
      const logit = g.logit(players.energy.unpack(energy.state.params).energy);
      const generator = turn(players.generator, state.generator, (networks) => {
        const collect: Record<string, Tensor> = {};
        const x = g.generate(networks.generator, collect);
        return [tf.mean(tf.softplus(tf.neg(logit(x)))), {}, { generator: [collect] }];
      });
      return endOfStep(energy, generator);
    },
    ...(marginal && {
      energy: (state: GameState<'energy' | 'generator'>, x: Tensor, t = 0) =>
        critic.bind(players.energy.unpack(state.energy.params).energy, { levels: [t] })(x),
    }),
    sampleNoise: (n) => ({
      start: { kind: 'normal', shape: [n, dim] },
      z: { kind: 'normal', shape: [process.steps, n, latentDim] },
      posterior: { kind: 'normal', shape: [process.steps, n, dim] },
    }),
    sample(state, noise) {
      const params = players.generator.unpack(state.generator.params).generator;
      const latents = tf.unstack(noise['z'], 0);
      const mode: NormMode =
        samplingStatistics === 'batch'
          ? { kind: 'batch' }
          : { kind: 'running', buffers: players.generator.running(state.generator, 'generator') };
      const predict = (xNext: Tensor, t: number) =>
        generatorNet.bind(params, { levels: [t] })(xNext, latents[t], mode);
      const states = reverseChain(posterior, predict, noise['start'], noise['posterior']);
      return states[states.length - 1];
    },
  };
}
