import { unknownName } from '../core/errors.ts';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import type { Key } from '../core/random.ts';
import { logitPixels } from '../datasets/dequantise.ts';
import { epochBatches, gatherRows } from '../datasets/epochs.ts';
import { type LabelledImages, loadMnist } from '../datasets/image-set.ts';
import { train } from '../train/loop.ts';
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
import { NiceEvaluator, type NiceNumbers, type NiceRow } from './nice-evaluation.ts';
import { type NiceMethod, niceMethod, niceMethodSpec } from './nice-methods.ts';
import { checkNice, EPOCH, MNIST_DIM, type NiceCommon, niceRates } from './nice-settings.ts';
import { type Overrides, withOverrides } from './overrides.ts';

/**
 * `smoke`: seconds, teaches nothing. `quick`: at most a quarter of an hour on two cores, a network
 * of a quarter of the width. `overnight`: the paper's network for 20 epochs. `paper`: as published.
 */
export const NICE_PRESETS = ['smoke', 'quick', 'overnight', 'paper'] as const;

export interface NiceChoice {
  /** Default `mle`. */
  readonly method?: string;
  /** Default `quick`. */
  readonly preset?: string;
  /** Changes to the preset by dotted path, e.g. `{ 'objective.fakeWeight': 1 }`. */
  readonly overrides?: Overrides;
}

export interface NiceOptions extends NiceChoice, KeptRunOptions {
  /** Folder of MNIST's IDX files. Default: the fetched one. */
  readonly data?: string;
}

export interface NiceRun {
  readonly method: NiceMethod;
  readonly title: string;
  readonly preset: string;
  readonly config: NiceCommon;
  readonly run: KeptRun<NiceCommon, NiceNumbers>;
  readonly numbers: NiceNumbers;
  /** Images [n, 784] in [0, 1]: exact samples of the energy, and the generator's (if there is one). */
  readonly exact: HostTensor;
  readonly generated: HostTensor | undefined;
}

const SHRUNK: Overrides = { 'network.width': 250, 'optimizer.schedule': 'cosine' };

/** Peak rates of the shorter presets; they fall by a cosine. */
const PEAK: Readonly<Record<'likelihood' | 'game', Overrides>> = {
  likelihood: { 'optimizer.energyRate': 1e-3 },
  game: { 'optimizer.energyRate': 3e-4, 'optimizer.generatorRate': 3e-4 },
};

/** Wider networks want smaller steps. */
const WIDE: Overrides = { 'optimizer.energyRate': 5e-4 };

/** So does a network that is told the time: at 1e-3 it diverged in its seventh epoch. */
const TIMED: Readonly<Record<'quick' | 'overnight', Overrides>> = {
  quick: { 'optimizer.energyRate': 3e-4 },
  overnight: { 'optimizer.energyRate': 1e-4 },
};

/** An iteration of a game costs three to four of maximum likelihood. */
const FEWER: Overrides = { steps: 5 * EPOCH, 'evaluation.every': EPOCH };

/** The full configuration of a preset. @throws ConfigError for an unknown name or setting. */
export function niceConfig(choice: NiceChoice = {}): NiceCommon {
  const { preset = 'quick', overrides = {} } = choice;
  const method = niceMethod(choice.method ?? 'mle');
  const spec = niceMethodSpec(method);
  const game = !method.startsWith('mle');
  const timed = method === 'mle-t';
  const peak = game ? PEAK.game : PEAK.likelihood;
  const budget = { steps: 20 * EPOCH, 'evaluation.every': 2 * EPOCH };
  const changes: Record<string, Overrides> = {
    smoke: {
      ...SHRUNK,
      ...spec.quick,
      ...peak,
      'network.width': 16,
      steps: 6,
      'evaluation.every': 3,
      'evaluation.images': 100,
      'evaluation.samples': 4,
    },
    quick: {
      ...SHRUNK,
      ...spec.quick,
      ...peak,
      ...budget,
      ...(game && FEWER),
      ...(timed && TIMED.quick),
    },
    overnight: {
      'optimizer.schedule': 'cosine',
      ...peak,
      ...budget,
      ...(!game && WIDE),
      ...(timed && TIMED.overnight),
    },
    paper: {},
  };
  if (!Object.hasOwn(changes, preset)) throw unknownName('preset', preset, NICE_PRESETS);
  const config = withOverrides(withOverrides(spec.paper, changes[preset]), overrides);
  checkNice(config, method);
  spec.build(config);
  return config;
}

