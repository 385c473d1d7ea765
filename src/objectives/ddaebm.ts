import { diffusePair, logForward, logForwardGradient } from '../diffusion/forward.ts';
import {
  gaussianLogDensity,
  klToStandardNormal,
  reparameterise,
  sumPerSample,
} from '../diffusion/gaussian.ts';
import { gatherLevels, type Levels } from '../diffusion/levels.ts';
import { posteriorMean, samplePosterior } from '../diffusion/posterior.ts';
import { reverseChain } from '../diffusion/reverse.ts';
import { stopGradient, valueAndGrad } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import type { TimeInput } from '../models/network.ts';
import type { NormMode } from '../nn/batch-norm.ts';
import type { Params } from '../nn/params.ts';
import {
  type DdaebmColumn,
  type DdaebmConfig,
  type ResolvedDdaebm,
  resolveDdaebm,
} from './ddaebm-config.ts';
import { dropoutNoise, dropoutOf } from './dropout.ts';
import { endOfStep, playersIo, turnInParts } from './game.ts';
import type { Batch, Noise, NoiseSpecs, Objective } from './objective.ts';
import { type Player, type PlayerState, player } from './player.ts';

/** The two sides of the game; `L` is `Tensor` in a step, `HostTensor` in memory. */
export interface DdaebmState<L = Tensor> {
  /** θ. Network `netD` in the official code. */
  readonly energy: PlayerState<L>;
  /** φ and ψ, which share one optimiser. Networks `netG` and `netE`. */
  readonly generator: PlayerState<L>;
}

/** Everything random or drawn of one iteration. */
interface Draw {
  readonly at: Levels<DdaebmColumn>['at'];
  readonly time: TimeInput;
  readonly x: Tensor;
  readonly xNext: Tensor;
  readonly z: Tensor;
  readonly noise: Noise;
}

export interface Ddaebm extends Objective<DdaebmState> {
  readonly config: ResolvedDdaebm;
  readonly players: {
    readonly energy: Player<'netD'>;
    readonly generator: Player<'netG' | 'netE'>;
  };
  /** The diffused pair and the generated sample of a step, before any update: [B, ...] each. */
  forward(
    state: DdaebmState,
    batch: Batch,
    noise: Noise,
  ): { x: Tensor; xNext: Tensor; clean: Tensor; fake: Tensor };
}

/**
 * Denoising diffusion adversarial energy-based model (Geng et al., ICML 2024, arXiv 2403.01666).
 *
 * One iteration draws a level t per sample, a pair (x_t, x_{t+1}), a latent z and a generated
 * x̃_t ~ q(x_t | x_{t+1}, G(x_{t+1}, z, t)); then the energy takes a step on eq. (23) and generator
 * and encoder take one on eqs. (17) + (19), on the same draws and with the energy just updated.
 */
