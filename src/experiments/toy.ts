import { join } from 'node:path';
import { DataError } from '../core/errors.ts';
import type { HostTensor } from '../core/host-tensor.ts';
import type { Key } from '../core/random.ts';
import { encodeSafetensors, readSafetensorsFile, toHostTensor } from '../core/safetensors.ts';
import { toyBatch } from '../datasets/toy.ts';
import type { Objective } from '../objectives/objective.ts';
import { type Progress, type TrainOptions, train } from '../train/loop.ts';
import { ALONE, type Ranks } from '../train/parallel/ranks.ts';
import type { OpenRun, RunIdentity } from '../train/run.ts';
import { shownAsRun } from '../train/run-display.ts';
import {
  finishedRun,
  mayHold,
  openRun,
  type RunPlace,
  rememberedCodeVersion,
} from '../train/store/open-run.ts';
import { type Environment, environment } from './environment.ts';
import type { Overrides } from './overrides.ts';
import { defaultRunsFolder } from './runs-folder.ts';
import { type ToyChoice, type ToyConfig, toyConfig, toyObjective, toyRates } from './toy-config.ts';
import { type ToyCurve, toyCurve } from './toy-curve.ts';
import {
  evaluateToy,
  type ToyEvaluation,
  type ToyMetrics,
  toyEvaluationProbe,
} from './toy-evaluation.ts';
import type { ToyMethod } from './toy-methods.ts';

export interface ToyOptions<M extends ToyMethod = ToyMethod> extends ToyChoice<M> {
  /** Default 0. */
  readonly seed?: number;
  /** Place of the run store. Default: `GIBBS_STORE`, else `data/runs` of the project. */
  readonly root?: string;
  /** Keeps the run as a folder of plain files below `root`, without a store: a shard. */
  readonly plain?: boolean;
  /** Trains again from the start even where a result or a checkpoint exists. */
  readonly fresh?: boolean;
  /** Insists on a checkpoint to resume from; resuming itself is automatic. */
  readonly resume?: boolean;
  /** Seconds between checkpoints. Default 30. */
  readonly checkpointSeconds?: number;
  /** How many of the latest checkpoints are kept. Default 2. */
  readonly keep?: number;
  /**
   * A metric of the training whose lowest value (of those at a checkpoint) has its checkpoint kept
   * beside the latest. Default: none, since the losses of a game do not say how good its sampler is.
   */
  readonly best?: string;
  /** Parts that each batch is worked off in; see `KeptRunOptions`. Default 1. */
  readonly parts?: number;
  /** How the run was asked for, kept beside it, e.g. `{ sweep: 'table-5' }`. */
  readonly labels?: Readonly<Record<string, string>>;
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
  /** Absent where nothing was logged. */
  readonly curve?: ToyCurve;
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
  const begun = beginToy(options);
  return 'found' in begun ? begun.found : finishToy(begun.run, options);
}

/** What there is of a run that was asked for: its result, or the run to be trained. */
export function beginToy<M extends ToyMethod>(
  options: ToyOptions<M>,
): { readonly found: ToyResult<M> } | { readonly run: OpenRun } {
  const { preset = 'quick', fresh, resume, keep, best, onNotice } = options;
  const asked = requested(options);
  const { place } = asked;
  const identity = identityOf(asked);
  const found = fresh ? undefined : finishedRun(place, identity, onNotice);
  if (found) return { found: resultOf(found.result as object, found.folder, options, true) };
  const run = openRun({
    ...identity,
    ...place,
    ...{ fresh, resume, keep, onNotice, parts: options.parts },
    ...(best !== undefined && { best: { metric: best } }),
    labels: { preset, ...options.labels },
  });
  return { run };
}

/** Trains and evaluates an open run, and gives it back. */
export async function finishToy<M extends ToyMethod>(
  run: OpenRun,
  options: ToyOptions<M>,
  ranks?: Ranks,
): Promise<ToyResult<M>> {
  try {
    const { config } = requested(options);
    const summary = await trainAndEvaluate(run, config, options, ranks);
    run.close();
    return resultOf(summary, run.folder, options, false);
  } catch (error) {
    run.close(error);
    throw error;
  }
}

