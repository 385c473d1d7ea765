import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import type { Tensor } from '../jit/index.ts';
import { jit } from '../jit/index.ts';
import type { HostState, Noise, Objective } from '../objectives/objective.ts';
import { drawNoise } from '../train/noise.ts';
import type { ToyConfig } from './toy-config.ts';

/** Numbers beside the picture; those that a data set does not define are absent. */
export interface ToyMetrics {
  /** Modes of the data with at least one sample close by, and how many there are. */
  readonly modesCovered?: number;
  readonly modes?: number;
  /** Share of the samples within four standard deviations of a mode. */
  readonly shareWithin4Sigma?: number;
  /** Kullback-Leibler divergence of the model from the data on the energy grid, in nat. */
  readonly gridKl?: number;
  /** Squared maximum mean discrepancy between samples and fresh data. */
  readonly mmd: number;
}

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
  return { samples, logDensity, metrics: { mmd: 0 } };
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
  { evaluation }: ToyConfig,
  objective: Objective<State>,
  state: HostState,
): HostTensor {
  const { gridSize: n, limit } = evaluation;
  const at = (i: number) => -limit + (2 * limit * i) / (n - 1);
  const points = new Float32Array(2 * n * n);
  for (let i = 0; i < n * n; i++) {
    points[2 * i] = at(i % n);
    points[2 * i + 1] = at(Math.floor(i / n));
  }
  const energy = jit((s: State, x: Tensor) => objective.energy!(s, x, 0), {
    name: `${objective.name}/energy`,
  }) as unknown as (s: unknown, x: unknown) => Tensor;
  const values = energy(state, hostTensor(points, [n * n, 2]));
  const copy = (values.dataSync() as Float32Array).slice();
  values.dispose();
  return hostTensor(copy, [n, n]);
}
