import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { NumericError } from '../core/errors.ts';
import type { HostTensor } from '../core/host-tensor.ts';
import { type LabelledImages, loadCifar10 } from '../datasets/image-set.ts';
import { encodeRgbPng, pictureSheet } from '../datasets/png.ts';
import { train } from '../train/loop.ts';
import type { OpenRun, TrainingRun } from '../train/run.ts';
import {
  bytes,
  type Cifar10Numbers,
  type Cifar10Row,
  flippedBatches,
  imagesOf,
  moments,
} from './cifar10.ts';
import { cifar10Distances } from './cifar10-distances.ts';
import { Cifar10Evaluator } from './cifar10-evaluation.ts';
import {
  encodeSamples,
  firstImages,
  readSamples,
  samplesName,
  thumbnailDistance,
  toBytes,
} from './cifar10-samples.ts';
import { dataFolder } from './data-folder.ts';
import { type DrlImageConfig, drlImageConfig, drlImageObjective, drlRates } from './drl-config.ts';
import { DrlEvaluator, type LevelEnergies } from './drl-evaluation.ts';
import { type Estimate, estimateTraining } from './eta.ts';
import { EvaluatedRun } from './evaluated-run.ts';
import {
  type KeptOutcome,
  type KeptRun,
  type KeptRunOptions,
  keptRun,
  sharedTraining,
} from './kept-run.ts';
import type { Overrides } from './overrides.ts';
import { defaultRunsFolder } from './runs-folder.ts';

export interface DrlOptions extends KeptRunOptions {
  /** Default `nano`. */
  readonly preset?: string;
  /** Changes to the preset by dotted path, e.g. `{ 'chain.steps': 15 }`. */
  readonly overrides?: Overrides;
  /** Folder of CIFAR-10's binary files. Default: the fetched one. */
  readonly data?: string;
}

export interface DrlNumbers extends Pick<Cifar10Numbers, 'floor' | 'curve' | 'distances'> {
  readonly series: readonly Cifar10Row[];
  /** Of the energy network, the only one there is. */
  readonly parameters: number;
  /** Gradients of the energy for one sample: K·T. */
  readonly networkEvaluations: number;
  /** f(y_t, t) after the last iteration, level by level. */
  readonly levels: readonly LevelEnergies[];
}

export interface DrlResult {
  readonly preset: string;
  readonly config: DrlImageConfig;
  readonly run: KeptRun<DrlImageConfig, DrlNumbers>;
  readonly numbers: DrlNumbers;
  /** Bytes [evaluations, n, 3, 32, 32]: the same noise at every evaluation of the series. */
  readonly pictures: HostTensor;
  /** Bytes [T + 1, n, 3, 32, 32]: the first samples on their way, x_T, …, x_0. */
  readonly trajectory: HostTensor;
  /** Bytes [n, 3, 32, 32]: images of the training set. */
  readonly real: HostTensor;
  /** 0.01·f/δ_0² at level 0 by kind of image: `test`, `generated`, `noise 0.1`, … */
  readonly energies: Readonly<Record<string, HostTensor>>;
}

/** Prefix of the arrays that hold energies. */
const ENERGY = 'energy/';

/** Rows of the loss curve. */
const CURVE_ROWS = 200;

/** Samples whose way is kept. */
const ON_THE_WAY = 8;

/** A loss below this has run away; the authors' code stops there as well. */
const LOWEST_LOSS = -1e6;

/**
 * Trains diffusion recovery likelihood (Gao et al., ICLR 2021) on CIFAR-10, or takes the result
 * that is there. Every evaluation leaves samples (bytes, in safetensors) and a sheet of pictures
 * (PNG) in the folder of the run.
 * @throws ConfigError for an unknown preset or setting; DataError when CIFAR-10 is not here;
 * NumericError when training diverges; InterruptedError when stopped.
 */
export async function runDrl(options: DrlOptions = {}): Promise<DrlResult> {
  const { preset = 'nano', seed = 0 } = options;
  const config = drlImageConfig(preset, options.overrides);
  const identity = {
    ...{ experiment: 'drl', config, seed },
    computation: () => drlTraining(config, cifar10Images(options.data, 'train')),
  };
  const run = await keptRun<DrlImageConfig, DrlNumbers>(
    identity,
    { shippedFirst: true, ...options },
    (folder) => trainDrl(folder, config, options),
  );
  const numbers = measured(run, options);
  const { pictures, real, trajectory } = run.arrays;
  const energies = Object.fromEntries(
    Object.entries(run.arrays)
      .filter(([name]) => name.startsWith(ENERGY))
      .map(([name, values]) => [name.slice(ENERGY.length), values]),
  );
  return {
    preset,
    config,
    run: { ...run, numbers },
    numbers,
    pictures,
    trajectory,
    real,
    energies,
  };
}

