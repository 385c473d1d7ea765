import { encoder64 } from '../models/encoders.ts';
import type { Overrides } from './overrides.ts';
import {
  type PictureConfig,
  type PictureExperiment,
  pictureExperiment,
} from './picture-experiment.ts';

/** Raised when the code changes what a configuration computes, so that old runs are not reused. */
const REVISION = 1;

/** Aligned pictures of the training split. */
const IMAGES = 162_770;

/** Iterations of an epoch in the paper: batches of 32 by each of four processes. */
const PAPER_EPOCH = 1271;

/**
 * `smoke`: seconds, teaches nothing. `nano`: hours of a core, an eighth of the width. `quick`: days.
 * `paper`: as published, days on four GPUs and out of reach of a CPU.
 */
export const CELEBA64_PRESETS = ['smoke', 'nano', 'quick', 'paper'] as const;

const PAPER: PictureConfig = {
  revision: REVISION,
  steps: 400 * PAPER_EPOCH,
  batch: 128,
  network: {
    width: 64,
    multipliers: '1,1,2,2,4',
    blocks: 2,
    latentDim: 100,
    styleDim: 256,
    mappingDepth: 4,
    encoderWidth: 64,
    encoderTimeDim: 256,
    dropout: 0.1,
  },
  diffusion: { steps: 4 },
  objective: {
    form: 'encoder',
    divergence: 'jeffreys',
    latent: true,
    gamma: 0.002,
    latentWeight: 0.1,
  },
  optimizer: {
    energyRate: 5e-5,
    generatorRate: 5e-5,
    minimumRate: 1e-5,
    beta1: 0,
    beta2: 0.9,
    ema: 0.999,
  },
  evaluation: { every: 50 * PAPER_EPOCH, samples: 50_000, pictures: 64 },
  data: { images: IMAGES, fit: 'celeba' },
};

const SMALL: Overrides = {
  'network.blocks': 1,
  'network.styleDim': 64,
  'network.mappingDepth': 2,
  'network.encoderTimeDim': 64,
};

const CHANGES: Readonly<Record<(typeof CELEBA64_PRESETS)[number], Overrides>> = {
  smoke: {
    ...SMALL,
    steps: 4,
    batch: 4,
    'network.width': 4,
    'network.multipliers': '1,1,1',
    'network.latentDim': 8,
    'network.styleDim': 8,
    'network.encoderWidth': 2,
    'network.encoderTimeDim': 8,
    'optimizer.ema': 0.5,
    'evaluation.every': 2,
    'evaluation.samples': 16,
    'evaluation.pictures': 9,
  },
  nano: {
    ...SMALL,
    steps: 2000,
    batch: 16,
    'network.width': 8,
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
    'evaluation.every': 2500,
    'evaluation.samples': 5000,
  },
  paper: {},
};

/**
 * DDAEBM on CelebA, 64 × 64 (paper, Table 3): `train.lmdb` and `validation.lmdb` of NVAE, or folders
 * of the aligned pictures.
 */
export const celeba64: PictureExperiment = pictureExperiment({
  name: 'celeba64',
  size: 64,
  schedule: 'celeba64',
  encoder: encoder64,
  revision: REVISION,
  places: {
    title: 'CelebA',
    training: [{ path: 'train.lmdb' }, { path: 'train' }],
    test: [
      { path: 'validation.lmdb' },
      { path: 'validation' },
      { path: 'test.lmdb' },
      { path: 'test' },
    ],
    needs:
      'download the aligned pictures (img_align_celeba.zip, 202,599 JPEG files of 178 x 218) from its authors, mmlab.ie.cuhk.edu.hk/projects/CelebA.html, and put 000001.jpg to 162770.jpg into the folder train and 162771.jpg to 182637.jpg into the folder validation; the LMDB environments of NVAE are read as they are',
  },
  paper: PAPER,
  presets: CHANGES,
});
