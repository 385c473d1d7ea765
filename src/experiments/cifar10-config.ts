import { unknownName } from '../core/errors.ts';
import { smallEncoder } from '../models/encoders.ts';
import type { UnetConfig } from '../models/unet-config.ts';
import type { Ddaebm } from '../objectives/ddaebm.ts';
import {
  checkImageConfig,
  IMAGE_FORMS,
  type ImageConfig,
  type ImageSetting,
  imageObjective,
  imageRates,
  imageUnet,
} from './image-config.ts';
import { type Overrides, withOverrides } from './overrides.ts';

/** Raised when the code changes what a configuration computes, so that old runs are not reused. */
const REVISION = 1;

/** Shape of an image. */
export const CIFAR_SHAPE: readonly number[] = [3, 32, 32];

/** Numbers of an image. */
export const CIFAR_DIM = 3072;

/** Iterations of an epoch in the paper: 50,000 images in batches of 64 by each of four processes. */
const PAPER_EPOCH = 195;

/**
 * `smoke`: seconds, teaches nothing. `nano`: half an hour of one core to itself, a network
 * of a sixteenth of the width: coloured shapes, not objects. `quick`: a day or two of one core. `paper`: as published,
 * which is days on four GPUs and out of reach of a CPU.
 */
export const CIFAR10_PRESETS = ['smoke', 'nano', 'quick', 'paper'] as const;

/** How generator and encoder explain the real image; see `DdaebmOptions.reconstruction`. */
export const CIFAR10_FORMS = IMAGE_FORMS;

/** All that decides the numbers of a run, beside its seed. Plain JSON. */
export type Cifar10Config = ImageConfig;

/** CIFAR-10: 32 × 32. */
export const CIFAR10: ImageSetting = {
  name: 'cifar10',
  size: 32,
  schedule: 'cifar10',
  encoder: smallEncoder,
};

const PAPER: Cifar10Config = {
  revision: REVISION,
  steps: 1200 * PAPER_EPOCH,
  batch: 256,
  network: {
    width: 128,
    multipliers: '1,2,2,2',
    blocks: 2,
    latentDim: 100,
    styleDim: 256,
    mappingDepth: 4,
    encoderWidth: 64,
    encoderTimeDim: 256,
  },
  diffusion: { steps: 4 },
  objective: {
    form: 'encoder',
    divergence: 'jeffreys',
    latent: true,
    gamma: 0.02,
    latentWeight: 0.1,
  },
  optimizer: {
    energyRate: 1e-4,
    generatorRate: 1e-4,
    minimumRate: 1e-5,
    beta1: 0,
    beta2: 0.9,
    ema: 0.9999,
  },
  evaluation: { every: 50 * PAPER_EPOCH, samples: 50_000, pictures: 64 },
};

const SMALL: Overrides = {
  'network.blocks': 1,
  'network.styleDim': 64,
  'network.mappingDepth': 2,
  'network.encoderTimeDim': 64,
};

const CHANGES: Readonly<Record<string, Overrides>> = {
  smoke: {
    ...SMALL,
    steps: 4,
    batch: 4,
    'network.width': 4,
    'network.multipliers': '1,1',
    'network.latentDim': 8,
    'network.styleDim': 8,
    'network.encoderWidth': 2,
    'network.encoderTimeDim': 8,
    'optimizer.ema': 0.5,
    'evaluation.every': 2,
    'evaluation.samples': 64,
    'evaluation.pictures': 16,
  },
  nano: {
    ...SMALL,
    steps: 2000,
    batch: 16,
    'network.width': 8,
    'network.multipliers': '1,2,4,4',
    'network.encoderWidth': 16,
    'optimizer.energyRate': 3e-4,
    'optimizer.generatorRate': 5e-4,
    'optimizer.ema': 0.995,
    'evaluation.every': 250,
    'evaluation.samples': 1000,
  },
  quick: {
    steps: 40_000,
    batch: 32,
    'network.width': 32,
    'network.encoderWidth': 32,
    'optimizer.energyRate': 2e-4,
    'optimizer.generatorRate': 2e-4,
    'optimizer.ema': 0.999,
    'evaluation.every': 2500,
    'evaluation.samples': 5000,
  },
  paper: {},
};

/** Of the official training on CIFAR-10; the smaller presets drop nothing. */
const PAPER_DROPOUT = 0.1;

/**
 * The settings that a preset starts from. Some are there only where they are asked for: with a key
 * more, the runs of a preset would be other runs.
 */
function startOf(preset: string, overrides: Overrides): Cifar10Config {
  const asked = (path: string) => Object.hasOwn(overrides, path);
  return {
    ...PAPER,
    network: {
      ...PAPER.network,
      ...((preset === 'paper' || asked('network.dropout')) && { dropout: PAPER_DROPOUT }),
      ...(asked('network.recompute') && { recompute: false }),
    },
    objective: { ...PAPER.objective, ...(asked('objective.parts') && { parts: 1 }) },
  };
}

/** The full configuration of a preset. @throws ConfigError for an unknown name or setting. */
export function cifar10Config(preset = 'nano', overrides: Overrides = {}): Cifar10Config {
  if (!Object.hasOwn(CHANGES, preset)) throw unknownName('preset', preset, CIFAR10_PRESETS);
  const start = startOf(preset, overrides);
  const config = withOverrides(withOverrides(start, CHANGES[preset]), overrides) as Cifar10Config;
  checkImageConfig(CIFAR10, config, REVISION);
  return config;
}

/** The U-Net of energy and generator. @throws ConfigError for multipliers that are none. */
export function cifar10Unet(config: Cifar10Config): UnetConfig {
  return imageUnet(CIFAR10, config);
}

/** DDAEBM on images [batch, 3, 32, 32] in [−1, 1]. */
export function cifar10Objective(config: Cifar10Config): Ddaebm {
  return imageObjective(CIFAR10, config);
}

/** Learning rates of an iteration, as the scalars of the state that hold them. */
export function cifar10Rates(config: Cifar10Config): (step: number) => Record<string, number> {
  return imageRates(config);
}
