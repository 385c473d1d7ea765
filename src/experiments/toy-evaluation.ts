import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { toyBatch } from '../datasets/toy.ts';
import { toyLogDensity, toyModes } from '../datasets/toy-density.ts';
import { jit, type Tensor } from '../jit/index.ts';
import { type Grid, gridPoints, klOnGrid } from '../metrics/grid.ts';
import { mmd } from '../metrics/mmd.ts';
import { modeCoverage } from '../metrics/modes.ts';
import type { HostState, Noise, Objective } from '../objectives/objective.ts';
import { drawNoise } from '../train/noise.ts';
import type { ToyConfig } from './toy-config.ts';

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
  readonly samples: HostTensor;
  readonly logDensity: HostTensor;
  readonly metrics: ToyMetrics;
}

/** Samples and energy grid of a trained model. Deterministic in state and seed. */
export function evaluateToy<State>(
  config: ToyConfig,
  objective: Objective<State>,
  state: HostState,
  seed: number,
): ToyEvaluation {
  const samples = drawSamples(config, objective, state, seed);
  const logDensity = energyGrid(config, objective, state);
  const fresh = toyBatch(config.dataset, { seed, stream: 'evaluation/data', step: 0 }, MMD_ROWS);
  const metrics: ToyMetrics = {
    ...modes(config, samples),
    ...(!WITHOUT_DENSITY.includes(config.dataset) && { gridKl: gridKl(config, logDensity) }),
    mmd: mmd(samples.data.subarray(0, 2 * MMD_ROWS), fresh.data, 2).mmd2,
  };
  return { samples, logDensity, metrics };
}

function modes({ dataset, evaluation }: ToyConfig, samples: HostTensor): Partial<ToyMetrics> {
  const name = WITH_MODES.find((known) => known === dataset);
  if (name === undefined) return {};
  const { centres, sd } = toyModes(name);
  const first = modeCoverage(samples.data.subarray(0, 2 * evaluation.sampleBatch), centres, sd);
  const { share } = modeCoverage(samples.data, centres, sd);
  return { modesCovered: first.covered, modes: first.modes, shareWithin4Sigma: share };
}

function gridKl(config: ToyConfig, logDensity: HostTensor): number {
  const grid = gridOf(config);
  return klOnGrid(toyLogDensity(config.dataset, gridPoints(grid)), logDensity.data, grid);
}

function gridOf({ evaluation: { gridSize, limit } }: ToyConfig): Grid {
  return { low: -limit, high: limit, size: gridSize };
}

function drawSamples<State>(
  { evaluation }: ToyConfig,
  objective: Objective<State>,
  state: HostState,
  seed: number,
): HostTensor {
  const { samples: n, sampleBatch } = evaluation;
  const draw = jit((s: State, noise: Noise) => objective.sample!(s, noise), {
    name: `${objective.name}/sample`,
  }) as unknown as (s: unknown, noise: unknown) => Tensor;
  const points = new Float32Array(2 * Math.ceil(n / sampleBatch) * sampleBatch);
  const specs = objective.sampleNoise!(sampleBatch);
  for (let i = 0; i * sampleBatch < n; i++) {
    const noise = drawNoise(specs, { seed, stream: `${objective.name}/sample`, step: i });
    const batch = draw(state, noise);
    points.set(batch.dataSync() as Float32Array, 2 * i * sampleBatch);
    batch.dispose();
  }
  return hostTensor(points.subarray(0, 2 * n), [n, 2]);
}

function energyGrid<State>(
  config: ToyConfig,
  objective: Objective<State>,
  state: HostState,
): HostTensor {
  const n = config.evaluation.gridSize;
  const points = gridPoints(gridOf(config));
  const energy = jit((s: State, x: Tensor) => objective.energy!(s, x, 0), {
    name: `${objective.name}/energy`,
  }) as unknown as (s: unknown, x: unknown) => Tensor;
  const values = energy(state, hostTensor(points, [n * n, 2]));
  const copy = (values.dataSync() as Float32Array).slice();
  values.dispose();
  return hostTensor(copy, [n, n]);
}
