import { ConfigError, unknownName } from '../core/errors.ts';
import { drlResNet } from '../models/drl-resnet.ts';
import { type Drl, drl } from '../objectives/drl.ts';
import { CIFAR_SHAPE } from './cifar10-config.ts';
import { checkCounts, type Overrides, withOverrides } from './overrides.ts';

/** Raised when the code changes what a configuration computes, so that old runs are not reused. */
const REVISION = 1;

/**
 * `smoke`: seconds, teaches nothing. `nano`: half an hour of one core to itself, a network of a
 * sixteenth of the width. `quick`: days of one core. `paper`: as in the authors' code, which is 40
 * hours on eight TPU cores and out of reach of a CPU.
 */
export const DRL_PRESETS = ['smoke', 'nano', 'quick', 'paper'] as const;

/** All that decides the numbers of a run, beside its seed. Plain JSON. */
export interface DrlImageConfig {
  readonly revision: number;
  readonly steps: number;
  readonly batch: number;
  readonly network: {
    /** Channels of the first level. */
    readonly width: number;
    /** Channels of each level as multiples of `width`, separated by commas. */
    readonly multipliers: string;
    /** Residual blocks of a level. */
    readonly blocks: number;
    /** Dimensions of the time embedding and of its features. */
    readonly timeDim: number;
    readonly timeHidden: number;
  };
  readonly diffusion: {
    /** T, levels with an energy. */
    readonly levels: number;
  };
  readonly chain: {
    /** K, Langevin steps from a level to the one below it. */
    readonly steps: number;
    /** b²; the squared step size of level t is b²·c_t²·σ_{t+1}². */
    readonly stepVariance: number;
  };
  readonly optimizer: {
    readonly rate: number;
    /** Iterations over which the rate rises linearly from 0; constant from there. */
    readonly warmup: number;
    readonly beta1: number;
    readonly beta2: number;
    readonly eps: number;
    /** Decay of the average of the parameters. */
    readonly ema: number;
  };
  readonly evaluation: {
    /** Iterations between two evaluations. */
    readonly every: number;
    /** Samples of each, kept as bytes. */
    readonly samples: number;
    /** Samples shown in a picture of each. */
    readonly pictures: number;
    /** η, factor on the noise of the chains that draw samples; 1 in training. */
    readonly noiseScale: number;
  };
}

/** Of CIFAR-10 in the authors' code: its configuration and the command of its README. */
const PAPER: DrlImageConfig = {
  revision: REVISION,
  steps: 1_000_000,
  batch: 256,
  network: { width: 128, multipliers: '1,2,2,2', blocks: 8, timeDim: 128, timeHidden: 512 },
  diffusion: { levels: 6 },
  chain: { steps: 30, stepVariance: 2e-4 },
  optimizer: { rate: 1e-4, warmup: 1000, beta1: 0.9, beta2: 0.999, eps: 1e-7, ema: 0.999 },
  evaluation: { every: 40_000, samples: 50_000, pictures: 64, noiseScale: 0.99 },
};

const CHANGES: Readonly<Record<string, Overrides>> = {
  smoke: {
    steps: 4,
    batch: 4,
    'network.width': 4,
    'network.multipliers': '1,1',
    'network.blocks': 1,
    'network.timeDim': 8,
    'network.timeHidden': 8,
    'chain.steps': 3,
    'optimizer.warmup': 2,
    'optimizer.ema': 0.5,
    'evaluation.every': 2,
    'evaluation.samples': 64,
    'evaluation.pictures': 16,
  },
  nano: {
    steps: 4000,
    batch: 16,
    'network.width': 8,
    'network.multipliers': '1,2,4,4',
    'network.blocks': 1,
    'network.timeDim': 32,
    'network.timeHidden': 64,
    'optimizer.rate': 1e-3,
    'optimizer.warmup': 100,
    'optimizer.ema': 0.99,
    'evaluation.every': 1000,
    'evaluation.samples': 1000,
  },
  quick: {
    steps: 40_000,
    batch: 32,
    'network.width': 32,
    'network.blocks': 2,
    'optimizer.rate': 2e-4,
    'evaluation.every': 4000,
    'evaluation.samples': 5000,
  },
  paper: {},
};

/** The full configuration of a preset. @throws ConfigError for an unknown name or setting. */
export function drlImageConfig(preset = 'nano', overrides: Overrides = {}): DrlImageConfig {
  if (!Object.hasOwn(CHANGES, preset)) throw unknownName('preset', preset, DRL_PRESETS);
  const config = withOverrides(withOverrides(PAPER, CHANGES[preset]), overrides);
  check(config);
  return config;
}

function check(config: DrlImageConfig): void {
  if (config.revision !== REVISION) throw new ConfigError("setting 'revision' cannot be changed");
  const { evaluation, chain, network, optimizer } = config;
  checkCounts({
    steps: [config.steps, 1],
    batch: [config.batch, 1],
    'network.width': [network.width, 1],
    'network.blocks': [network.blocks, 1],
    'chain.steps': [chain.steps, 1],
    'optimizer.warmup': [optimizer.warmup, 0],
    'evaluation.every': [evaluation.every, 1],
    'evaluation.samples': [evaluation.samples, 2],
    'evaluation.pictures': [evaluation.pictures, 1],
  });
  if (!(chain.stepVariance > 0)) {
    throw new ConfigError(
      `setting 'chain.stepVariance' must be positive, got ${chain.stepVariance}`,
    );
  }
  multipliersOf(config);
  drlImageObjective(config);
}

/** @throws ConfigError unless they are positive integers whose poolings the image size allows. */
function multipliersOf({ network }: DrlImageConfig): number[] {
  const multipliers = network.multipliers.split(',').map(Number);
  if (!multipliers.every((m) => Number.isInteger(m) && m >= 1)) {
    throw new ConfigError(
      `setting 'network.multipliers' must be positive integers separated by commas, got '${network.multipliers}'`,
    );
  }
  const halvings = multipliers.length - 1;
  if (CIFAR_SHAPE[1] % 2 ** halvings !== 0) {
    throw new ConfigError(
      `setting 'network.multipliers' has ${multipliers.length} levels; images of ${CIFAR_SHAPE[1]} pixels can be halved ${Math.log2(CIFAR_SHAPE[1])} times only`,
    );
  }
  return multipliers;
}

/** Diffusion recovery likelihood on images [batch, 3, 32, 32] in [−1, 1]. */
export function drlImageObjective(config: DrlImageConfig): Drl {
  const { network, diffusion, chain, optimizer } = config;
  return drl({
    batch: config.batch,
    dataShape: CIFAR_SHAPE,
    schedule: { steps: diffusion.levels, stepVariance: chain.stepVariance },
    chainSteps: chain.steps,
    network: drlResNet({ ...network, multipliers: multipliersOf(config) }),
    adam: {
      learningRate: optimizer.rate,
      betas: [optimizer.beta1, optimizer.beta2],
      eps: optimizer.eps,
    },
    ema: optimizer.ema,
  });
}

/** The learning rate of an iteration, as the scalar of the state that holds it. */
export function drlRates({
  optimizer: { rate, warmup },
}: DrlImageConfig): (step: number) => Record<string, number> {
  return (step) => ({
    'energy/adam/learningRate': rate * Math.min(1, (step + 1) / Math.max(1, warmup)),
  });
}
