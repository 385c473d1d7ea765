import { ConfigError, unknownName } from '../core/errors.ts';
import { gaussianLogNorm } from '../diffusion/gaussian.ts';
import { type LevelTable, levelTable } from '../diffusion/levels.ts';
import {
  type PosteriorConvention,
  posteriorCoefficients,
  reconstructionVariance,
  recoveryWeights,
} from '../diffusion/posterior.ts';
import { noiseSchedule, type ScheduleConfig, scheduleConfig } from '../diffusion/schedule.ts';
import type {
  EncoderNetwork,
  EnergyNetwork,
  GeneratorNetwork,
  NetworkSpec,
} from '../models/network.ts';
import { type ToyConfig, toyEncoder, toyEnergy, toyGenerator } from '../models/toy.ts';
import type { AdamConfig } from '../optim/adam.ts';

/** The numbers of the forward process that enter a step; T entries or T+1, in float64. */
export interface DiffusionCoefficients {
  /** √ᾱ_k, √(1−ᾱ_k), √(1−β_k), √β_k for k = 0..T. */
  readonly aCum: ArrayLike<number>;
  readonly sigmaCum: ArrayLike<number>;
  readonly a: ArrayLike<number>;
  readonly sigma: ArrayLike<number>;
  /** Posterior mean coefficients and log variance for t = 0..T−1. */
  readonly c1: ArrayLike<number>;
  readonly c2: ArrayLike<number>;
  readonly logVariance: ArrayLike<number>;
  /** τ_k for k = 0..T; only eq. (21) reads them. */
  readonly times: ArrayLike<number>;
}

/**
 * What may vary in DDAEBM. Where the paper and the released code disagree the default is the
 * code's, because the published numbers came from it; `PAPER_FORM` holds the paper's choices.
 */
export interface DdaebmOptions {
  /** γ of eq. (23). The paper gives no value; 0.02 for the toys and CIFAR-10. */
  readonly gamma: number;
  /** Weight of log q_ψ(z | x̃_t, x_{t+1}): 1 in eq. (17), 0.1 in all released scripts. */
  readonly latentWeight: number;
  /**
   * Latent of the reconstruction in eq. (19): the encoder's, or the prior draw that already made
   * x̃_t. The latter is in the released image code only, most likely a slip of its clean-up: the
   * encoder then gets no reconstruction gradient. Default `encoder`.
   */
  readonly reconstruction: 'encoder' | 'prior';
  /** Gaussian log-likelihood (eq. 19), or the bare squared error of the released image code. */
  readonly reconstructionLoss: 'likelihood' | 'squared-error';
  /**
   * Floor of the variance in that likelihood: a number, or `second` for that of t = 1. The true
   * variance at t = 0 is 1e-5, whose inverse would swamp all else; 0.01 in the toy code.
   */
  readonly reconstructionFloor: number | 'second';
  /** (w, wMid) of eq. (21). (1, 1) is weight 1 everywhere; LSUN (0.6, 0.2). */
  readonly recoveryWeights: readonly [number, number];
  /** Whether w also multiplies the KL term, as in eq. (20); the code weights the likelihood only. */
  readonly weightKl: boolean;
  /**
   * `jeffreys`: eq. (10). `kl`: without the reverse term (19). `kl-no-entropy`: also without the
   * latent term, a sequence of WGAN-0GPs (ablations of Table 5 and Fig. 5).
   */
  readonly divergence: 'jeffreys' | 'kl' | 'kl-no-entropy';
  /**
   * Without a latent, z = 0 wherever it is drawn; the encoder and its two terms fall away, the
   * reconstruction stays (Table 5; what happens to the latent terms is not said there).
   */
  readonly latent: boolean;
  /** Weight of the generated samples in the energy loss; 0.1 for MNIST with a normalised energy. */
  readonly fakeWeight: number;
}

export const DEFAULT_OPTIONS: DdaebmOptions = {
  gamma: 0.02,
  latentWeight: 0.1,
  reconstruction: 'encoder',
  reconstructionLoss: 'likelihood',
  reconstructionFloor: 0.01,
  recoveryWeights: [1, 1],
  weightKl: false,
  divergence: 'jeffreys',
  latent: true,
  fakeWeight: 1,
};

/** The objective as the equations of the paper state it; combine with `firstTime: 0`. */
export const PAPER_FORM: Partial<DdaebmOptions> = {
  latentWeight: 1,
  reconstruction: 'encoder',
  reconstructionLoss: 'likelihood',
  reconstructionFloor: 0,
  weightKl: true,
};

/** The image objective of the last public release (see `reconstruction`). */
export const RELEASED_IMAGE_FORM: Partial<DdaebmOptions> = {
  latentWeight: 0.1,
  reconstruction: 'prior',
  reconstructionLoss: 'squared-error',
  weightKl: false,
};

