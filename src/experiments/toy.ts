import { join } from 'node:path';
import { DataError } from '../core/errors.ts';
import type { HostTensor } from '../core/host-tensor.ts';
import { encodeSafetensors, readSafetensorsFile, toHostTensor } from '../core/safetensors.ts';
import { toyBatch } from '../datasets/toy.ts';
import { type Progress, train } from '../train/loop.ts';
import { finishedResult, RunFolder, type RunIdentity, runKey } from '../train/run.ts';
import { type Environment, environment } from './environment.ts';
import type { Overrides } from './overrides.ts';
import { defaultRunsFolder } from './runs-folder.ts';
import { type ToyChoice, type ToyConfig, toyConfig, toyObjective, toyRates } from './toy-config.ts';
import { evaluateToy, type ToyEvaluation, type ToyMetrics } from './toy-evaluation.ts';
import type { ToyMethod } from './toy-methods.ts';

export interface ToyOptions<M extends ToyMethod = ToyMethod> extends ToyChoice<M> {
  /** Default 0. */
  readonly seed?: number;
  /** The folder of all runs. Default: `data/runs` of the project. */
  readonly root?: string;
  /** Trains again from the start even where a result or a checkpoint exists. */
  readonly fresh?: boolean;
  /** Insists on a checkpoint to resume from; resuming itself is automatic. */
  readonly resume?: boolean;
  /** Seconds between checkpoints. Default 30. */
  readonly checkpointSeconds?: number;
  readonly onProgress?: (progress: Progress) => void;
  readonly onNotice?: (text: string) => void;
  /** Stops after the current iteration, with a checkpoint. */
  readonly signal?: AbortSignal;
}

/** What is kept of a finished run in result.json. */
export interface ToySummary<M extends ToyMethod = ToyMethod> {
  readonly key: string;
  readonly config: ToyConfig<M>;
  readonly seed: number;
  readonly metrics: ToyMetrics;
  readonly steps: number;
  /** Seconds of training, compilation included, over all sessions of the run. */
  readonly seconds: number;
  /** SHA-256 of the final state. */
  readonly checksum: string;
  readonly environment: Environment;
}

export interface ToyResult<M extends ToyMethod = 'ddaebm'> extends ToySummary<M> {
  readonly preset: string;
  readonly overrides: Overrides;
  /** Whether the result was there already. */
  readonly reused: boolean;
  /** The folder of the run. */
  readonly folder: string;
  /** `[evaluation.samples, 2]`. */
  readonly samples: HostTensor;
  /**
   * Energies at t = 0, `[gridSize, gridSize]`: y rises with the row, x with the column. DDGAN with
   * a conditional discriminator has none.
   */
  readonly logDensity: M extends 'ddgan' ? HostTensor | undefined : HostTensor;
}

const ARRAYS = 'arrays.safetensors';

/**
 * Trains the toy model of a preset, or takes the result that is there, and evaluates it.
 * @throws ConfigError for an unknown data set, preset or setting; NumericError when training
 * diverges; InterruptedError when stopped; StoreError when the folder cannot be used.
 */
export async function runToy<M extends ToyMethod = 'ddaebm'>(
  options: ToyOptions<M> = {},
): Promise<ToyResult<M>> {
  const { preset = 'quick', seed = 0, overrides = {}, root = defaultRunsFolder() } = options;
  const config: ToyConfig<ToyMethod> = toyConfig(options);
  const identity: RunIdentity = { experiment: 'toy', config, seed };
  const outer = { preset, overrides, folder: join(root, runKey(identity)) };
  if (!options.fresh) {
    const found = finishedResult(root, identity) as ToySummary | undefined;
    if (found) {
      const arrays = readArrays(outer.folder);
      return { ...found, ...outer, ...arrays, reused: true } as unknown as ToyResult<M>;
    }
  }
  const { fresh, resume, onNotice } = options;
  const run = RunFolder.open({ ...identity, root, fresh, resume, onNotice });
  try {
    const summary = await trainAndEvaluate(run, config, options);
    const arrays = readArrays(outer.folder);
    return { ...summary, ...outer, ...arrays, reused: false } as unknown as ToyResult<M>;
  } finally {
    run.close();
  }
}

/** Whether asking for this run would train nothing. */
export function isToyFinished(options: ToyOptions = {}): boolean {
  const { seed = 0, root = defaultRunsFolder() } = options;
  const config: ToyConfig<ToyMethod> = toyConfig(options);
  const identity = { experiment: 'toy', config, seed };
  return finishedResult(root, identity) !== undefined;
}

/** Fresh points of a data set for the panel of the data, `[n, 2]`. */
export function toyPanelData(dataset: string, seed: number, n = 1000): HostTensor {
  return toyBatch(dataset, { seed, stream: 'figure/data', step: 0 }, n);
}

async function trainAndEvaluate(
  run: RunFolder,
  config: ToyConfig<ToyMethod>,
  options: ToyOptions,
): Promise<ToySummary> {
  const { seed = 0 } = options;
  const objective = toyObjective(config);
  const trained = await train({
    objective,
    data: (key) => toyBatch(config.dataset, key, objective.batchShape[0]),
    steps: config.steps,
    seed,
    run,
    scalars: toyRates(config),
    checkpointSeconds: options.checkpointSeconds,
    onProgress: options.onProgress,
    signal: options.signal,
  });
  const { samples, logDensity, metrics } = evaluateToy(config, objective, trained.state, seed);
  const summary: ToySummary = {
    key: run.key,
    config,
    seed,
    metrics,
    steps: trained.step,
    seconds: Math.round(trained.seconds * 10) / 10,
    checksum: trained.checksum,
    environment: environment(),
  };
  run.write(ARRAYS, encodeSafetensors({ samples, ...(logDensity && { logDensity }) }));
  run.finish(summary);
  return summary;
}

function readArrays(folder: string): Pick<ToyEvaluation, 'samples' | 'logDensity'> {
  const path = join(folder, ARRAYS);
  const { tensors } = readSafetensorsFile(path);
  const [samples, logDensity] = [tensors.get('samples'), tensors.get('logDensity')];
  if (!samples) throw new DataError(`${path}: 'samples' is missing; run again with --fresh`);
  return { samples: toHostTensor(samples), logDensity: logDensity && toHostTensor(logDensity) };
}
