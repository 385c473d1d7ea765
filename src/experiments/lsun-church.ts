import { largeEncoder } from '../models/encoders.ts';
import { DDPMPP_LSUN128 } from '../models/ncsnpp.ts';
import type { Overrides } from './overrides.ts';
import {
  type PictureConfig,
  type PictureExperiment,
  pictureExperiment,
} from './picture-experiment.ts';

/** Raised when the code changes what a configuration computes, so that old runs are not reused. */
const REVISION = 1;

/** The first pictures of the training environment in the order of its keys; it has 126,227. */
const IMAGES = 120_000;

/** Iterations of an epoch in the paper: batches of 12 by each of four processes. */
const PAPER_EPOCH = 2500;

/**
 * `smoke`: seconds, teaches nothing. `nano`: many hours of a core, an eighth of the width. `quick`:
 * weeks. `paper`: as published, many days on four GPUs and out of reach of a CPU.
 */
export const LSUN_CHURCH_PRESETS = ['smoke', 'nano', 'quick', 'paper'] as const;

const PAPER: PictureConfig = {
  revision: REVISION,
  steps: 400 * PAPER_EPOCH,
  batch: 48,
  network: {
    width: 64,
    multipliers: '1,2,2,4,4',
    blocks: 2,
    latentDim: 100,
    styleDim: 256,
    mappingDepth: 4,
    encoderWidth: 64,
    encoderTimeDim: 256,
    dropout: 0,
  },
  diffusion: { steps: 4 },
  objective: {
    form: 'encoder',
    divergence: 'jeffreys',
    latent: true,
    gamma: 0.005,
    latentWeight: 0.1,
    weight: 0.6,
    middleWeight: 0.2,
  },
  optimizer: {
    energyRate: 5e-5,
    generatorRate: 5e-5,
    minimumRate: 1e-5,
    beta1: 0,
    beta2: 0.9,
    ema: 0.999,
  },
  // 50,000 samples would be 2.5 GB of each evaluation.
  evaluation: { every: 30 * PAPER_EPOCH, samples: 10_000, pictures: 36 },
  data: { images: IMAGES, fit: 'shorter' },
};

const SMALL: Overrides = {
  'network.blocks': 1,
  'network.styleDim': 64,
  'network.mappingDepth': 2,
  'network.encoderTimeDim': 64,
};

const CHANGES: Readonly<Record<(typeof LSUN_CHURCH_PRESETS)[number], Overrides>> = {
  smoke: {
    ...SMALL,
    steps: 4,
    batch: 4,
    'network.width': 4,
    'network.multipliers': '1,1,1,1',
    'network.latentDim': 8,
    'network.styleDim': 8,
    'network.encoderWidth': 2,
    'network.encoderTimeDim': 8,
    'optimizer.ema': 0.5,
    'evaluation.every': 2,
    'evaluation.samples': 8,
    'evaluation.pictures': 4,
  },
  nano: {
    ...SMALL,
    steps: 2000,
    batch: 8,
    'network.width': 8,
    'network.encoderWidth': 8,
    'optimizer.energyRate': 3e-4,
    'optimizer.generatorRate': 5e-4,
    'optimizer.ema': 0.995,
    'evaluation.every': 250,
    'evaluation.samples': 500,
  },
  quick: {
    steps: 40_000,
    batch: 16,
    'network.width': 32,
    'network.encoderWidth': 32,
    'optimizer.energyRate': 2e-4,
    'optimizer.generatorRate': 2e-4,
    'evaluation.every': 2500,
    'evaluation.samples': 2000,
  },
  paper: {},
};

/**
 * DDAEBM on LSUN church, 128 × 128 (paper, Figures 8 and 9): the published LMDB environment, or
 * folders of pictures. Its levels lie closer to the data than those of the other sets, and eq. (21)
 * weighs their reconstructions.
 */
export const lsunChurch: PictureExperiment = pictureExperiment({
  name: 'lsun-church',
  size: 128,
  schedule: 'lsun128',
  encoder: largeEncoder,
  unet: { filter: DDPMPP_LSUN128.filter, progressiveInput: DDPMPP_LSUN128.progressiveInput },
  revision: REVISION,
  places: {
    title: 'LSUN church',
    training: [
      { path: 'church_outdoor_train_lmdb', keys: 'order' },
      { path: 'train.lmdb' },
      { path: 'train' },
    ],
    test: [{ path: 'test.lmdb' }, { path: 'test' }],
    needs:
      'download church_outdoor_train_lmdb.zip from its authors (github.com/fyu/lsun has the script) and unpack it there; pictures after the first 120,000 are the test pictures',
  },
  paper: PAPER,
  presets: CHANGES,
});
