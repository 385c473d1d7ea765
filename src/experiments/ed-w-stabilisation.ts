import { ConfigError } from '../core/errors.ts';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { normal } from '../core/random.ts';
import { jit, type Tensor } from '../jit/index.ts';
import { mlp } from '../models/mlp.ts';
import { energyDiscrepancyObjective } from '../objectives/energy-discrepancy.ts';
import type { Objective } from '../objectives/objective.ts';
import type { SingleEnergyState } from '../objectives/single-energy.ts';
import { train } from '../train/loop.ts';
import { edPreset } from './ed-preset.ts';
import { type KeptOutcome, type KeptRun, type KeptRunOptions, keptRun } from './kept-run.ts';
import { type Overrides, withOverrides } from './overrides.ts';

/** Raised when the code changes what a configuration computes, so that old runs are not reused. */
const REVISION = 1;

/** All that decides the numbers of one training, beside its seed. Plain JSON. */
export interface EdStabilisationConfig {
  readonly revision: number;
  /** Samples of N(0, 1), all of them in every iteration. */
  readonly points: number;
  readonly steps: number;
  /** Hidden units of each of the two layers, SiLU. */
  readonly width: number;
  readonly learningRate: number;
  /** t. */
  readonly variance: number;
  /** M. */
  readonly particles: number;
  /** w. */
  readonly stabiliser: number;
}

/**
 * The published setting as it runs: the released code loads batches of 64 but takes every step on
 * all 4096 points, so its 50 epochs are 50 · 64 full steps.
 */
const PAPER: EdStabilisationConfig = {
  revision: REVISION,
  points: 4096,
  steps: 3200,
  width: 2,
  learningRate: 0.01,
  variance: 1,
  particles: 4,
  stabiliser: 1,
};

/** The stabilisers of the published figure. */
const STABILISERS = [0, 0.1, 1, 4] as const;

/** Half a minute per seed: `quick` is the published setting. */
const PRESETS = {
  smoke: { points: 256, steps: 60 },
  quick: {},
  paper: {},
} as const satisfies Record<string, Overrides>;

/** The learned energy is compared with x^2/2 on [-2, 2]. */
const COMPARED = 2;

export interface EdStabilisationOptions extends KeptRunOptions {
  /** Default `quick`. */
  readonly preset?: string;
  /** Changes to the preset by name, e.g. `{ steps: 1000 }`. */
  readonly overrides?: Overrides;
}

export interface EdStabilisationNumbers {
  /** Root mean square of U - min U - x^2/2 on [-2, 2]. */
  readonly rms: number;
  /** Mean of U - min U at x = -1.8 and 1.8; the truth is 1.62. */
  readonly at18: number;
}

/** The energy learned with one stabiliser. */
export interface EdStabilisationRun {
  readonly stabiliser: number;
  readonly run: KeptRun<EdStabilisationConfig, EdStabilisationNumbers>;
  readonly numbers: EdStabilisationNumbers;
  /** U - min U at the points `x` of the result. */
  readonly energy: readonly number[];
}

export interface EdStabilisationResult {
  readonly preset: string;
  readonly seed: number;
  readonly config: EdStabilisationConfig;
  /** -3, -2.9, ..., 2.9. */
  readonly x: readonly number[];
  /** By rising w. */
  readonly runs: readonly EdStabilisationRun[];
}

/**
 * The effect of the stabiliser w (Schröder et al., NeurIPS 2023, Figure 2): a tiny network learns
 * the energy of a standard normal law with w = 0, 0.1, 1 and 4. Finished trainings are reused.
 * @throws ConfigError for an unknown preset or setting, or a value out of range; NumericError when
 * training diverges; InterruptedError when stopped; StoreError when the folder cannot be used.
 */
export async function runEdStabilisation(
  options: EdStabilisationOptions = {},
): Promise<EdStabilisationResult> {
  const { preset = 'quick', seed = 0 } = options;
  const config = edStabilisationConfig({ preset, overrides: options.overrides });
  const runs: EdStabilisationRun[] = [];
  for (const stabiliser of STABILISERS) {
    runs.push(await stabilisationRun({ ...config, stabiliser }, options));
  }
  return { preset, seed, config, x: [...GRID], runs };
}

