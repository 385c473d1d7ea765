import type { ToyName } from '../datasets/toy.ts';
import type { Objective } from '../objectives/objective.ts';
import type { Overrides } from './overrides.ts';
import type { ToySampler } from './toy-samplers.ts';

/** Raised when the code changes what a configuration computes, so that old runs are not reused. */
export const REVISION = 1;

/** How learning rates go over a run. */
export interface ToySchedule {
  readonly beta1: number;
  readonly beta2: number;
  /** `cosine` falls from the rates to `finalShare` of them at the last iteration. */
  readonly schedule: 'constant' | 'cosine';
  readonly finalShare: number;
  /** Share of the iterations, from the first, before the rates begin to fall. */
  readonly holdShare: number;
}

/** One energy and one optimiser. */
export interface EnergyOptimizer extends ToySchedule {
  readonly energyRate: number;
}

/** An energy and a sampler that play against each other. */
export interface GameOptimizer extends EnergyOptimizer {
  readonly generatorRate: number;
}

export interface ToyEvaluationSettings {
  /** Samples for the numbers; the picture shows the first batch of them. */
  readonly samples: number;
  /** Samples drawn at once: batch norm uses their own statistics. */
  readonly sampleBatch: number;
  /** Points per axis of the energy grid over [-limit, limit]^2. */
  readonly gridSize: number;
  readonly limit: number;
}

/** What the configurations of all methods share. Plain JSON. */
export interface ToyCommon<M extends string = string> {
  readonly revision: number;
  readonly method: M;
  readonly dataset: ToyName;
  /** Iterations; each updates every network of the method (see its objective). */
  readonly steps: number;
  readonly batch: number;
  readonly optimizer: EnergyOptimizer & { readonly generatorRate?: number };
  readonly evaluation: ToyEvaluationSettings;
}

/** One training method: its settings, what they build, and what a reader is told of it. */
export interface ToyMethodSpec<C extends ToyCommon> {
  /** e.g. `MEG`. */
  readonly title: string;
  /** Every setting with its value at the preset `paper`. */
  readonly paper: C;
  /** What the other presets change. */
  readonly smoke: Overrides;
  readonly quick: Overrides;
  /** What `quick` changes further for one data set. */
  readonly quickFor?: Readonly<Partial<Record<ToyName, Overrides>>>;
  /** @throws ConfigError naming a setting out of range. */
  build(config: C): Objective;
  /** The optimisers of the state that follow each rate. */
  readonly energyPlayers: readonly string[];
  readonly generatorPlayers: readonly string[];
  /** Networks that density and samples need: what a published checkpoint holds. */
  readonly networks: readonly string[];
  /** For methods whose objective cannot sample. */
  sampler?(config: C): ToySampler;
}

export const EVALUATION: ToyEvaluationSettings = {
  samples: 10_000,
  sampleBatch: 1000,
  gridSize: 100,
  limit: 4,
};

/** The optimiser of every toy script of DDAEBM. */
export const GAME_OPTIMIZER: GameOptimizer = {
  energyRate: 1e-4,
  generatorRate: 1e-4,
  beta1: 0,
  beta2: 0.9,
  schedule: 'constant',
  finalShare: 0.1,
  holdShare: 0,
};

/** Seconds: proves that everything works, teaches nothing. */
export const SMOKE: Overrides = {
  steps: 60,
  'evaluation.samples': 2000,
  'evaluation.gridSize': 50,
};

/** Rates that are held for most of a run and then fall. */
export const FALLING: Overrides = {
  'optimizer.schedule': 'cosine',
  'optimizer.holdShare': 0.6,
  'optimizer.finalShare': 0.02,
};

/** The part of a configuration that every method has, at the paper's values. */
export function common<M extends string>(
  method: M,
): Omit<ToyCommon<M>, 'optimizer' | 'batch' | 'steps'> & {
  readonly steps: number;
  readonly batch: number;
} {
  return {
    revision: REVISION,
    method,
    dataset: '25gaussians',
    steps: 180_000,
    batch: 200,
    evaluation: EVALUATION,
  };
}

/** Adam of one optimiser, from the settings. */
export function adamOf(rate: number, { beta1, beta2 }: ToySchedule) {
  return { learningRate: rate, betas: [beta1, beta2] as const };
}