export function ddaebm(config: DdaebmConfig = {}): Ddaebm {
  const resolved = resolveDdaebm(config);
  const { options, batch, dataShape, latentDim, steps, networks, table } = resolved;
  const players = {
    energy: player({
      networks: { netD: networks.energy },
      adam: resolved.energyAdam,
      ema: resolved.ema,
    }),
    generator: player({
      networks: { netG: networks.generator, netE: networks.encoder },
      adam: resolved.generatorAdam,
      ema: resolved.ema,
    }),
  };
  const levels = Array.from({ length: steps }, (_, t) => t);
  const data = [batch, ...dataShape];
  /** Whether the generator also runs on latents of the encoder. */
  const secondPass =
    resolved.encoder && options.divergence === 'jeffreys' && options.reconstruction === 'encoder';

  /** The draws of each part of the batch. */
  const drawParts = (batchData: Batch, noise: Noise): Draw[] => {
    const { parts } = resolved;
    if (parts === 1) return [draw(batchData, noise)];
    const pieces = (x: Tensor) => tf.split(x, parts, 0);
    const cut = Object.entries(noise).map(([name, x]) => [name, pieces(x)] as const);
    return pieces(batchData.data).map((piece, i) =>
      draw({ data: piece }, Object.fromEntries(cut.map(([name, all]) => [name, all[i]]))),
    );
  };

  const draw = (batchData: Batch, noise: Noise): Draw => {
    const { at, select } = gatherLevels(table, noise['t'], data.length);
    const { x, xNext } = diffusePair(at, batchData.data, { x: noise['x'], xNext: noise['xNext'] });
    const z = options.latent ? noise['z'] : tf.zeros([x.shape[0], latentDim]);
    return { at, time: { levels, select }, x, xNext, z, noise };
  };

  /** The first generator pass: x̂ from the prior latent, and x̃_t. */
  const generate = (params: Params, d: Draw, collect: Record<string, Tensor>) => {
    const generator = networks.generator.bind(params, d.time);
    const drawn = dropoutOf(d.noise, 'prior');
    const clean = generator(d.xNext, d.z, { kind: 'batch', collect }, drawn);
    const fake = samplePosterior(d.at, clean, d.xNext, d.noise['posterior']);
    return { generator, clean, fake };
  };

  const energyLoss = (params: Params, d: Draw, fake: Tensor, gamma: number) => {
    const energy = networks.energy.bind(params, d.time);
    const size = d.x.shape[0];
    const energyOf = (x: Tensor, pass: string) => energy(x, dropoutOf(d.noise, pass));
    if (gamma === 0 && options.gamma > 0) {
      const [realEnergy, fakeEnergy] = [
        tf.mean(energyOf(d.x, 'real')),
        tf.mean(energyOf(fake, 'fake')),
      ];
      const loss = tf.sub(tf.mul(fakeEnergy, options.fakeWeight), realEnergy);
      return [loss, { realEnergy, fakeEnergy, penalty: tf.scalar(0) }] as const;
    }
    // The penalty needs ∇E at x_t. It is taken of the loss term −mean E itself, whose backward
    // pass is then the same computation as that of the loss and is not done twice.
    const real = valueAndGrad((x: Tensor) => tf.neg(tf.mean(energyOf(x, 'real'))))(d.x);
    const scaled = tf.mul(real.grad, size);
    const penaltyGradient = tf.sub(scaled, logForwardGradient(d.at, d.x, d.xNext));
    const penalty = tf.mul(tf.sum(tf.square(penaltyGradient)), gamma / (2 * size));
    const fakeEnergy = tf.mean(energyOf(fake, 'fake'));
    const loss = tf.add(tf.add(real.value, tf.mul(fakeEnergy, options.fakeWeight)), penalty);
    return [loss, { realEnergy: tf.neg(real.value), fakeEnergy, penalty }] as const;
  };

  const generatorLoss = (params: Record<'netG' | 'netE', Params>, d: Draw, critic: Params) => {
    const passes = { netG: [] as Record<string, Tensor>[], netE: [] as Record<string, Tensor>[] };
    const pass = (network: 'netG' | 'netE') => {
      const collect: Record<string, Tensor> = {};
      passes[network].push(collect);
      return collect;
    };
    const { generator, clean, fake } = generate(params.netG, d, pass('netG'));
    const energy = networks.energy.bind(critic, d.time);
    const fakeEnergy = energy(fake, dropoutOf(d.noise, 'critic'));
    const likelihood = tf.mean(tf.add(fakeEnergy, logForward(d.at, fake, d.xNext)));
    const terms: Record<string, Tensor> = {};
    let predicted = clean;
    if (resolved.encoder) {
      const encoder = networks.encoder.bind(params.netE, d.time);
      if (options.divergence === 'jeffreys') {
        const real = encoder(d.x, d.xNext, { kind: 'batch', collect: pass('netE') });
        const kl = klToStandardNormal(real.mean, real.logVariance);
        terms['kl'] = options.weightKl
          ? tf.mean(tf.mul(kl, tf.reshape(d.at.klWeight, [d.x.shape[0]])))
          : tf.mean(kl);
        if (options.reconstruction === 'encoder') {
          const z = reparameterise(real.mean, real.logVariance, d.noise['zPosterior']);
          const drawn = dropoutOf(d.noise, 'posterior');
          predicted = generator(d.xNext, z, { kind: 'batch', collect: pass('netG') }, drawn);
        }
      }
      const posterior = encoder(fake, d.xNext, { kind: 'batch', collect: pass('netE') });
      terms['latent'] = tf.mul(
        tf.mean(latentNll(d.z, posterior.mean, posterior.logVariance)),
        options.latentWeight,
      );
    }
    if (options.divergence === 'jeffreys') {
      terms['reconstruction'] = reconstruction(options.reconstructionLoss, d, predicted);
    }
    const loss = Object.values(terms).reduce((sum, term) => tf.add(sum, term), tf.neg(likelihood));
    return [loss, { likelihood, ...terms }, passes] as const;
  };

  const stepWith =
    (gamma: number): Ddaebm['step'] =>
    (state, batchData, noise) => {
      const draws = drawParts(batchData, noise);
      const before = players.generator.unpack(state.generator.params);
      const parts = draws.map((d) => ({
        d,
        // Repeated inside the generator loss, where it has a gradient; a trace holds it once.
        fake: stopGradient(generate(before.netG, d, {}).fake),
      }));
      const energy = turnInParts(
        players.energy,
        state.energy,
        parts.map(
          ({ d, fake }) =>
            ({ netD }) =>
              energyLoss(netD, d, fake, gamma),
        ),
      );
      const { netD } = players.energy.unpack(energy.state.params);
      const generator = turnInParts(
        players.generator,
        state.generator,
        parts.map(
          ({ d }) =>
            (params) =>
              generatorLoss(params, d, netD),
        ),
      );
      return endOfStep(energy, generator);
    };

  return {
    name: 'ddaebm',
    config: resolved,
    players,
    batchShape: data,
    noise: {
      t: { kind: 'integers', shape: [batch], high: steps },
      x: { kind: 'normal', shape: data },
      xNext: { kind: 'normal', shape: data },
      posterior: { kind: 'normal', shape: data },
      ...(options.latent && { z: { kind: 'normal', shape: [batch, latentDim] } }),
      ...(secondPass && {
        zPosterior: { kind: 'normal', shape: [batch, latentDim] },
        ...dropoutNoise('posterior', networks.generator, batch),
      }),
      ...dropoutNoise('prior', networks.generator, batch),
      ...dropoutNoise('real', networks.energy, batch),
      ...dropoutNoise('fake', networks.energy, batch),
      ...dropoutNoise('critic', networks.energy, batch),
    } as NoiseSpecs,
    ...playersIo('ddaebm', players),
    step: stepWith(options.gamma * resolved.penaltyEvery),
    ...(resolved.penaltyEvery > 1 && {
      between: { every: resolved.penaltyEvery, step: stepWith(0) },
    }),
    forward(state, batchData, noise) {
      const d = draw(batchData, noise);
      const { netG } = players.generator.unpack(state.generator.params);
      const { clean, fake } = generate(netG, d, {});
      return { x: d.x, xNext: d.xNext, clean, fake };
    },
    energy(state, x, t = 0) {
      const params = players.energy.unpack(players.energy.averaged(state.energy)).netD;
      return networks.energy.bind(params, { levels: [t] })(x);
    },
    sampleNoise(n) {
      const shape = [n, ...dataShape];
      return {
        start: { kind: 'normal', shape },
        z: { kind: 'normal', shape: [steps, n, latentDim] },
        posterior: { kind: 'normal', shape: [steps, ...shape] },
      };
    },
    sample(state, noise) {
      const { netG } = players.generator.unpack(players.generator.averaged(state.generator));
      const latents = tf.unstack(noise['z'], 0);
      const mode: NormMode =
        resolved.samplingStatistics === 'batch'
          ? { kind: 'batch' }
          : { kind: 'running', buffers: players.generator.running(state.generator, 'netG') };
      const predict = (xNext: Tensor, t: number) => {
        const z = options.latent ? latents[t] : tf.zerosLike(latents[t]);
        return networks.generator.bind(netG, { levels: [t] })(xNext, z, mode);
      };
      const states = reverseChain(
        resolved.coefficients,
        predict,
        noise['start'],
        noise['posterior'],
      );
      return states[states.length - 1];
    },
  };
}

/**
 * −log of the encoder's density at z, [B], without the constant (m/2)·log 2π and with 1e-6 added
 * to the variance, as in the official code: ½Σ[ℓ + (z−μ)²/(1e-6 + e^ℓ)].
 */
function latentNll(z: Tensor, mean: Tensor, logVariance: Tensor): Tensor {
  const variance = tf.add(tf.exp(logVariance), 1e-6);
  const terms = tf.add(logVariance, tf.div(tf.square(tf.sub(z, mean)), variance));
  return tf.mul(sumPerSample(terms), 0.5);
}

/** How badly the predicted clean data explain the real x_t: −w_t·log N(x_t; …), or |x_t − mean|². */
function reconstruction(kind: 'likelihood' | 'squared-error', d: Draw, predicted: Tensor): Tensor {
  const residual = tf.sub(d.x, posteriorMean(d.at, predicted, d.xNext));
  if (kind === 'squared-error') return tf.mean(sumPerSample(tf.square(residual)));
  const logDensity = gaussianLogDensity(residual, {
    halfPrecision: d.at.reconstructionHalfPrecision,
    logNorm: d.at.reconstructionLogNorm,
  });
  return tf.neg(tf.mean(logDensity));
}
