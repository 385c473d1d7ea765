import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { loadMnist } from '../datasets/image-set.ts';
import {
  type StackedMnist,
  splitStacked,
  stackedMnist,
  stackedPlaces,
} from '../datasets/stacked-mnist.ts';
import { jit, type Tensor } from '../jit/index.ts';
import { labelFrequencies, labelModes, sharedKl, stackedLabels } from '../metrics/modes.ts';
import type { HostState, Objective } from '../objectives/objective.ts';
import { train } from '../train/loop.ts';
import { drawNoise } from '../train/noise.ts';
import type { OpenRun } from '../train/run.ts';
import { dataFolder } from './data-folder.ts';
import { type Estimate, estimateTraining } from './eta.ts';
import { EvaluatedRun } from './evaluated-run.ts';
import {
  type KeptOutcome,
  type KeptRun,
  type KeptRunOptions,
  keptRun,
  sharedTraining,
} from './kept-run.ts';
import { type DigitClassifier, loadMnistClassifier } from './mnist-classifier.ts';
import type { Overrides } from './overrides.ts';
import {
  STACKED_DIM,
  type StackedConfig,
  stackedConfig,
  stackedObjective,
} from './stacked-config.ts';

const MODES = 1000;

export interface StackedOptions extends KeptRunOptions {
  /** Default `ddaebm`. */
  readonly method?: string;
  /** Default `quick`. */
  readonly preset?: string;
  readonly overrides?: Overrides;
  /** Folder of MNIST's IDX files. Default: the fetched one. */
  readonly data?: string;
}

/** Modes found by some samples. */
export interface StackedCount {
  readonly step: number;
  readonly samples: number;
  /** Distinct triples of digits, of 1000. */
  readonly modes: number;
  /** KL(samples ‖ uniform) and KL(samples ‖ data), nats. */
  readonly klToUniform: number;
  readonly klToData: number;
}

export interface StackedNumbers extends StackedCount {
  readonly series: readonly StackedCount[];
}

export interface StackedResult {
  readonly preset: string;
  readonly config: StackedConfig;
  readonly run: KeptRun<StackedConfig, StackedNumbers>;
  readonly numbers: StackedNumbers;
  /** Pictures [n, 3, 32, 32] in [0, 1]. */
  readonly pictures: HostTensor;
}

/**
 * KL(n draws ‖ uniform) in nats that a perfect sampler of `modes` equally likely modes is expected
 * to have, exactly: modes · E[X/n log(X modes/n)] for X binomial (n, 1/modes). About
 * (modes − 1)/2n where n is much larger than `modes`.
 */
export function samplingFloor(samples: number, modes = MODES): number {
  if (modes < 2) return 0;
  const odds = Math.log(1 / (modes - 1));
  let logProbability = samples * Math.log1p(-1 / modes);
  let sum = 0;
  for (let x = 1; x <= samples; x++) {
    logProbability += Math.log((samples - x + 1) / x) + odds;
    // Far above the mean nothing is left.
    if (x * modes > samples && logProbability < -60) break;
    sum += Math.exp(logProbability) * (x / samples) * Math.log((x * modes) / samples);
  }
  return modes * sum;
}

/**
 * Trains a generator of StackedMNIST by one of the methods and counts the modes of its samples
 * (paper, Table 11), or takes the result that is there.
 * @throws ConfigError for an unknown name or setting; DataError when MNIST or the classifier is not
 * here; NumericError when training diverges; InterruptedError when stopped.
 */
export async function runStacked(options: StackedOptions = {}): Promise<StackedResult> {
  const { preset = 'quick', seed = 0 } = options;
  const config = stackedConfig(options.method, preset, options.overrides);
  const identity = {
    ...{ experiment: 'stacked', config, seed },
    computation: () => stackedTraining(config, dataOf({ ...options, seed: 0 })),
  };
  const run = await keptRun<StackedConfig, StackedNumbers>(
    identity,
    { shippedFirst: true, ...options },
    (folder) => trainStacked(folder, config, options),
  );
  return { preset, config, run, numbers: run.numbers, pictures: run.arrays['pictures'] };
}

/** Measures a few iterations of a training. @throws DataError when MNIST is not here. */
export async function estimateStacked(options: StackedOptions = {}): Promise<Estimate> {
  const config = stackedConfig(options.method, options.preset, options.overrides);
  const { objective, data, steps } = stackedTraining(config, dataOf(options));
  return estimateTraining(objective, data, steps);
}

/** What of a training decides its numbers, beside the seed. */
function stackedTraining(config: StackedConfig, set: StackedMnist) {
  const objective = stackedObjective(config);
  return { objective, data: batches(set, objective), steps: config.steps };
}

