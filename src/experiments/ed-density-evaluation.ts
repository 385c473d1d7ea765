import { ShapeError } from '../core/errors.ts';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { jit, type Tensor } from '../jit/index.ts';
import { type Grid, gridPoints, klOnGrid, normaliseOnGrid } from '../metrics/grid.ts';
import type { HostState, Objective } from '../objectives/objective.ts';
import type { EdDensityConfig } from './ed-density-config.ts';
import { edGaussians, edGaussiansLogDensity, modeMasses } from './ed-gaussians.ts';

/** Error of a learned log-density after some iterations. */
export interface EdError {
  readonly step: number;
  /** Mean squared error of the normalised log-density under the data, nat^2. */
  readonly mse: number;
  /** The estimate of log of the integral of exp(-U). */
  readonly logPartition: number;
}

/**
 * With the data as proposal, log Z^ = log mean exp(-U(x_i) - log p(x_i)), and the error is
 * mean (-U(x_i) - log Z^ - log p(x_i))^2. Adding a constant to U changes nothing.
 * @param logModel -U at samples of p, `logTruth` log p there.
 */
export function logDensityError(
  logModel: ArrayLike<number>,
  logTruth: ArrayLike<number>,
): Omit<EdError, 'step'> {
  if (logModel.length !== logTruth.length || logModel.length === 0) {
    throw new ShapeError(
      `logDensityError: expected equally many values, at least one, got ${logModel.length} and ${logTruth.length}`,
    );
  }
  const ratio = Float64Array.from(logModel, (m, i) => m - logTruth[i]);
  const largest = ratio.reduce((a, b) => Math.max(a, b));
  const mean = ratio.reduce((sum, r) => sum + Math.exp(r - largest), 0) / ratio.length;
  const logPartition = largest + Math.log(mean);
  const mse = ratio.reduce((sum, r) => sum + (r - logPartition) ** 2, 0) / ratio.length;
  return { mse, logPartition };
}

/** Evaluates states of one objective; the averaged parameters where there are any. */
export class EdEvaluator<State> {
  readonly #config: EdDensityConfig;
  readonly #seed: number;
  readonly #energy: (state: unknown, x: unknown) => Tensor;

  constructor(config: EdDensityConfig, objective: Objective<State>, seed: number) {
    this.#config = config;
    this.#seed = seed;
    this.#energy = jit((s: State, x: Tensor) => objective.energy!(s, x), {
      name: `${objective.name}/energy`,
    }) as unknown as (state: unknown, x: unknown) => Tensor;
  }

  /** The error on data drawn for this evaluation alone. */
  error(state: HostState, step: number): EdError {
    const { points } = this.#config.evaluation;
    const x = edGaussians({ seed: this.#seed, stream: 'ed-density/evaluation', step }, points);
    const logModel = this.#logModel(state, x);
    return { step, ...logDensityError(logModel, edGaussiansLogDensity(x.data)) };
  }

  /** -U on the grid, `[gridSize, gridSize]`: y rises with the row, x with the column. */
  grid(state: HostState): HostTensor {
    const grid = gridOf(this.#config);
    const points = gridPoints(grid);
    const values = this.#logModel(state, hostTensor(points, [grid.size ** 2, 2]));
    return hostTensor(values, [grid.size, grid.size]);
  }

  #logModel(state: HostState, x: HostTensor): Float32Array {
    const values = this.#energy(state, x);
    const copy = (values.dataSync() as Float32Array).slice();
    values.dispose();
    return copy;
  }
}

/** Numbers of a learned density, from its grid. */
export interface EdGridNumbers {
  /** KL(data || model), both normalised on the grid, nat. */
  readonly gridKl: number;
  /** Modes with at least half of their mass. */
  readonly modesFound: number;
  /** Largest over smallest mass of a mode (1: even), at most 1e12. */
  readonly modeRatio: number;
  /** Mass farther than 4 sd from every centre. */
  readonly outside: number;
}

const MOST_UNEVEN = 1e12;

export function gridNumbers(config: EdDensityConfig, logDensity: HostTensor): EdGridNumbers {
  const grid = gridOf(config);
  const points = gridPoints(grid);
  const { masses, found, outside } = modeMasses(
    points,
    normaliseOnGrid(logDensity.data, grid).mass,
  );
  return {
    gridKl: klOnGrid(edGaussiansLogDensity(points), logDensity.data, grid),
    modesFound: found,
    // Finite, since JSON knows no infinity; also where no mode has any mass.
    modeRatio: Math.min(MOST_UNEVEN, Math.max(...masses) / Math.min(...masses)) || MOST_UNEVEN,
    outside,
  };
}

function gridOf({ evaluation: { gridSize, limit } }: EdDensityConfig): Grid {
  return { low: -limit, high: limit, size: gridSize };
}