/**
 * Fits a NICE energy to MNIST by one of the methods of the paper's Table 1, or takes the result
 * that is there, and evaluates the test log-likelihood in nats in logit space.
 * @throws ConfigError for an unknown method, preset or setting; DataError when MNIST is not here;
 * NumericError when training diverges; InterruptedError when stopped.
 */
export async function runNice(options: NiceOptions = {}): Promise<NiceRun> {
  const { seed = 0, preset = 'quick' } = options;
  const config = niceConfig(options);
  const method = niceMethod(config.method);
  const { title } = niceMethodSpec(method);
  const identity = {
    ...{ experiment: 'nice', config, seed },
    computation: () => niceTraining(config, loadMnist(dataFolder('mnist', options.data), 'train')),
  };
  const run = await keptRun<NiceCommon, NiceNumbers>(
    identity,
    { shippedFirst: true, ...options },
    (folder) => trainNice(folder, config, options),
  );
  const { exact, generated } = run.arrays;
  return { method, title, preset, config, run, numbers: run.numbers, exact, generated };
}

/** Measures a few iterations of a training. @throws DataError when MNIST is not here. */
export async function estimateNice(options: NiceOptions = {}): Promise<Estimate> {
  const config = niceConfig(options);
  const images = loadMnist(dataFolder('mnist', options.data), 'train');
  const { objective, data, steps } = niceTraining(config, images);
  return estimateTraining(objective, data, steps);
}

/** What of a training decides its numbers, beside the seed. */
function niceTraining(config: NiceCommon, images: LabelledImages) {
  const spec = niceMethodSpec(niceMethod(config.method));
  const objective = spec.build(config);
  return {
    objective,
    data: niceData(images, objective.batchShape[0]),
    steps: config.steps,
    scalars: niceRates(config, spec.generatorPlayers),
  };
}

async function trainNice(
  folder: OpenRun,
  config: NiceCommon,
  options: NiceOptions,
): Promise<KeptOutcome<NiceNumbers>> {
  const { seed = 0, checkpointSeconds = 300, onProgress, signal } = options;
  const spec = niceMethodSpec(niceMethod(config.method));
  const files = dataFolder('mnist', options.data);
  const [trainSet, testSet] = [loadMnist(files, 'train'), loadMnist(files, 'test')];
  const training = niceTraining(config, trainSet);
  const { objective } = training;
  const evaluator = new NiceEvaluator(config, spec, objective, { trainSet, testSet, seed });
  const evaluated = new EvaluatedRun<NiceRow>(folder, config.evaluation.every, (state, step) =>
    evaluator.row(state, step),
  );
  const trained = await train({
    ...training,
    ...sharedTraining(options, config.batch, (batch) => spec.build({ ...config, batch })),
    seed,
    run: evaluated,
    checkpointSeconds,
    checkpointSteps: config.evaluation.every,
    onProgress: onProgress && ((progress) => onProgress(progress, spec.title)),
    signal,
  });
  const numbers = evaluator.numbers(trained.state, evaluated.series);
  const { steps, seconds, checksum } = { ...trained, steps: trained.step };
  return { numbers, arrays: evaluator.samples(trained.state), steps, seconds, checksum };
}

/** Batches of dequantised logits [batch, 784]. */
function niceData({ images }: LabelledImages, batch: number): (key: Key) => HostTensor {
  const places = epochBatches(images.count, batch);
  return (key) => {
    const pixels = gatherRows(images.pixels, MNIST_DIM, places(key));
    const noise = { ...key, stream: `${key.stream}/dequantise` };
    return hostTensor(logitPixels(pixels, noise), [batch, MNIST_DIM]);
  };
}