/** Counts the modes of real triples, `samples` of them: what a perfect sampler would get. */
export function countOfData(samples: number, options: StackedOptions = {}): StackedCount {
  const set = dataOf(options);
  const { classify } = loadMnistClassifier();
  const at = stackedPlaces(
    set,
    { seed: options.seed ?? 0, stream: 'stacked/real', step: 0 },
    samples,
  );
  const digits = new Uint8Array(3 * samples);
  const chunk = 1000;
  for (let done = 0; done < samples; done += chunk) {
    const images = set.images(at.subarray(done, done + chunk));
    digits.set(classify(splitStacked(images)), 3 * done);
  }
  return count(digits, 0, set);
}

/** Real triples [n, 3, 32, 32] in [0, 1]. @throws DataError when MNIST is not here. */
export function picturesOfData(n: number, options: StackedOptions = {}): HostTensor {
  const set = dataOf(options);
  const key = { seed: options.seed ?? 0, stream: 'stacked/shown', step: 0 };
  const pictures = set.images(stackedPlaces(set, key, n)).map((v) => (v + 1) / 2);
  return hostTensor(pictures, [n, 3, 32, 32]);
}

async function trainStacked(
  folder: OpenRun,
  config: StackedConfig,
  options: StackedOptions,
): Promise<KeptOutcome<StackedNumbers>> {
  const { seed = 0, checkpointSeconds, onProgress, signal } = options;
  const { evaluation } = config;
  const set = dataOf(options);
  const { classify } = loadMnistClassifier();
  const training = stackedTraining(config, set);
  const { objective } = training;
  const sampler = samplerOf(objective, seed);
  const judge = (state: HostState, step: number, samples: number): StackedCount => {
    const digits = sampler.digits(state, samples, classify);
    return count(digits, step, set);
  };
  const evaluated = new EvaluatedRun<StackedCount>(folder, evaluation.every, (state, step) =>
    judge(state, step, evaluation.samples),
  );
  const trained = await train({
    ...training,
    ...sharedTraining(options, config.batch, (batch) => stackedObjective({ ...config, batch })),
    seed,
    run: evaluated,
    checkpointSeconds,
    checkpointSteps: evaluation.every,
    onProgress: onProgress && ((progress) => onProgress(progress, config.method)),
    signal,
  });
  const final = judge(trained.state, trained.step, evaluation.finalSamples);
  const { pictures: n } = evaluation;
  const bytes = sampler
    .draw(trained.state, 0)
    .subarray(0, n * STACKED_DIM)
    .map((v) => Math.round((255 * (Math.min(1, Math.max(-1, v)) + 1)) / 2) / 255);
  return {
    numbers: { ...final, series: evaluated.series },
    arrays: { pictures: hostTensor(bytes, [n, 3, 32, 32]) },
    steps: trained.step,
    seconds: trained.seconds,
    checksum: trained.checksum,
  };
}

function dataOf({ data, seed = 0 }: StackedOptions): StackedMnist {
  const digits = loadMnist(dataFolder('mnist', data), 'train');
  return stackedMnist(digits, { seed, stream: 'stacked-mnist', step: 0 });
}

function batches(set: StackedMnist, { batchShape }: Objective) {
  return (key: Parameters<typeof stackedPlaces>[1]): HostTensor =>
    hostTensor(set.images(stackedPlaces(set, key, batchShape[0])), batchShape);
}

/** Samples drawn at once; batch norm uses their own statistics. */
const DRAWN = 200;

function samplerOf(objective: Objective, seed: number) {
  const sample = jit(
    (s: unknown, noise: Readonly<Record<string, Tensor>>) => objective.sample!(s, noise),
    { name: 'stacked/sample' },
  ) as unknown as (s: unknown, noise: unknown) => Tensor;
  const draw = (state: HostState, index: number): Float32Array => {
    const key = { seed, stream: 'stacked/sample', step: index };
    const out = sample(state, drawNoise(objective.sampleNoise!(DRAWN), key));
    const copy = (out.dataSync() as Float32Array).slice();
    out.dispose();
    return copy;
  };
  const digits = (state: HostState, samples: number, classify: DigitClassifier): Uint8Array => {
    const found = new Uint8Array(3 * Math.ceil(samples / DRAWN) * DRAWN);
    for (let i = 0; i * DRAWN < samples; i++) {
      found.set(classify(splitStacked(draw(state, i))), 3 * i * DRAWN);
    }
    return found.subarray(0, 3 * samples);
  };
  return { draw, digits };
}

function count(digits: Uint8Array, step: number, set: StackedMnist): StackedCount {
  const labels = stackedLabels(digits);
  const { count: modes, klToUniform } = labelModes(labels, MODES);
  const klToData = sharedKl(labelFrequencies(labels, MODES), labelFrequencies(set.labels, MODES));
  return { step, samples: labels.length, modes, klToUniform, klToData };
}