export interface DdaebmNetworks {
  readonly energy: EnergyNetwork;
  readonly generator: GeneratorNetwork;
  readonly encoder: EncoderNetwork;
}

export interface DdaebmConfig extends Partial<DdaebmOptions> {
  /** Samples per step. Default 200 (toy). */
  readonly batch?: number;
  /** Shape of one sample. Default [2]. */
  readonly dataShape?: readonly number[];
  /** Dimension of z. Default 2. */
  readonly latentDim?: number;
  /** Default: the toy schedule, T = 4, (0.01, 0.1). */
  readonly schedule?: ScheduleConfig | DiffusionCoefficients;
  /** Which variance sampling uses. Default `toy`. */
  readonly posterior?: PosteriorConvention;
  /** Default: the toy networks. */
  readonly networks?: DdaebmNetworks | ToyConfig;
  /** Defaults: rate 1e-4, betas (0, 0.9). One Adam for the energy, one for generator and encoder. */
  readonly energyAdam?: Partial<AdamConfig>;
  readonly generatorAdam?: Partial<AdamConfig>;
  /**
   * Statistics of the generator's batch norms when sampling. `batch` (default): those of the
   * samples, as the released toy script, which never leaves training mode. But a training batch
   * mixes all levels t while a sampling batch holds one, and then the norm subtracts what the
   * network adds for t: harmless where all levels are alike (beta from 0.01 to 0.1), ruinous where
   * they are not. `running`: the averages over training, which hold all levels.
   */
  readonly samplingStatistics?: 'batch' | 'running';
  /** Decay of the parameter averages of both players. None for toys, 0.9999 for CIFAR-10. */
  readonly ema?: number;
  /**
   * Parts in which a batch is worked off, one after the other, with the gradient of the whole batch.
   * Intermediate results shrink, but each part is in the graph of its own, which makes the graph and
   * its compilation as many times larger: of use for large batches only. Peak memory of the
   * iteration with NCSN++ networks of 16 channels in 4 parts: 2.9 in place of 3.4 GB at batch 32, 2.4
   * in place of 1.2 GB at batch 8. Only for networks without batch norm. Default 1. A training that is
   * to fit into memory rather takes the `parts` of its `Parallel`, which compile one part alone.
   */
  readonly parts?: number;
  /**
   * The penalty is taken at every so many iterations only, with this many times its weight (lazy
   * regularisation of StyleGAN2; DDGAN takes 15). Default 1, as DDAEBM.
   */
  readonly penaltyEvery?: number;
}

export type DdaebmColumn =
  | 'aCum'
  | 'sigmaCum'
  | 'aNext'
  | 'sigmaNext'
  | 'c1'
  | 'c2'
  | 'std'
  | 'halfPrecision'
  | 'logNorm'
  | 'pull'
  | 'reconstructionHalfPrecision'
  | 'reconstructionLogNorm'
  | 'klWeight';

export interface ResolvedDdaebm {
  readonly options: DdaebmOptions;
  readonly batch: number;
  readonly dataShape: readonly number[];
  readonly latentDim: number;
  readonly steps: number;
  readonly networks: DdaebmNetworks;
  readonly coefficients: DiffusionCoefficients;
  readonly table: LevelTable<DdaebmColumn>;
  readonly energyAdam: AdamConfig;
  readonly generatorAdam: AdamConfig;
  readonly ema: number | undefined;
  readonly samplingStatistics: 'batch' | 'running';
  readonly parts: number;
  readonly penaltyEvery: number;
  /** Whether the encoder takes part at all. */
  readonly encoder: boolean;
}

const CHOICES = {
  reconstruction: ['encoder', 'prior'],
  reconstructionLoss: ['likelihood', 'squared-error'],
  divergence: ['jeffreys', 'kl', 'kl-no-entropy'],
} as const;

/** Fills in the defaults and checks. @throws ConfigError naming the option at fault. */
export function resolveDdaebm(config: DdaebmConfig): ResolvedDdaebm {
  const options = resolveOptions(config);
  const { batch = 200, dataShape = [2], latentDim = 2 } = config;
  if (!Number.isInteger(batch) || batch < 2) {
    throw new ConfigError(`ddaebm: batch must be an integer of at least 2, got ${batch}`);
  }
  const { parts = 1, penaltyEvery = 1 } = config;
  const networks = resolveNetworks(config, dataShape, latentDim);
  checkParts(batch, parts, Object.values(networks));
  if (!Number.isInteger(penaltyEvery) || penaltyEvery < 1) {
    throw new ConfigError(`ddaebm: penaltyEvery must be a positive integer, got ${penaltyEvery}`);
  }
  const coefficients = resolveCoefficients(config);
  const adamDefaults: AdamConfig = { learningRate: 1e-4, betas: [0, 0.9] };
  return {
    options,
    batch,
    dataShape,
    latentDim,
    steps: coefficients.c1.length,
    networks,
    parts,
    penaltyEvery,
    coefficients,
    table: ddaebmTable(coefficients, options, dataShape),
    energyAdam: { ...adamDefaults, ...config.energyAdam },
    generatorAdam: { ...adamDefaults, ...config.generatorAdam },
    ema: config.ema,
    samplingStatistics: resolveStatistics(config.samplingStatistics ?? 'batch'),
    encoder: options.latent && options.divergence !== 'kl-no-entropy',
  };
}

