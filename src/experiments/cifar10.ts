import { join } from 'node:path';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import type { Key } from '../core/random.ts';
import { epochBatches, gatherRows } from '../datasets/epochs.ts';
import { type LabelledImages, loadCifar10 } from '../datasets/image-set.ts';
import type { ByteImages } from '../datasets/images.ts';
import type { OpenRun } from '../train/run.ts';
import {
  CIFAR_DIM,
  CIFAR_SHAPE,
  CIFAR10,
  type Cifar10Config,
  cifar10Config,
} from './cifar10-config.ts';
import { type Cifar10Distances, cifar10Distances } from './cifar10-distances.ts';
import { dataFolder } from './data-folder.ts';
import type { Estimate } from './eta.ts';
import { estimateImages, imageExecution } from './image-parts.ts';
import {
  energiesOf,
  type ImageNumbers,
  type ImageRow,
  imageBytes,
  imagesOfSide,
  imageTraining,
  mirrored,
  trainImages,
} from './image-training.ts';
import { type KeptOutcome, type KeptRun, type KeptRunOptions, keptRun } from './kept-run.ts';
import type { Overrides } from './overrides.ts';
import { defaultRunsFolder } from './runs-folder.ts';

export { moments } from './image-training.ts';

export interface Cifar10Options extends KeptRunOptions {
  /** Default `nano`. */
  readonly preset?: string;
  /** Changes to the preset by dotted path, e.g. `{ 'diffusion.steps': 2 }`. */
  readonly overrides?: Overrides;
  /** Folder of CIFAR-10's binary files. Default: the fetched one. */
  readonly data?: string;
}

/** What some samples of the generator were like. */
export type Cifar10Row = ImageRow;

export interface Cifar10Numbers extends ImageNumbers {
  /** Of the features of the own classifier, where it is there. */
  readonly distances?: Cifar10Distances;
}

export interface Cifar10Result {
  readonly preset: string;
  readonly config: Cifar10Config;
  readonly run: KeptRun<Cifar10Config, Cifar10Numbers>;
  readonly numbers: Cifar10Numbers;
  /** Bytes [evaluations, n, 3, 32, 32]: the same latents at every evaluation of the series. */
  readonly pictures: HostTensor;
  /** Bytes [n, 3, 32, 32]: images of the training set. */
  readonly real: HostTensor;
  /** E(x, 0) by kind of image: `test`, `generated`, `noise 0.1`, …; a constant is free. */
  readonly energies: Readonly<Record<string, HostTensor>>;
}

/**
 * Trains DDAEBM on CIFAR-10 (paper, Table 2), or takes the result that is there. Every evaluation
 * leaves samples (bytes, in safetensors) and a sheet of pictures (PNG) in the folder of the run.
 * @throws ConfigError for an unknown preset or setting; DataError when CIFAR-10 is not here;
 * NumericError when training diverges; InterruptedError when stopped.
 */
export async function runCifar10(asked: Cifar10Options = {}): Promise<Cifar10Result> {
  const { preset = 'nano', seed = 0 } = asked;
  const config = cifar10Config(preset, asked.overrides);
  const options = { ...asked, parts: imageExecution(CIFAR10, config, asked).parts };
  const identity = {
    ...{ experiment: 'cifar10', config, seed },
    computation: () => cifar10Training(config, cifar10Images(options.data, 'train')),
  };
  const run = await keptRun<Cifar10Config, Cifar10Numbers>(
    identity,
    { shippedFirst: true, ...options },
    (folder) => trainCifar10(folder, config, options),
  );
  const numbers = measured(run, options);
  const { pictures, real } = run.arrays;
  const energies = energiesOf(run.arrays);
  return { preset, config, run: { ...run, numbers }, numbers, pictures, real, energies };
}

/** The numbers with the distances of the stored samples, which a later classifier can measure too. */
function measured(
  { numbers, key, origin }: KeptRun<Cifar10Config, Cifar10Numbers>,
  { root = defaultRunsFolder(), data }: Cifar10Options,
): Cifar10Numbers {
  if (numbers.distances !== undefined || origin === 'shipped') return numbers;
  const distances = cifar10Distances(join(root, key), data);
  return { ...numbers, ...(distances && { distances }) };
}

/** Measures a few iterations of a training. @throws DataError when CIFAR-10 is not here. */
export async function estimateCifar10(options: Cifar10Options = {}): Promise<Estimate> {
  const config = cifar10Config(options.preset, options.overrides);
  const training = cifar10Training(config, cifar10Images(options.data, 'train'));
  return estimateImages(CIFAR10, config, training, options);
}

function cifar10Images(folder: string | undefined, split: 'train' | 'test'): LabelledImages {
  return loadCifar10(dataFolder('cifar10', folder), split);
}

/** What of a training decides its numbers, beside the seed. */
function cifar10Training(config: Cifar10Config, { images }: LabelledImages) {
  return imageTraining(CIFAR10, config, flippedBatches(images, config.batch));
}

function trainCifar10(
  folder: OpenRun,
  config: Cifar10Config,
  options: Cifar10Options,
): Promise<KeptOutcome<Cifar10Numbers>> {
  const training = cifar10Images(options.data, 'train');
  const references = {
    training: training.images,
    test: cifar10Images(options.data, 'test').images,
  };
  const what = cifar10Training(config, training);
  return trainImages(folder, CIFAR10, config, what, references, options);
}

/** Batches [batch, 3, 32, 32] in [−1, 1], half of the images mirrored. */
export function flippedBatches(
  { count, pixels }: ByteImages,
  batch: number,
): (key: Key) => HostTensor {
  const places = epochBatches(count, batch);
  return mirrored((key) => {
    const bytes = gatherRows(pixels, CIFAR_DIM, places(key));
    return hostTensor(
      Float32Array.from(bytes, (v) => v / 127.5 - 1),
      [batch, ...CIFAR_SHAPE],
    );
  });
}

/** Bytes of images one behind the other, [...lead, 3, 32, 32], as arrays of results hold them. */
export function bytes(parts: readonly Uint8Array[], lead: readonly number[]): HostTensor {
  return imageBytes(parts, [...lead, ...CIFAR_SHAPE]);
}

/** Pixels [n, 3, 32, 32] as images. */
export function imagesOf(pixels: Uint8Array): ByteImages {
  return imagesOfSide(pixels, CIFAR10.size);
}