function resultOf<M extends ToyMethod>(
  found: object,
  folder: string,
  { preset = 'quick', overrides = {} }: ToyOptions<M>,
  reused: boolean,
): ToyResult<M> {
  const rest = { preset, overrides, folder, reused, ...readArrays(folder) };
  return shownInNotebook({ ...found, ...rest } as unknown as ToyResult<M>);
}

function shownInNotebook<M extends ToyMethod>(result: ToyResult<M>): ToyResult<M> {
  return shownAsRun(
    result,
    ({ key, preset, overrides, reused, steps, seconds, metrics, curve }) => ({
      title: `${key} (preset ${preset}), ${reused ? 'trained before' : 'trained now'}`,
      steps,
      seconds,
      settings: overrides,
      numbers: metrics,
      losses: curve?.losses,
    }),
  );
}

/** Whether asking for this run would train nothing. */
export function isToyFinished(options: ToyOptions = {}): boolean {
  const asked = requested(options);
  if (!mayHold(asked.place)) return false;
  return finishedRun(asked.place, identityOf(asked), options.onNotice) !== undefined;
}

interface Requested {
  readonly config: ToyConfig<ToyMethod>;
  readonly seed: number;
  readonly place: RunPlace;
}

function requested(options: ToyOptions): Requested {
  const { seed = 0, root = defaultRunsFolder(), plain } = options;
  return { config: toyConfig(options), seed, place: { root, plain } };
}

function identityOf({ config, seed, place }: Requested): RunIdentity {
  const identity = { experiment: 'toy', config, seed };
  const code = rememberedCodeVersion(place, identity, () => {
    const objective = toyObjective(config);
    return { ...trainingOf(config, objective), evaluation: toyEvaluationProbe(config) };
  });
  return { ...identity, code };
}

/** Fresh points of a data set for the panel of the data, `[n, 2]`. */
export function toyPanelData(dataset: string, seed: number, n = 1000): HostTensor {
  return toyBatch(dataset, { seed, stream: 'figure/data', step: 0 }, n);
}

async function trainAndEvaluate(
  run: OpenRun,
  config: ToyConfig<ToyMethod>,
  options: ToyOptions,
  ranks?: Ranks,
): Promise<ToySummary> {
  const { seed = 0 } = options;
  const objective = toyObjective(config);
  const trained = await train({ ...toyTraining(options, ranks), run });
  const { samples, logDensity, metrics } = evaluateToy(config, objective, trained.state, seed);
  const summary: ToySummary = {
    key: run.key,
    config,
    seed,
    metrics,
    steps: trained.step,
    seconds: Math.round(trained.seconds * 10) / 10,
    checksum: trained.checksum,
    environment: environment(options),
    curve: toyCurve(run.metrics()),
  };
  run.write(ARRAYS, encodeSafetensors({ samples, ...(logDensity && { logDensity }) }));
  run.finish(summary);
  return summary;
}

/** The training of a run as the loop takes it, but for the place where it is kept. */
export function toyTraining(options: ToyOptions, ranks?: Ranks): TrainOptions<unknown> {
  const { config, seed } = requested(options);
  const { checkpointSeconds, parts = 1, onProgress, signal } = options;
  const withBatch = (batch: number) => toyObjective({ ...config, batch });
  return {
    ...trainingOf(config, toyObjective(config)),
    ...{ seed, checkpointSeconds, onProgress, signal },
    ...((ranks || parts !== 1) && {
      parallel: { ranks: ranks ?? ALONE, parts, batch: config.batch, withBatch },
    }),
  };
}

/** What of a training decides its numbers, beside the seed. */
function trainingOf(config: ToyConfig<ToyMethod>, objective: Objective) {
  return {
    objective,
    data: (key: Key) => toyBatch(config.dataset, key, objective.batchShape[0]),
    steps: config.steps,
    scalars: toyRates(config),
  };
}

function readArrays(folder: string): Pick<ToyEvaluation, 'samples' | 'logDensity'> {
  const path = join(folder, ARRAYS);
  const { tensors } = readSafetensorsFile(path);
  const [samples, logDensity] = [tensors.get('samples'), tensors.get('logDensity')];
  if (!samples) throw new DataError(`${path}: 'samples' is missing; run again with --fresh`);
  return { samples: toHostTensor(samples), logDensity: logDensity && toHostTensor(logDensity) };
}