function checkParts(batch: number, parts: number, networks: readonly NetworkSpec[]): void {
  if (!Number.isInteger(parts) || parts < 1 || batch % parts !== 0 || batch / parts < 2) {
    throw new ConfigError(
      `ddaebm: parts must divide the batch of ${batch} into equal parts of at least 2, got ${parts}`,
    );
  }
  if (parts > 1 && networks.some(({ norms }) => norms.length > 0)) {
    throw new ConfigError(
      'ddaebm: a batch norm sees a part of the batch only; use parts: 1, or networks without it',
    );
  }
}

function resolveStatistics(name: string): 'batch' | 'running' {
  if (name === 'batch' || name === 'running') return name;
  throw unknownName('ddaebm option samplingStatistics =', name, ['batch', 'running']);
}

function resolveOptions(config: DdaebmConfig): DdaebmOptions {
  const chosen = Object.fromEntries(
    Object.keys(DEFAULT_OPTIONS)
      .map((k) => [k, config[k as keyof DdaebmOptions]])
      .filter(([, v]) => v !== undefined),
  ) as Partial<DdaebmOptions>;
  const options: DdaebmOptions = { ...DEFAULT_OPTIONS, ...chosen };
  for (const [name, allowed] of Object.entries(CHOICES)) {
    const value = options[name as keyof typeof CHOICES];
    if (!(allowed as readonly string[]).includes(value)) {
      throw unknownName(`ddaebm option ${name} =`, String(value), allowed);
    }
  }
  for (const name of ['gamma', 'latentWeight', 'fakeWeight'] as const) {
    if (!(options[name] >= 0)) {
      throw new ConfigError(`ddaebm: ${name} must not be negative, got ${options[name]}`);
    }
  }
  return options;
}

function resolveCoefficients(config: DdaebmConfig): DiffusionCoefficients {
  const { schedule = scheduleConfig('toy'), posterior = 'toy' } = config;
  if ('aCum' in schedule) return schedule;
  const s = noiseSchedule(schedule);
  return { ...s, ...posteriorCoefficients(s, posterior) };
}

function resolveNetworks(
  { networks = {} }: DdaebmConfig,
  dataShape: readonly number[],
  latent: number,
): DdaebmNetworks {
  if ('energy' in networks) return networks;
  if (dataShape.length !== 1) {
    throw new ConfigError(
      `ddaebm: the toy networks take vectors, dataShape is [${dataShape}]; pass networks: { energy, generator, encoder }`,
    );
  }
  const toy = { ...networks, dim: dataShape[0], latent };
  return { energy: toyEnergy(toy), generator: toyGenerator(toy), encoder: toyEncoder(toy) };
}

/** The per-level numbers of a step. */
export function ddaebmTable(
  c: DiffusionCoefficients,
  options: DdaebmOptions,
  dataShape: readonly number[],
): LevelTable<DdaebmColumn> {
  const dim = dataShape.reduce((x, y) => x * y, 1);
  const each = (f: (t: number) => number) =>
    Float64Array.from({ length: c.c1.length }, (_, t) => f(t));
  const betaNext = (t: number) => c.sigma[t + 1] ** 2;
  const weights = recoveryWeights(c.times, ...options.recoveryWeights).slice(1);
  const variance = reconstructionVariance(c.logVariance, options.reconstructionFloor);
  return levelTable<DdaebmColumn>({
    aCum: each((t) => c.aCum[t]),
    sigmaCum: each((t) => c.sigmaCum[t]),
    aNext: each((t) => c.a[t + 1]),
    sigmaNext: each((t) => c.sigma[t + 1]),
    c1: each((t) => c.c1[t]),
    c2: each((t) => c.c2[t]),
    std: each((t) => (t === 0 ? 0 : Math.exp(0.5 * c.logVariance[t]))),
    halfPrecision: each((t) => 0.5 / betaNext(t)),
    logNorm: each((t) => gaussianLogNorm(dim, betaNext(t))),
    pull: each((t) => c.a[t + 1] / betaNext(t)),
    reconstructionHalfPrecision: each((t) => (0.5 * weights[t]) / variance[t]),
    reconstructionLogNorm: each((t) => weights[t] * gaussianLogNorm(dim, variance[t])),
    klWeight: each((t) => (options.weightKl ? weights[t] : 1)),
  });
}
