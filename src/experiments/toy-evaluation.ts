import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { toyBatch } from '../datasets/toy.ts';
import { toyLogDensity, toyModes } from '../datasets/toy-density.ts';
import { jit, type Tensor } from '../jit/index.ts';
import { type Grid, gridPoints, klOnGrid } from '../metrics/grid.ts';
import { mmd } from '../metrics/mmd.ts';
import { modeCoverage } from '../metrics/modes.ts';
import type { HostState, Objective } from '../objectives/objective.ts';
import type { ToyConfig } from './toy-config.ts';
import type { ToyMethod } from './toy-methods.ts';
import { toyMethodSpec } from './toy-methods.ts';
import { generatorToySampler } from './toy-samplers.ts';
import type { ToyCommon } from './toy-settings.ts';

type AnyToyConfig = ToyConfig<ToyMethod>;

/** Numbers beside the picture; those that a data set does not define are absent. */
export interface ToyMetrics {
  /** Modes of the data hit (within 4 sd) by the first batch of samples, and how many there are. */
  readonly modesCovered?: number;
  readonly modes?: number;
  /** Share of all samples within 4 sd of their nearest mode. */
  readonly shareWithin4Sigma?: number;
  /** KL(data || model) on the energy grid, in nat. */
  readonly gridKl?: number;
  /** Squared maximum mean discrepancy between samples and fresh data, unbiased. */
  readonly mmd: number;
}

/** Rows of either set in the discrepancy, whose time grows with their square. */
const MMD_ROWS = 2000;

const WITH_MODES = ['25gaussians', '8gaussians'] as const;
const WITHOUT_DENSITY = ['line', 'cos'];

export interface ToyEvaluation {
  /** `[evaluation.samples, 2]`. */
  readonly samples: HostTensor;
  /**
   * Energies at t = 0, `[gridSize, gridSize]`: y rises with the row, x with the column. Absent for
   * a method that has none.
   */
  readonly logDensity: HostTensor | undefined;
  readonly metrics: ToyMetrics;
}

/** Samples and energy grid of a trained model. Deterministic in state and seed. */
export function evaluateToy(
  config: AnyToyConfig,
  objective: Objective,
  state: HostState,
  seed: number,
): ToyEvaluation {
  const samples = drawSamples(config, objective, state, seed);
  const logDensity = objective.energy && energyGrid(config, objective, state);
  return { samples, logDensity, metrics: metricsOf(config, samples, logDensity, seed) };
}

/**
 * The numbers of a few fixed points and of a fixed density: they change when what is measured does.
 * Computed on the host in float64, so that they are the same on every machine.
 */
export function toyEvaluationProbe(config: AnyToyConfig): ToyMetrics {
  const small = { ...config, evaluation: { ...config.evaluation, sampleBatch: 64, gridSize: 12 } };
  const samples = toyBatch(config.dataset, { seed: 1, stream: 'probe', step: 0 }, 128);
  const heights = Float32Array.from({ length: 144 }, (_, i) => Math.fround(-(i % 13) / 4));
  return metricsOf(small, samples, hostTensor(heights, [12, 12]), 0, 128);
}

function metricsOf(
  config: AnyToyConfig,
  samples: HostTensor,
  logDensity: HostTensor | undefined,
  seed: number,
  rows = MMD_ROWS,
): ToyMetrics {
  const fresh = toyBatch(config.dataset, { seed, stream: 'evaluation/data', step: 0 }, rows);
  return {
    ...modes(config, samples),
    ...(logDensity && hasDensity(config.dataset) && { gridKl: gridKl(config, logDensity) }),
    mmd: mmd(samples.data.subarray(0, 2 * rows), fresh.data, 2).mmd2,
  };
}

/** Whether the density of a data set is known. */
export function hasDensity(dataset: string): boolean {
  return !WITHOUT_DENSITY.includes(dataset);
}

/** The log-density of the data on the energy grid, `[gridSize²]`. */
export function dataLogDensity(config: AnyToyConfig): Float64Array {
  return toyLogDensity(config.dataset, gridPoints(gridOf(config)));
}

function modes({ dataset, evaluation }: AnyToyConfig, samples: HostTensor): Partial<ToyMetrics> {
  const name = WITH_MODES.find((known) => known === dataset);
  if (name === undefined) return {};
  const { centres, sd } = toyModes(name);
  const first = modeCoverage(samples.data.subarray(0, 2 * evaluation.sampleBatch), centres, sd);
  const { share } = modeCoverage(samples.data, centres, sd);
  return { modesCovered: first.covered, modes: first.modes, shareWithin4Sigma: share };
}

function gridKl(config: AnyToyConfig, logDensity: HostTensor): number {
  return klOnGrid(dataLogDensity(config), logDensity.data, gridOf(config));
}

function gridOf({ evaluation: { gridSize, limit } }: AnyToyConfig): Grid {
  return { low: -limit, high: limit, size: gridSize };
}

function drawSamples(
  config: AnyToyConfig,
  objective: Objective,
  state: HostState,
  seed: number,
): HostTensor {
  const { samples: n, sampleBatch } = config.evaluation;
  const sampler = toyMethodSpec(config.method).sampler?.(config as ToyCommon);
  const draw = (sampler ?? generatorToySampler)(objective, state);
  const points = new Float32Array(2 * Math.ceil(n / sampleBatch) * sampleBatch);
  for (let i = 0; i * sampleBatch < n; i++) {
    const batch = draw({ seed, index: i, count: sampleBatch });
    points.set(batch.data, 2 * i * sampleBatch);
  }
  return hostTensor(points.subarray(0, 2 * n), [n, 2]);
}

function energyGrid(config: AnyToyConfig, objective: Objective, state: HostState): HostTensor {
  const n = config.evaluation.gridSize;
  const points = gridPoints(gridOf(config));
  // The level is left to the objective: 0 for most, the smallest time for a continuous diffusion.
  const energy = jit((s: unknown, x: Tensor) => objective.energy!(s, x), {
    name: `${objective.name}/energy`,
  }) as unknown as (s: unknown, x: unknown) => Tensor;
  const values = energy(state, hostTensor(points, [n * n, 2]));
  const copy = (values.dataSync() as Float32Array).slice();
  values.dispose();
  return hostTensor(copy, [n, n]);
}
