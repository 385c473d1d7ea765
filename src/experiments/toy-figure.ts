import { toyLogDensity } from '../datasets/toy-density.ts';
import { gridPoints, klOnGrid } from '../metrics/grid.ts';
import type { Progress } from '../train/loop.ts';
import type { Environment } from './environment.ts';
import type { ToyResult } from './toy.ts';
import { runToy, type ToyOptions, toyPanelData } from './toy.ts';
import { evaluateToyCheckpoint, hasToyCheckpoint, toyCheckpointPath } from './toy-checkpoint.ts';
import type { ToyConfig } from './toy-config.ts';
import type { ToyCurve } from './toy-curve.ts';
import { hasDensity, type ToyMetrics } from './toy-evaluation.ts';
import type { ToyMethod } from './toy-methods.ts';
import type { ToyModel, ToyPlan } from './toy-plans.ts';

/** One model on one data set, as a figure needs it. */
export interface ToyPanel {
  readonly model: ToyModel;
  readonly dataset: string;
  readonly config: ToyConfig<ToyMethod>;
  readonly seed: number;
  readonly metrics: ToyMetrics;
  readonly steps: number;
  readonly seconds: number;
  readonly checksum: string;
  /** Of a run, in its store. */
  readonly key?: string;
  /** Of a checkpoint: of the run before its parameters were rounded. */
  readonly runChecksum?: string;
  readonly environment: Environment;
  readonly samples: ArrayLike<number>;
  /** `[gridSize²]`; absent where the method has no density. */
  readonly logDensity: ArrayLike<number> | undefined;
  readonly source: 'checkpoint' | 'run';
  readonly curve?: ToyCurve;
}

export interface ToyFigureData {
  readonly plan: ToyPlan;
  /**
   * In the order of the plan: every model on the first data set, then on the second; without those
   * that were not trained.
   */
  readonly panels: readonly ToyPanel[];
  /** Fresh points of each data set, `[n, 2]`, and its exact log-density where it is known. */
  readonly data: readonly {
    readonly dataset: string;
    readonly points: ArrayLike<number>;
    readonly logDensity: ArrayLike<number> | undefined;
    readonly gridSize: number;
  }[];
}

/** Finer than the models' grid: the modes of 25 Gaussians are half as wide as its cells. */
const DATA_GRID = 160;
const LIMIT = 4;

/** The options of the run of one model of a figure. */
export function toyModelOptions(
  model: ToyModel,
  dataset: string,
  options: ToyOptions = {},
): ToyOptions {
  return {
    ...options,
    method: model.method,
    dataset,
    overrides: { ...options.overrides, ...model.overrides },
  };
}

/** Names of the published checkpoints that a plan lacks, and how many it has. */
export function missingCheckpoints(
  plan: ToyPlan,
  folder?: string,
): { readonly missing: readonly string[]; readonly found: number } {
  const missing = new Set<string>();
  let found = 0;
  for (const dataset of plan.datasets) {
    for (const { id } of plan.models) {
      if (hasToyCheckpoint(id, dataset, folder)) found++;
      else missing.add(`${id}-${dataset}`);
    }
  }
  return { missing: [...missing], found };
}

/**
 * The panels of a figure from the published checkpoints; those that have none are left out.
 * @throws DataError when a checkpoint is damaged.
 */
export function figureFromCheckpoints(plan: ToyPlan, folder?: string): ToyFigureData {
  return assemble(plan, (model, dataset) => {
    if (!hasToyCheckpoint(model.id, dataset, folder)) return undefined;
    const found = evaluateToyCheckpoint(toyCheckpointPath(model.id, dataset, folder));
    const { samples, logDensity } = found;
    return {
      ...found,
      samples: samples.data,
      logDensity: logDensity?.data,
      source: 'checkpoint',
    };
  });
}

export interface FigureRunOptions extends Omit<ToyOptions, 'onProgress'> {
  /** `name` says which of the models is being trained. */
  readonly onProgress?: (progress: Progress, name: string) => void;
}

/** All panels of a figure from runs: those that are finished are reused, the others trained. */
export async function figureFromRuns(
  plan: ToyPlan,
  { onProgress, ...options }: FigureRunOptions = {},
): Promise<ToyFigureData> {
  const results = new Map<string, ToyResult<ToyMethod>>();
  for (const dataset of plan.datasets) {
    for (const model of plan.models) {
      const key = `${model.id} ${dataset}`;
      if (results.has(key)) continue;
      const own = toyModelOptions(model, dataset, options);
      results.set(
        key,
        await runToy({ ...own, onProgress: (progress) => onProgress?.(progress, key) }),
      );
    }
  }
  return assemble(plan, (model, dataset) => {
    const result = results.get(`${model.id} ${dataset}`)!;
    return {
      ...result,
      samples: result.samples.data,
      logDensity: result.logDensity?.data,
      source: 'run',
    };
  });
}

type Found = Omit<ToyPanel, 'model' | 'dataset'>;

function assemble(
  plan: ToyPlan,
  find: (model: ToyModel, dataset: string) => Found | undefined,
): ToyFigureData {
  const panels = plan.datasets.flatMap((dataset) =>
    plan.models.flatMap((model) => {
      const found = find(model, dataset);
      return found ? [panelOf(found, model, dataset)] : [];
    }),
  );
  const seed = panels[0]?.seed ?? 0;
  return {
    plan,
    panels,
    data: plan.datasets.map((dataset) => ({
      dataset,
      points: toyPanelData(dataset, seed).data,
      logDensity: hasDensity(dataset)
        ? toyLogDensity(dataset, gridPoints({ low: -LIMIT, high: LIMIT, size: DATA_GRID }))
        : undefined,
      gridSize: DATA_GRID,
    })),
  };
}

function panelOf(found: Found, model: ToyModel, dataset: string): ToyPanel {
  const { densityFactor = 1 } = model;
  if (densityFactor === 1 || !found.logDensity) return { ...found, model, dataset };
  const logDensity = Float64Array.from(found.logDensity, (value) => value * densityFactor);
  return { ...found, model, dataset, logDensity, metrics: rescored(found, dataset, logDensity) };
}

/** The numbers of the same model with another density. */
function rescored(found: Found, dataset: string, logDensity: Float64Array): ToyMetrics {
  if (found.metrics.gridKl === undefined) return found.metrics;
  const { gridSize: size, limit } = found.config.evaluation;
  const grid = { low: -limit, high: limit, size };
  const gridKl = klOnGrid(toyLogDensity(dataset, gridPoints(grid)), logDensity, grid);
  return { ...found.metrics, gridKl };
}