/** The numbers with the distances of the stored samples, which a later classifier can measure too. */
function measured(
  { numbers, key, origin }: KeptRun<DrlImageConfig, DrlNumbers>,
  { root = defaultRunsFolder(), data }: DrlOptions,
): DrlNumbers {
  if (numbers.distances !== undefined || origin === 'shipped') return numbers;
  const distances = cifar10Distances(join(root, key), data);
  return { ...numbers, ...(distances && { distances }) };
}

/** Measures a few iterations of a training. @throws DataError when CIFAR-10 is not here. */
export async function estimateDrl(options: DrlOptions = {}): Promise<Estimate> {
  const config = drlImageConfig(options.preset, options.overrides);
  const { objective, data, steps } = drlTraining(config, cifar10Images(options.data, 'train'));
  return estimateTraining(objective, data, steps);
}

function cifar10Images(folder: string | undefined, split: 'train' | 'test'): LabelledImages {
  return loadCifar10(dataFolder('cifar10', folder), split);
}

/** What of a training decides its numbers, beside the seed. */
function drlTraining(config: DrlImageConfig, { images }: LabelledImages) {
  return {
    objective: drlImageObjective(config),
    data: flippedBatches(images, config.batch),
    steps: config.steps,
    scalars: drlRates(config),
  };
}

async function trainDrl(
  folder: OpenRun,
  config: DrlImageConfig,
  options: DrlOptions,
): Promise<KeptOutcome<DrlNumbers>> {
  const { seed = 0, checkpointSeconds = 60, onProgress, signal } = options;
  const { evaluation, chain, diffusion } = config;
  const training = drlTraining(config, cifar10Images(options.data, 'train'));
  const { objective } = training;
  const test = cifar10Images(options.data, 'test').images;
  const truth = firstImages(test, evaluation.samples);
  const evaluator = new DrlEvaluator(objective, config, seed);
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
    ...sharedTraining(options, config.batch, (batch) => drlImageObjective({ ...config, batch })),
    seed,
    run: guarded(evaluated),
    checkpointSeconds,
    checkpointSteps: evaluation.every,
    logEvery: Math.max(1, Math.floor(config.steps / CURVE_ROWS)),
    onProgress: onProgress && ((progress) => onProgress(progress, 'drl')),
    signal,
  });
  const { series } = evaluated;
  const files = series.map(({ step }) => join(folder.folder, samplesName(step)));
  const sheets = files.filter(existsSync).map((path) => readSamples(path));
  const shown = sheets.map((images) => firstImages(images, evaluation.pictures).pixels);
  const train50k = cifar10Images(options.data, 'train').images;
  const reals = firstImages(train50k, evaluation.pictures);
  const generated = sheets[sheets.length - 1];
  const energies = new Cifar10Evaluator(objective, seed).energies(trained.state, {
    test,
    generated,
  });
  const way = evaluator.trajectory(trained.state, ON_THE_WAY);
  return {
    numbers: {
      series,
      floor: thumbnailDistance(firstImages(train50k, evaluation.samples), truth),
      curve: folder.metrics(),
      parameters: objective.parameterCount,
      networkEvaluations: chain.steps * diffusion.levels,
      levels: evaluator.levels(trained.state, test),
    },
    arrays: {
      pictures: bytes(shown, [shown.length, evaluation.pictures]),
      trajectory: bytes(way.map(toBytes), [way.length, ON_THE_WAY]),
      real: bytes([reals.pixels], [evaluation.pictures]),
      ...Object.fromEntries(Object.entries(energies).map(([k, v]) => [`${ENERGY}${k}`, v])),
    },
    steps: trained.step,
    seconds: trained.seconds,
    checksum: trained.checksum,
  };
}

/** The same run, which ends when the loss has run away. */
function guarded(run: TrainingRun): TrainingRun {
  return {
    restore: (template) => run.restore(template),
    save: (checkpoint) => run.save(checkpoint),
    log(row) {
      run.log(row);
      if (row['energyLoss'] >= LOWEST_LOSS) return;
      throw new NumericError(
        `drl: at iteration ${row.step} the loss is ${row['energyLoss']}, expected at least ${LOWEST_LOSS}; lower optimizer.rate`,
      );
    },
  };
}
