import { InterruptedError, NumericError } from '../core/errors.ts';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import type { Key } from '../core/random.ts';
import { gridPoints } from '../metrics/grid.ts';
import { train } from '../train/loop.ts';
import type { OpenRun } from '../train/run.ts';
import {
  type EdDensityConfig,
  type EdGridCell,
  type EdMethod,
  edDensityConfigs,
  edGridCells,
  edObjective,
} from './ed-density-config.ts';
import {
  type EdError,
  EdEvaluator,
  type EdGridNumbers,
  gridNumbers,
} from './ed-density-evaluation.ts';
import { edGaussians, edGaussiansLogDensity } from './ed-gaussians.ts';
import { EvaluatedRun } from './evaluated-run.ts';
import { type KeptOutcome, type KeptRun, type KeptRunOptions, keptRun } from './kept-run.ts';
import type { Overrides } from './overrides.ts';

export interface EdDensityOptions extends KeptRunOptions {
  /** Default `quick`. */
  readonly preset?: string;
  /** Changes to the preset by dotted path, e.g. `{ steps: 20000 }`. */
  readonly overrides?: Overrides;
}

export interface EdDensityNumbers extends EdGridNumbers {
  /** Of the last evaluation; absent where errors were not evaluated. */
  readonly mse?: number;
  /** Median over the evaluations of the last tenth of the iterations: spikes do not count. */
  readonly mseMedian?: number;
}

/** One trained energy. */
export interface EdDensityRun {
  readonly method: EdMethod;
  readonly config: EdDensityConfig;
  readonly run: KeptRun<EdDensityConfig, EdDensityNumbers>;
  readonly numbers: EdDensityNumbers;
  /** By iteration; empty where errors were not evaluated. */
  readonly errors: readonly Pick<EdError, 'step' | 'mse'>[];
  /** -U, `[gridSize, gridSize]`: y rises with the row, x with the column. */
  readonly logDensity: HostTensor;
}

/** The comparison of the three methods. */
export interface EdDensityResult {
  readonly preset: string;
  readonly seed: number;
  readonly runs: readonly EdDensityRun[];
  /** log p of the data on the grid of the runs. */
  readonly truth: HostTensor;
}

/**
 * Trains an energy on the 25 Gaussians by energy discrepancy, by explicit score matching and by
 * contrastive divergence, and follows the error of the log-density (Schröder et al., NeurIPS 2023,
 * section 5.1). Finished trainings are reused, unfinished ones resumed.
 * @throws ConfigError for an unknown preset or setting; NumericError when training diverges;
 * InterruptedError when stopped; StoreError when the folder cannot be used.
 */
export async function runEdDensity(options: EdDensityOptions = {}): Promise<EdDensityResult> {
  const { preset = 'quick', seed = 0 } = options;
  const configs = edDensityConfigs({ preset, overrides: options.overrides });
  const runs: EdDensityRun[] = [];
  for (const config of configs) runs.push(await edDensityRun(config, config.method.name, options));
  return { preset, seed, runs, truth: truthOnGrid(configs[0]) };
}

/** A cell of the grid of settings: `trained` is absent where training diverged, `failure` says how. */
export interface EdGridResultCell extends EdGridCell {
  readonly trained?: EdDensityRun;
  readonly failure?: string;
}

export interface EdGridResult {
  readonly preset: string;
  readonly seed: number;
  /** Row by row. */
  readonly cells: readonly EdGridResultCell[];
}

/**
 * Trains by energy discrepancy over noise, stabiliser and number of particles. A training that
 * diverges is a finding, not a fault: its cell says so.
 * @throws as `runEdDensity`, but for NumericError.
 */
export async function runEdGrid(options: EdDensityOptions = {}): Promise<EdGridResult> {
  const { preset = 'quick', seed = 0 } = options;
  const cells: EdGridResultCell[] = [];
  for (const cell of edGridCells({ preset, overrides: options.overrides })) {
    const name = `noise ${cell.noiseScale}, w = ${cell.stabiliser}, M = ${cell.particles}`;
    try {
      cells.push({ ...cell, trained: await edDensityRun(cell.config, name, options) });
    } catch (error) {
      if (!(error instanceof NumericError) || error instanceof InterruptedError) throw error;
      cells.push({ ...cell, failure: error.message });
    }
  }
  return { preset, seed, cells };
}

/** One training of the density experiment, or its result where it is finished. */
export async function edDensityRun(
  config: EdDensityConfig,
  name: string,
  options: KeptRunOptions,
): Promise<EdDensityRun> {
  const { seed = 0 } = options;
  const run = await keptRun<EdDensityConfig, EdDensityNumbers>(
    {
      ...{ experiment: 'ed-density', config, seed },
      computation: () => trainingOf(config),
    },
    options,
    (folder) => trainDensity(folder, config, name, options),
  );
  const { logDensity, steps, mse } = run.arrays;
  const errors = Array.from(steps.data, (step, i) => ({ step, mse: mse.data[i] }));
  return { method: config.method, config, run, numbers: run.numbers, errors, logDensity };
}

/** What of a training decides its numbers, beside the seed. */
function trainingOf(config: EdDensityConfig) {
  return {
    objective: edObjective(config),
    data: (key: Key) => edGaussians(key, config.batch),
    steps: config.steps,
  };
}

async function trainDensity(
  folder: OpenRun,
  config: EdDensityConfig,
  name: string,
  options: KeptRunOptions,
): Promise<KeptOutcome<EdDensityNumbers>> {
  const { seed = 0, checkpointSeconds, onProgress, signal } = options;
  const { every } = config.evaluation;
  const training = trainingOf(config);
  const { objective } = training;
  const evaluator = new EdEvaluator(config, objective, seed);
  const evaluated =
    every > 0
      ? new EvaluatedRun(folder, every, (state, step) => evaluator.error(state, step))
      : undefined;
  const trained = await train({
    ...training,
    seed,
    run: evaluated ?? folder,
    checkpointSeconds,
    ...(every > 0 && { checkpointSteps: every }),
    onProgress: onProgress && ((progress) => onProgress(progress, name)),
    signal,
  });
  const logDensity = evaluator.grid(trained.state);
  const series = evaluated?.series ?? [];
  return {
    numbers: { ...gridNumbers(config, logDensity), ...errorNumbers(series, config.steps) },
    arrays: {
      logDensity,
      steps: hostTensor(
        Int32Array.from(series, (row) => row.step),
        [series.length],
      ),
      mse: hostTensor(
        Float32Array.from(series, (row) => row.mse),
        [series.length],
      ),
    },
    steps: trained.step,
    seconds: trained.seconds,
    checksum: trained.checksum,
  };
}

function errorNumbers(
  series: readonly EdError[],
  steps: number,
): Pick<EdDensityNumbers, 'mse' | 'mseMedian'> {
  if (series.length === 0) return {};
  const late = series.filter(({ step }) => step >= 0.9 * steps).map(({ mse }) => mse);
  late.sort((a, b) => a - b);
  return { mse: series[series.length - 1].mse, mseMedian: late[Math.floor(late.length / 2)] };
}

function truthOnGrid({ evaluation: { gridSize: size, limit } }: EdDensityConfig): HostTensor {
  const points = gridPoints({ low: -limit, high: limit, size });
  return hostTensor(Float32Array.from(edGaussiansLogDensity(points)), [size, size]);
}