/** @throws ConfigError for an unknown preset or setting, or a value out of range. */
export function edStabilisationConfig(
  options: { readonly preset?: string; readonly overrides?: Overrides } = {},
): EdStabilisationConfig {
  const base = withOverrides(PAPER, PRESETS[edPreset(options.preset ?? 'quick')]);
  const config = withOverrides(base, options.overrides ?? {});
  for (const name of ['points', 'steps', 'width', 'particles'] as const) {
    if (!Number.isSafeInteger(config[name]) || config[name] < (name === 'steps' ? 0 : 1)) {
      throw new ConfigError(`setting '${name}' must be a count, got ${config[name]}`);
    }
  }
  if (!(config.learningRate > 0)) {
    throw new ConfigError(`setting 'learningRate' must be positive, got ${config.learningRate}`);
  }
  if (config.revision !== REVISION) {
    throw new ConfigError("setting 'revision' cannot be changed");
  }
  return config;
}

/** x of the published plot. */
const GRID: readonly number[] = Array.from({ length: 60 }, (_, i) => (i - 30) / 10);

async function stabilisationRun(
  config: EdStabilisationConfig,
  options: KeptRunOptions,
): Promise<EdStabilisationRun> {
  const { seed = 0, checkpointSeconds, onProgress, signal } = options;
  const objective = stabilisationObjective(config);
  const name = `w = ${config.stabiliser}`;
  const data = samples(config.points, seed);
  const training = { objective, data: () => data, steps: config.steps };
  const run = await keptRun<EdStabilisationConfig, EdStabilisationNumbers>(
    {
      experiment: 'ed-w-stabilisation',
      config,
      seed,
      computation: () => ({ ...training, data: () => samples(config.points, 0) }),
    },
    options,
    async (folder): Promise<KeptOutcome<EdStabilisationNumbers>> => {
      const { state, step, seconds, checksum } = await train({
        ...training,
        seed,
        run: folder,
        checkpointSeconds,
        onProgress: onProgress && ((progress) => onProgress(progress, name)),
        signal,
      });
      const energy = evaluate(objective, state);
      const arrays = { energy: hostTensor(energy, [energy.length]) };
      return { numbers: compare(energy), arrays, steps: step, seconds, checksum };
    },
  );
  const energy = Array.from(run.arrays['energy'].data);
  return { stabiliser: config.stabiliser, run, numbers: run.numbers, energy };
}

function stabilisationObjective(config: EdStabilisationConfig): Objective<SingleEnergyState> {
  const { points, width, learningRate, variance, particles, stabiliser } = config;
  return energyDiscrepancyObjective({
    batch: points,
    dim: 1,
    network: mlp({ widths: [1, width, width, 1], activation: 'silu' }),
    adam: { learningRate },
    // An average without memory: the last parameters, as published.
    ema: 0,
    variance,
    particles,
    stabiliser,
  });
}

function samples(n: number, seed: number): HostTensor {
  return hostTensor(normal({ seed, stream: 'ed-w-stabilisation/data', step: 0 }, n), [n, 1]);
}

/** U - min U on the grid. */
function evaluate(objective: Objective<SingleEnergyState>, state: unknown): Float32Array {
  const energy = jit((s: SingleEnergyState, x: Tensor) => objective.energy!(s, x), {
    name: `${objective.name}/energy`,
  }) as unknown as (s: unknown, x: unknown) => Tensor;
  const value = energy(state, hostTensor(Float32Array.from(GRID), [GRID.length, 1]));
  const u = (value.dataSync() as Float32Array).map((logDensity) => -logDensity);
  value.dispose();
  const least = Math.min(...u);
  return u.map((v) => v - least);
}

function compare(energy: Float32Array): EdStabilisationNumbers {
  const inside = GRID.flatMap((x, i) => (Math.abs(x) <= COMPARED + 1e-9 ? [i] : []));
  const square = inside.reduce((sum, i) => sum + (energy[i] - GRID[i] ** 2 / 2) ** 2, 0);
  return {
    rms: Math.sqrt(square / inside.length),
    at18: (energy[GRID.indexOf(-1.8)] + energy[GRID.indexOf(1.8)]) / 2,
  };
}
