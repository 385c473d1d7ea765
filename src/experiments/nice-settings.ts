import { ConfigError, unknownName } from '../core/errors.ts';
import type { BoundFlow } from '../models/nice.ts';
import type { Params } from '../nn/params.ts';
import type { Objective } from '../objectives/objective.ts';
import { constant, cosineAnnealing } from '../optim/schedules.ts';
import { checkCounts, type Overrides } from './overrides.ts';

/** Raised when the code changes what a configuration computes, so that old runs are not reused. */
export const NICE_REVISION = 1;

/** Pixels of an MNIST image. */
export const MNIST_DIM = 784;

/** Iterations of an epoch: 60,000 images in batches of 128, the rest left out. */
export const EPOCH = 468;

export interface NiceOptimizer {
  readonly energyRate: number;
  /** Of generator and encoder; 0 where there is none. */
  readonly generatorRate: number;
  readonly beta1: number;
  readonly beta2: number;
  /** `cosine` falls from the rates to `finalShare` of them at the last iteration. */
  readonly schedule: 'constant' | 'cosine';
  readonly finalShare: number;
}

/** What the configurations of all methods share. Plain JSON. */
export interface NiceCommon<M extends string = string> {
  readonly revision: number;
  readonly method: M;
  readonly steps: number;
  readonly batch: number;
  readonly network: {
    /** Width of the hidden layers of NICE, and affine layers of a coupling. */
    readonly width: number;
    readonly layers: number;
  };
  readonly optimizer: NiceOptimizer;
  readonly evaluation: {
    /** Iterations between evaluations of the test likelihood. */
    readonly every: number;
    /** Images of either set in an evaluation; the last one takes all. */
    readonly images: number;
    /** Samples kept for the picture. */
    readonly samples: number;
  };
}

/** One training method of the NICE experiment. */
export interface NiceMethodSpec<C extends NiceCommon> {
  /** e.g. `VERA`. */
  readonly title: string;
  /** Every setting with its value at the preset `paper`. */
  readonly paper: C;
  /** What the preset `quick` changes beside the sizes all methods share. */
  readonly quick: Overrides;
  /** @throws ConfigError naming a setting out of range. */
  build(config: C): Objective;
  /** The normalised density at the level of clean data. */
  flow(config: C, params: Params): BoundFlow;
  /** Name of the energy among the networks that the objective exports. */
  readonly energyNetwork: string;
  /** Optimisers of the state that follow the generator's rate. */
  readonly generatorPlayers: readonly string[];
}

export function niceCommon<M extends string>(method: M) {
  return {
    revision: NICE_REVISION,
    method,
    steps: 400 * EPOCH,
    batch: 128,
    network: { width: 1000, layers: 5 },
    evaluation: { every: 5 * EPOCH, images: 2000, samples: 36 },
  };
}

/** Rates of the paper: 1e-4 throughout, betas (0, 0.9). */
export const NICE_OPTIMIZER: NiceOptimizer = {
  energyRate: 1e-4,
  generatorRate: 1e-4,
  beta1: 0,
  beta2: 0.9,
  schedule: 'constant',
  finalShare: 0.02,
};

/** Learning rates of an iteration, as the scalars of the state that hold them. */
export function niceRates(
  { optimizer, steps }: NiceCommon,
  generatorPlayers: readonly string[],
): (step: number) => Record<string, number> {
  const rate = (top: number) =>
    optimizer.schedule === 'cosine'
      ? cosineAnnealing(top, Math.max(1, steps), top * optimizer.finalShare)
      : constant(top);
  const energy = rate(optimizer.energyRate);
  const generator = rate(optimizer.generatorRate);
  return (step) => ({
    'energy/adam/learningRate': energy(step),
    ...Object.fromEntries(
      generatorPlayers.map((player) => [`${player}/adam/learningRate`, generator(step)]),
    ),
  });
}

/** @throws ConfigError for a setting that no method can work with. */
export function checkNice(config: NiceCommon, method: string): void {
  const { evaluation, optimizer, network } = config;
  checkCounts({
    steps: [config.steps, 1],
    batch: [config.batch, 2],
    'network.width': [network.width, 1],
    'network.layers': [network.layers, 2],
    'evaluation.every': [evaluation.every, 1],
    'evaluation.images': [evaluation.images, 1],
    'evaluation.samples': [evaluation.samples, 2],
  });
  if (!['constant', 'cosine'].includes(optimizer.schedule)) {
    throw unknownName('optimizer.schedule', optimizer.schedule, ['constant', 'cosine']);
  }
  if (config.revision !== NICE_REVISION || config.method !== method) {
    throw new ConfigError("settings 'revision' and 'method' cannot be changed");
  }
}
