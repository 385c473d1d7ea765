import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { type Key, uniform } from '../core/random.ts';
import { epochBatches, gatherRows } from '../datasets/epochs.ts';
import { type LabelledImages, loadCifar10 } from '../datasets/image-set.ts';
import type { ByteImages } from '../datasets/images.ts';
import { encodeRgbPng, pictureSheet } from '../datasets/png.ts';
import { train } from '../train/loop.ts';
import type { MetricsRow, OpenRun } from '../train/run.ts';
import {
  CIFAR_DIM,
  CIFAR_SHAPE,
  type Cifar10Config,
  cifar10Config,
  cifar10Objective,
  cifar10Rates,
} from './cifar10-config.ts';
import { type Cifar10Distances, cifar10Distances } from './cifar10-distances.ts';
import { Cifar10Evaluator } from './cifar10-evaluation.ts';
import {
  encodeSamples,
  firstImages,
  readSamples,
  samplesName,
  thumbnailDistance,
} from './cifar10-samples.ts';
import { dataFolder } from './data-folder.ts';
import { type Estimate, estimateTraining } from './eta.ts';
import { EvaluatedRun } from './evaluated-run.ts';
import { type KeptOutcome, type KeptRun, type KeptRunOptions, keptRun } from './kept-run.ts';
import type { Overrides } from './overrides.ts';
import { defaultRunsFolder } from './runs-folder.ts';

export interface Cifar10Options extends KeptRunOptions {
  /** Default `nano`. */
  readonly preset?: string;
  /** Changes to the preset by dotted path, e.g. `{ 'diffusion.steps': 2 }`. */
  readonly overrides?: Overrides;
  /** Folder of CIFAR-10's binary files. Default: the fetched one. */
  readonly data?: string;
}

/** What some samples of the generator were like. */
export interface Cifar10Row {
  readonly step: number;
  readonly samples: number;
  /** Fréchet distance of 4 × 4 thumbnails to those of as many test images. */
  readonly thumbnailDistance: number;
  /** Mean and standard deviation of all their pixels, in [0, 1]. */
  readonly mean: number;
  readonly deviation: number;
}

