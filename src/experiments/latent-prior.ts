import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import type { Key } from '../core/random.ts';
import { epochBatches, gatherRows } from '../datasets/epochs.ts';
import { type LabelledImages, loadMnist } from '../datasets/image-set.ts';
import { train } from '../train/loop.ts';
import type { OpenRun } from '../train/run.ts';
import { dataFolder } from './data-folder.ts';
import { type Estimate, estimateTraining } from './eta.ts';
import {
  type KeptOutcome,
  type KeptRun,
  type KeptRunOptions,
  keptRun,
  sharedTraining,
} from './kept-run.ts';
import {
  type LatentPriorExperiment,
  latentPriorConfig,
  latentPriorObjective,
  latentPriorRates,
} from './latent-prior-config.ts';
import { evaluateLatentPrior, type LatentPriorNumbers } from './latent-prior-evaluation.ts';
import type { Overrides } from './overrides.ts';

const PIXELS = 784;

export interface LatentPriorOptions extends KeptRunOptions {
  /** Default `quick`. */
  readonly preset?: string;
  readonly overrides?: Overrides;
  /** Folder of MNIST's IDX files. Default: the fetched one. */
  readonly data?: string;
}

export interface LatentPriorResult {
  readonly preset: string;
  readonly config: LatentPriorExperiment;
  readonly run: KeptRun<LatentPriorExperiment, LatentPriorNumbers>;
  readonly numbers: LatentPriorNumbers;
  /** Pictures [n, 784] in [0, 1]. */
  readonly originals: HostTensor;
  readonly reconstructions: HostTensor;
  /** Decoded samples of the prior with averaged parameters, with raw ones, and of N(0, I). */
  readonly samples: HostTensor;
  readonly rawSamples: HostTensor;
  readonly gaussianSamples: HostTensor;
  /** E(z) without the Gaussian part, of posterior latents, prior samples and N(0, I). */
  readonly latentEnergies: Readonly<Record<'posterior' | 'prior' | 'gaussian', HostTensor>>;
}

/**
 * Trains a decoder of MNIST with an energy-based prior of its latent by energy discrepancy
 * (Schröder et al., NeurIPS 2023, section 5.3), or takes the result that is there.
 * @throws ConfigError for an unknown preset or setting; DataError when MNIST is not here;
 * NumericError when training diverges; InterruptedError when stopped.
 */
export async function runLatentPrior(options: LatentPriorOptions = {}): Promise<LatentPriorResult> {
  const { preset = 'quick', seed = 0 } = options;
  const config = latentPriorConfig(preset, options.overrides);
  const identity = {
    ...{ experiment: 'latent-prior', config, seed },
    computation: () => latentPriorTraining(config, options.data),
  };
  const run = await keptRun<LatentPriorExperiment, LatentPriorNumbers>(
    identity,
    { shippedFirst: true, ...options },
    (folder) => trainLatentPrior(folder, config, options),
  );
  const { originals, reconstructions, samples, rawSamples, gaussianSamples } = run.arrays;
  const latentEnergies = {
    posterior: run.arrays['posteriorEnergy'],
    prior: run.arrays['priorEnergy'],
    gaussian: run.arrays['gaussianEnergy'],
  };
  return {
    preset,
    config,
    run,
    numbers: run.numbers,
    originals,
    reconstructions,
    samples,
    rawSamples,
    gaussianSamples,
    latentEnergies,
  };
}

/** Measures a few iterations of the training. @throws DataError when MNIST is not here. */
export async function estimateLatentPrior(options: LatentPriorOptions = {}): Promise<Estimate> {
  const config = latentPriorConfig(options.preset, options.overrides);
  const { objective, data, steps } = latentPriorTraining(config, options.data);
  return estimateTraining(objective, data, steps);
}

/** What of a training decides its numbers, beside the seed. */
function latentPriorTraining(config: LatentPriorExperiment, files?: string) {
  const images = loadMnist(dataFolder('mnist', files), 'train');
  return {
    objective: latentPriorObjective(config),
    data: latentPriorData(images, config.batch),
    steps: config.steps,
    scalars: latentPriorRates(config, images.images.count),
  };
}

async function trainLatentPrior(
  folder: OpenRun,
  config: LatentPriorExperiment,
  options: LatentPriorOptions,
): Promise<KeptOutcome<LatentPriorNumbers>> {
  const { seed = 0, checkpointSeconds, onProgress, signal } = options;
  const training = latentPriorTraining(config, options.data);
  const { objective } = training;
  const trained = await train({
    ...training,
    ...sharedTraining(options, config.batch, (batch) => latentPriorObjective({ ...config, batch })),
    seed,
    run: folder,
    checkpointSeconds,
    onProgress: onProgress && ((progress) => onProgress(progress, 'latent prior')),
    signal,
  });
  const { numbers, arrays } = evaluateLatentPrior({
    config,
    objective,
    state: trained.state,
    seed,
    digits: loadMnist(dataFolder('mnist', options.data), 'test'),
  });
  const { step: steps, seconds, checksum } = trained;
  return { numbers, arrays, steps, seconds, checksum };
}

/** Batches [batch, 1, 28, 28] in [−1, 1]. */
function latentPriorData({ images }: LabelledImages, batch: number): (key: Key) => HostTensor {
  const places = epochBatches(images.count, batch);
  return (key) => {
    const pixels = gatherRows(images.pixels, PIXELS, places(key));
    return hostTensor(
      Float32Array.from(pixels, (v) => v / 127.5 - 1),
      [batch, 1, 28, 28],
    );
  };
}
