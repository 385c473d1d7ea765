import { ConfigError, unknownName } from '../core/errors.ts';
import { scheduleConfig } from '../diffusion/schedule.ts';
import {
  dcganEnergy,
  dcganSampler,
  dcganTimeEncoder,
  dcganTimeEnergy,
  dcganTimeGenerator,
} from '../models/dcgan.ts';
import { mlp } from '../models/mlp.ts';
import { ddaebm } from '../objectives/ddaebm.ts';
import { meg } from '../objectives/meg.ts';
import type { Objective } from '../objectives/objective.ts';
import { wgan0gp } from '../objectives/wgan-0gp.ts';
import { type Overrides, withOverrides } from './overrides.ts';

/** Raised when the code changes what a configuration computes, so that old runs are not reused. */
const REVISION = 1;

/** Numbers of an image: 3 channels of 32 x 32. */
export const STACKED_DIM = 3072;

export const STACKED_METHODS = ['wgan-0gp', 'meg', 'ddaebm'] as const;

export type StackedMethod = (typeof STACKED_METHODS)[number];

export const STACKED_PRESETS = ['smoke', 'quick', 'overnight', 'paper'] as const;

/** All that decides the numbers of a run, beside its seed. Plain JSON. */
export interface StackedConfig {
  readonly revision: number;
  readonly method: StackedMethod;
  readonly steps: number;
  readonly batch: number;
  readonly network: { readonly features: number; readonly latentDim: number };
  readonly objective: {
    /** Penalty weight: γ of (γ/2)·E|∇E|². */
    readonly gamma: number;
    /** DDAEBM: weight of the encoder's log-density of the latent. */
    readonly latentWeight: number;
  };
  readonly optimizer: {
    readonly energyRate: number;
    readonly generatorRate: number;
    readonly beta1: number;
    readonly beta2: number;
  };
  readonly evaluation: {
    /** Iterations between two counts of modes; the last one is at the end. */
    readonly every: number;
    /** Samples of the counts on the way. */
    readonly samples: number;
    /** Samples of the count at the end: 26,000 as PacGAN. */
    readonly finalSamples: number;
    readonly pictures: number;
  };
}

const PAPER: StackedConfig = {
  revision: REVISION,
  method: 'ddaebm',
  steps: 200_000,
  batch: 64,
  network: { features: 64, latentDim: 100 },
  objective: { gamma: 0.02, latentWeight: 0.1 },
  optimizer: { energyRate: 1e-4, generatorRate: 1e-4, beta1: 0, beta2: 0.9 },
  evaluation: { every: 5000, samples: 5000, finalSamples: 26_000, pictures: 48 },
};

/**
 * What the methods change: the paper gives neither sizes nor rates for this set. The energies of the
 * games grow as 1/γ until the penalty holds them; at γ = 0.1 an energy takes too long over that, and
 * the generator collapses meanwhile (20 modes after 1200 iterations of `quick`; 460 after 800 at 10).
 */
const METHODS: Readonly<Record<StackedMethod, Overrides>> = {
  'wgan-0gp': { 'objective.gamma': 10 },
  meg: { 'objective.gamma': 10 },
  ddaebm: {},
};

const CHANGES: Readonly<Record<string, Overrides>> = {
  smoke: {
    steps: 4,
    batch: 8,
    'network.features': 2,
    'network.latentDim': 8,
    'evaluation.every': 2,
    'evaluation.samples': 64,
    'evaluation.finalSamples': 64,
    'evaluation.pictures': 6,
  },
  quick: {
    steps: 3000,
    'network.features': 16,
    'optimizer.energyRate': 4e-4,
    'optimizer.generatorRate': 4e-4,
    'evaluation.every': 500,
    'evaluation.samples': 2000,
  },
  overnight: { steps: 30_000, 'network.features': 32, 'optimizer.energyRate': 2e-4 },
  paper: {},
};

/** The full configuration of a preset. @throws ConfigError for an unknown name or setting. */
export function stackedConfig(
  method: string = 'ddaebm',
  preset = 'quick',
  overrides: Overrides = {},
): StackedConfig {
  if (!(STACKED_METHODS as readonly string[]).includes(method)) {
    throw unknownName('method', method, STACKED_METHODS);
  }
  if (!Object.hasOwn(CHANGES, preset)) throw unknownName('preset', preset, STACKED_PRESETS);
  const base = { ...PAPER, method: method as StackedMethod };
  const own = METHODS[method as StackedMethod];
  const config = withOverrides(
    withOverrides(withOverrides(base, own), CHANGES[preset]),
    overrides,
  ) as StackedConfig;
  if (config.revision !== REVISION || config.method !== method) {
    throw new ConfigError("settings 'revision' and 'method' cannot be changed");
  }
  stackedObjective(config);
  return config;
}

/** The training method; batches are image vectors for the games, images for DDAEBM. */
export function stackedObjective(config: StackedConfig): Objective {
  const { batch, network, objective, optimizer } = config;
  const { features, latentDim } = network;
  const sizes = { features, latent: latentDim };
  const betas = [optimizer.beta1, optimizer.beta2] as const;
  const energyAdam = { learningRate: optimizer.energyRate, betas };
  const generatorAdam = { learningRate: optimizer.generatorRate, betas };
  if (config.method === 'ddaebm') {
    return ddaebm({
      batch,
      dataShape: [3, 32, 32],
      latentDim,
      schedule: scheduleConfig('cifar10'),
      posterior: 'image',
      reconstructionFloor: 'second',
      ...objective,
      networks: {
        energy: dcganTimeEnergy(sizes),
        generator: dcganTimeGenerator(sizes),
        encoder: dcganTimeEncoder(sizes),
      },
      energyAdam,
      generatorAdam,
    }) as Objective;
  }
  const game = {
    batch,
    dim: STACKED_DIM,
    latentDim,
    energy: dcganEnergy(sizes),
    generator: dcganSampler(sizes),
    energyAdam,
    generatorAdam,
  };
  if (config.method === 'wgan-0gp')
    return wgan0gp({ ...game, gamma: objective.gamma }) as Objective;
  const statistics = mlp({
    widths: [STACKED_DIM + latentDim, 128, 128, 1],
    activation: 'leaky-relu',
  });
  return meg({ ...game, statistics, lambda: objective.gamma / 2, energySteps: 1 }) as Objective;
}
