import { existsSync } from 'node:fs';
import { DataError } from '../core/errors.ts';
import { fromFloat16, toFloat16 } from '../core/float16.ts';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import type { Key } from '../core/random.ts';
import {
  readSafetensorsFile,
  type StoredTensor,
  writeSafetensorsFile,
} from '../core/safetensors.ts';
import type { GameState } from '../objectives/game.ts';
import type { Objective } from '../objectives/objective.ts';
import { type Progress, train } from '../train/loop.ts';
import { RunFolder } from '../train/run.ts';
import { type Environment, environment } from './environment.ts';
import { type Estimate, estimateTraining } from './eta.ts';
import { defaultRunsFolder } from './runs-folder.ts';

export interface ClassifierOptions {
  /** Iterations. Default: those of the classifier. */
  readonly steps?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Folder of the data's files. Default: the fetched one. */
  readonly data?: string;
  /** The folder of all runs. Default: `data/runs` of the project. */
  readonly root?: string;
  readonly checkpointSeconds?: number;
  readonly onProgress?: (progress: Progress) => void;
  readonly onNotice?: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** What a stored classifier says of itself. */
export interface ClassifierRecord {
  /** Share of the 10,000 test images that it names rightly, with the parameters as stored. */
  readonly accuracy: number;
  readonly steps: number;
  readonly seed: number;
  readonly seconds: number;
  readonly environment: Environment;
}

/** Parameters and running statistics of a network, by name. */
export type ClassifierTensors = Readonly<Record<string, HostTensor>>;

/** A classifier of images, and how it learns. */
export interface ClassifierTraining<Extra extends object = object> {
  /** Name of the experiment and of its run, e.g. `mnist-classifier`. */
  readonly experiment: string;
  /** Settings that the run is known by, beside the iterations. */
  readonly config: object;
  /** What its record says beside accuracy and training. */
  readonly extra: Extra;
  readonly steps: number;
  readonly objective: Objective<GameState<'classifier'>>;
  readonly data: (key: Key) => HostTensor;
  /** Learning rate of an iteration. */
  rate(step: number, steps: number): number;
  /** Share of the test images that the stored network names rightly. */
  accuracy(network: ClassifierTensors): number;
}

/**
 * Trains a classifier and stores it at `path` in half precision, with its record.
 * @throws NumericError when training diverges; InterruptedError when stopped.
 */
export async function trainClassifier<Extra extends object>(
  training: ClassifierTraining<Extra>,
  path: string,
  options: ClassifierOptions,
): Promise<ClassifierRecord & Extra> {
  const { experiment, objective, data, extra } = training;
  const { steps = training.steps, seed = 0, root = defaultRunsFolder(), onNotice } = options;
  const config = { ...training.config, steps };
  const run = RunFolder.open({ experiment, config, seed, root, onNotice });
  try {
    const trained = await train({
      ...{ objective, data, steps, seed, run },
      scalars: (step) => ({ 'classifier/adam/learningRate': training.rate(step, steps) }),
      checkpointSeconds: options.checkpointSeconds,
      onProgress: options.onProgress,
      signal: options.signal,
    });
    const { classifier } = objective.exportNetworks!(trained.state);
    const stored = halved(classifier);
    const record = {
      accuracy: training.accuracy(restored(stored)),
      ...extra,
      steps,
      seed,
      seconds: Math.round(trained.seconds * 10) / 10,
      environment: environment(),
    };
    const about = JSON.stringify(record);
    writeSafetensorsFile(path, stored, { format: formatOf(experiment), about });
    run.finish(record);
    return record;
  } finally {
    run.close();
  }
}

/** Measures a few iterations of a training. */
export function estimateClassifierTraining(
  { objective, data, steps }: ClassifierTraining,
  options: ClassifierOptions,
): Promise<Estimate> {
  return estimateTraining(objective, data, options.steps ?? steps);
}

/** A stored classifier. @throws DataError when it is missing, damaged or of another experiment. */
export function readClassifier<Record extends ClassifierRecord>(
  experiment: string,
  path: string,
): { readonly network: ClassifierTensors; readonly record: Record } {
  if (!existsSync(path)) {
    throw new DataError(`there is no ${path}; train it with 'gibbs run ${experiment}'`);
  }
  const { tensors, metadata } = readSafetensorsFile(path);
  const format = formatOf(experiment);
  if (metadata['format'] !== format) {
    throw new DataError(`${path}: format ${metadata['format'] ?? 'unknown'}, expected ${format}`);
  }
  return {
    network: restored(Object.fromEntries(tensors)),
    record: JSON.parse(metadata['about']) as Record,
  };
}

const formatOf = (experiment: string): string => `gibbs-${experiment}-1`;

function halved(tensors: ClassifierTensors): Record<string, StoredTensor> {
  return Object.fromEntries(
    Object.entries(tensors)
      // A count of PyTorch's batch norm, which nothing of ours reads.
      .filter(([key]) => !key.endsWith('.num_batches_tracked'))
      .map(([key, { data, shape }]) => [key, { dtype: 'F16', shape, data: toFloat16(data) }]),
  );
}

function restored(tensors: Readonly<Record<string, StoredTensor>>): ClassifierTensors {
  return Object.fromEntries(
    Object.entries(tensors).map(([key, { data, shape }]) => [
      key,
      hostTensor(fromFloat16(data as Uint16Array), shape),
    ]),
  );
}