export interface Cifar10Numbers {
  readonly series: readonly Cifar10Row[];
  /** The thumbnail distance of as many training images to the test images: what is to be reached. */
  readonly floor: number;
  /** Losses on the way, means over the iterations since the row before. */
  readonly curve: readonly MetricsRow[];
  /** Parameters of the energy, and of generator and encoder. */
  readonly parameters: { readonly energy: number; readonly generator: number };
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

/** Prefix of the arrays that hold energies. */
const ENERGY = 'energy/';

/** Rows of the loss curve. */
const CURVE_ROWS = 200;

/**
 * Trains DDAEBM on CIFAR-10 (paper, Table 2), or takes the result that is there. Every evaluation
 * leaves samples (bytes, in safetensors) and a sheet of pictures (PNG) in the folder of the run.
 * @throws ConfigError for an unknown preset or setting; DataError when CIFAR-10 is not here;
 * NumericError when training diverges; InterruptedError when stopped.
 */
export async function runCifar10(options: Cifar10Options = {}): Promise<Cifar10Result> {
  const { preset = 'nano', seed = 0 } = options;
  const config = cifar10Config(preset, options.overrides);
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
  const energies = Object.fromEntries(
    Object.entries(run.arrays)
      .filter(([name]) => name.startsWith(ENERGY))
      .map(([name, values]) => [name.slice(ENERGY.length), values]),
  );
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
  const { objective, data, steps } = cifar10Training(config, cifar10Images(options.data, 'train'));
  return estimateTraining(objective, data, steps);
}

function cifar10Images(folder: string | undefined, split: 'train' | 'test'): LabelledImages {
  return loadCifar10(dataFolder('cifar10', folder), split);
}

/** What of a training decides its numbers, beside the seed. */
function cifar10Training(config: Cifar10Config, { images }: LabelledImages) {
  return {
    objective: cifar10Objective(config),
    data: flippedBatches(images, config.batch),
    steps: config.steps,
    scalars: cifar10Rates(config),
  };
}

async function trainCifar10(
  folder: OpenRun,
  config: Cifar10Config,
  options: Cifar10Options,
): Promise<KeptOutcome<Cifar10Numbers>> {
  const { seed = 0, checkpointSeconds = 60, onProgress, signal } = options;
  const { evaluation } = config;
  const training = cifar10Training(config, cifar10Images(options.data, 'train'));
  const { objective } = training;
  const test = cifar10Images(options.data, 'test').images;
  const truth = firstImages(test, evaluation.samples);
  const evaluator = new Cifar10Evaluator(objective, seed);
  const evaluated = new EvaluatedRun<Cifar10Row>(folder, evaluation.every, (state, step) => {
    const pixels = evaluator.samples(state, evaluation.samples);
    folder.write(samplesName(step), encodeSamples(pixels));
    const images = imagesOf(pixels);
    const shown = firstImages(images, evaluation.pictures);
    const name = samplesName(step).replace('safetensors', 'png');
    folder.write(name, encodeRgbPng(pictureSheet(shown)));
    return {
      step,
      samples: images.count,
      thumbnailDistance: thumbnailDistance(images, truth),
      ...moments(pixels),
    };
  });
  const trained = await train({
    ...training,
    seed,
    run: evaluated,
    checkpointSeconds,
    checkpointSteps: evaluation.every,
    logEvery: Math.max(1, Math.floor(config.steps / CURVE_ROWS)),
    onProgress: onProgress && ((progress) => onProgress(progress, 'ddaebm')),
    signal,
  });
  const { series } = evaluated;
  const files = series.map(({ step }) => join(folder.folder, samplesName(step)));
  const sheets = files.filter(existsSync).map((path) => readSamples(path));
  const shown = sheets.map((images) => firstImages(images, evaluation.pictures).pixels);
  const train50k = cifar10Images(options.data, 'train').images;
  const reals = firstImages(train50k, evaluation.pictures);
  const last = sheets[sheets.length - 1];
  const energies = evaluator.energies(trained.state, { test, generated: last });
  const layout = objective.players;
  return {
    numbers: {
      series,
      floor: thumbnailDistance(firstImages(train50k, evaluation.samples), truth),
      curve: folder.metrics(),
      parameters: {
        energy: layout.energy.layout.total,
        generator: layout.generator.layout.total,
      },
    },
    arrays: {
      pictures: bytes(shown, [shown.length, evaluation.pictures]),
      real: bytes([reals.pixels], [evaluation.pictures]),
      ...Object.fromEntries(Object.entries(energies).map(([k, v]) => [`${ENERGY}${k}`, v])),
    },
    steps: trained.step,
    seconds: trained.seconds,
    checksum: trained.checksum,
  };
}

/** Batches [batch, 3, 32, 32] in [−1, 1], half of the images mirrored. */
export function flippedBatches(images: ByteImages, batch: number): (key: Key) => HostTensor {
  const places = epochBatches(images.count, batch);
  const { width } = images;
  return (key) => {
    const pixels = gatherRows(images.pixels, CIFAR_DIM, places(key));
    const coins = uniform({ ...key, stream: `${key.stream}/flip` }, batch);
    const data = new Float32Array(pixels.length);
    for (let i = 0; i < pixels.length; i++) {
      const mirrored = coins[Math.floor(i / CIFAR_DIM)] < 0.5;
      const from = mirrored ? i + width - 1 - 2 * (i % width) : i;
      data[i] = pixels[from] / 127.5 - 1;
    }
    return hostTensor(data, [batch, ...CIFAR_SHAPE]);
  };
}

/** Pixels [n, 3, 32, 32] as images. */
export function imagesOf(pixels: Uint8Array): ByteImages {
  const [channels, height, width] = CIFAR_SHAPE;
  return { count: pixels.length / CIFAR_DIM, channels, height, width, pixels };
}

/** Mean and standard deviation of bytes as numbers in [0, 1]. */
export function moments(pixels: Uint8Array): { mean: number; deviation: number } {
  let sum = 0;
  let squares = 0;
  for (const v of pixels) {
    sum += v;
    squares += v * v;
  }
  const mean = sum / pixels.length;
  return { mean: mean / 255, deviation: Math.sqrt(squares / pixels.length - mean ** 2) / 255 };
}

/** Bytes as whole numbers, the form in which arrays of results are kept. */
export function bytes(parts: readonly Uint8Array[], shape: readonly number[]): HostTensor {
  const data = new Int32Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return hostTensor(data, [...shape, ...CIFAR_SHAPE]);
}
