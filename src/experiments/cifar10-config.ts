import { ConfigError, unknownName } from '../core/errors.ts';
import { scheduleConfig } from '../diffusion/schedule.ts';
import { smallEncoder } from '../models/encoders.ts';
import { ncsnppEnergy, ncsnppGenerator } from '../models/ncsnpp.ts';
import type { UnetConfig } from '../models/unet-config.ts';
import { type Ddaebm, ddaebm } from '../objectives/ddaebm.ts';
import { RELEASED_IMAGE_FORM } from '../objectives/ddaebm-config.ts';
import { cosineAnnealing } from '../optim/schedules.ts';
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
export const CIFAR10_FORMS = ['encoder', 'released'] as const;

/** All that decides the numbers of a run, beside its seed. Plain JSON. */
export interface Cifar10Config {
  readonly revision: number;
  readonly steps: number;
  readonly batch: number;
  readonly network: {
    /** n_f, channels of the first level. */
    readonly width: number;
    /** Channels of each level as multiples of `width`, separated by commas. */
    readonly multipliers: string;
    /** Residual blocks of a level. */
    readonly blocks: number;
    /** m, dimension of z. */
    readonly latentDim: number;
    /** Dimension of the latent features, and affine layers of the map to them after the first. */
    readonly styleDim: number;
    readonly mappingDepth: number;
    /** Channels of the encoder's first layer, and dimension of its time features. */
    readonly encoderWidth: number;
    readonly encoderTimeDim: number;
    /**
     * Share of features that training drops in the residual blocks of energy and generator. Absent:
     * none are dropped, and the runs are those of before there was this setting.
     */
    readonly dropout?: number;
  };
  readonly diffusion: {
    /** T. */
    readonly steps: number;
  };
  readonly objective: {
    /**
     * `encoder`: the likelihood of x_t given the encoder's latent, as in the paper; `released`: the
     * squared error with the latent of the prior, as in the last public code.
     */
    readonly form: (typeof CIFAR10_FORMS)[number];
    /** `jeffreys`, `kl` or `kl-no-entropy`, and whether there is a latent (Table 5). */
    readonly divergence: 'jeffreys' | 'kl' | 'kl-no-entropy';
    readonly latent: boolean;
    /** γ of eq. (23). */
    readonly gamma: number;
    readonly latentWeight: number;
  };
  readonly optimizer: {
    readonly energyRate: number;
    readonly generatorRate: number;
    /** Both rates fall to this by a cosine. */
    readonly minimumRate: number;
    readonly beta1: number;
    readonly beta2: number;
    /** Decay of the averages of the parameters. */
    readonly ema: number;
  };
  readonly evaluation: {
    /** Iterations between two evaluations. */
    readonly every: number;
    /** Samples of each, kept as bytes. */
    readonly samples: number;
    /** Samples shown in a picture of each. */
    readonly pictures: number;
  };
}

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

/** The settings that a preset starts from; `network.dropout` is one where it is asked for. */
function startOf(preset: string, overrides: Overrides): Cifar10Config {
  if (preset !== 'paper' && !Object.hasOwn(overrides, 'network.dropout')) return PAPER;
  return { ...PAPER, network: { ...PAPER.network, dropout: PAPER_DROPOUT } };
}

/** The full configuration of a preset. @throws ConfigError for an unknown name or setting. */
export function cifar10Config(preset = 'nano', overrides: Overrides = {}): Cifar10Config {
  if (!Object.hasOwn(CHANGES, preset)) throw unknownName('preset', preset, CIFAR10_PRESETS);
  const start = startOf(preset, overrides);
  const config = withOverrides(withOverrides(start, CHANGES[preset]), overrides) as Cifar10Config;
  check(config);
  return config;
}

function check(config: Cifar10Config): void {
  const { evaluation, diffusion, objective } = config;
  if (config.revision !== REVISION) throw new ConfigError("setting 'revision' cannot be changed");
  const counts: Record<string, readonly [number, number]> = {
    steps: [config.steps, 1],
    batch: [config.batch, 2],
    'diffusion.steps': [diffusion.steps, 1],
    'evaluation.every': [evaluation.every, 1],
    'evaluation.samples': [evaluation.samples, 2],
    'evaluation.pictures': [evaluation.pictures, 1],
  };
  for (const [name, [value, least]] of Object.entries(counts)) {
    if (!Number.isSafeInteger(value) || value < least) {
      throw new ConfigError(
        `setting '${name}' must be an integer of at least ${least}, got ${value}`,
      );
    }
  }
  if (!CIFAR10_FORMS.includes(objective.form)) {
    throw unknownName('objective.form', objective.form, CIFAR10_FORMS);
  }
  cifar10Objective(config);
}

/** The U-Net of energy and generator. @throws ConfigError for multipliers that are none. */
export function cifar10Unet({ network }: Cifar10Config): UnetConfig {
  const multipliers = network.multipliers.split(',').map(Number);
  const { width, blocks, dropout } = network;
  return { size: CIFAR_SHAPE[1], width, multipliers, blocks, ...(dropout && { dropout }) };
}

/** DDAEBM on images [batch, 3, 32, 32] in [−1, 1]. */
export function cifar10Objective(config: Cifar10Config): Ddaebm {
  const { network, objective, optimizer } = config;
  const { latentDim, styleDim, mappingDepth, encoderWidth, encoderTimeDim } = network;
  const { form, ...options } = objective;
  const unet = cifar10Unet(config);
  const betas = [optimizer.beta1, optimizer.beta2] as const;
  return ddaebm({
    batch: config.batch,
    dataShape: CIFAR_SHAPE,
    latentDim,
    schedule: { ...scheduleConfig('cifar10'), steps: config.diffusion.steps },
    posterior: 'image',
    reconstructionFloor: 'second',
    ...(form === 'released' && RELEASED_IMAGE_FORM),
    ...options,
    networks: {
      energy: ncsnppEnergy(unet),
      generator: ncsnppGenerator({ ...unet, latent: latentDim, styleDim, mappingDepth }),
      encoder: smallEncoder({ width: encoderWidth, latent: latentDim, timeDim: encoderTimeDim }),
    },
    energyAdam: { learningRate: optimizer.energyRate, betas },
    generatorAdam: { learningRate: optimizer.generatorRate, betas },
    ema: optimizer.ema,
  });
}

/** Learning rates of an iteration, as the scalars of the state that hold them. */
export function cifar10Rates({
  optimizer,
  steps,
}: Cifar10Config): (step: number) => Record<string, number> {
  const energy = cosineAnnealing(optimizer.energyRate, steps, optimizer.minimumRate);
  const generator = cosineAnnealing(optimizer.generatorRate, steps, optimizer.minimumRate);
  return (step) => ({
    'energy/adam/learningRate': energy(step),
    'generator/adam/learningRate': generator(step),
  });
}
