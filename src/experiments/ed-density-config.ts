import { ConfigError } from '../core/errors.ts';
import { contrastiveDivergenceObjective } from '../objectives/contrastive-divergence.ts';
import { energyDiscrepancyObjective, varianceOfScale } from '../objectives/energy-discrepancy.ts';
import type { Objective } from '../objectives/objective.ts';
import { scoreMatchingObjective } from '../objectives/score-matching.ts';
import { densityNetwork, type SingleEnergyState } from '../objectives/single-energy.ts';
import { edPreset } from './ed-preset.ts';
import { checkCounts, type Overrides, withOverrides } from './overrides.ts';

/** Raised when the code changes what a configuration computes, so that old runs are not reused. */
const REVISION = 1;

/** What a run minimises, with the settings that only it has. */
export type EdMethod =
  | {
      readonly name: 'energy-discrepancy';
      /** t, the variance of each of the two perturbations. */
      readonly variance: number;
      /** w. */
      readonly stabiliser: number;
      /** M. */
      readonly particles: number;
    }
  | { readonly name: 'score-matching' }
  | {
      readonly name: 'contrastive-divergence';
      /** Langevin steps from the data. */
      readonly steps: number;
      readonly stepSize: number;
      readonly regularisation: number;
    };

/** What all trainings of the density experiment share. Plain JSON. */
export interface KeptTraining {
  readonly revision: number;
  readonly steps: number;
  readonly batch: number;
  /** Hidden units of each of the four layers. */
  readonly width: number;
  readonly learningRate: number;
  /** Decay of the average of the parameters, which is what is evaluated. */
  readonly ema: number;
  readonly evaluation: {
    /** Iterations between two evaluations of the error; 0: never. */
    readonly every: number;
    /** Fresh data points of an evaluation. */
    readonly points: number;
    /** Points per axis of the density grid over [-limit, limit]^2. */
    readonly gridSize: number;
    readonly limit: number;
  };
}

/** All that decides the numbers of one training, beside its seed. */
export interface EdDensityConfig extends KeptTraining {
  readonly method: EdMethod;
}

/** The published setting; its 50,001 iterations are 50,000 here, evaluated after 0, 100, .... */
const PAPER: KeptTraining = {
  revision: REVISION,
  steps: 50_000,
  batch: 128,
  width: 128,
  learningRate: 1e-3,
  ema: 0.999,
  evaluation: { every: 100, points: 5000, gridSize: 100, limit: 4 },
};

const TRAINING_PRESETS = {
  smoke: { steps: 40, 'evaluation.every': 20, 'evaluation.points': 500, 'evaluation.gridSize': 40 },
  quick: { steps: 15_000 },
  paper: {},
} as const satisfies Record<string, Overrides>;

/** The three methods compared, with the published settings. */
export const ED_METHODS: readonly EdMethod[] = [
  { name: 'energy-discrepancy', variance: 1, stabiliser: 1, particles: 4 },
  { name: 'score-matching' },
  { name: 'contrastive-divergence', steps: 10, stepSize: 0.01, regularisation: 0.3 },
];

/** One row of the grid of settings: all but the number of particles. */
export interface EdGridRow {
  /** What multiplies the noise; the published figures call it t. Its square is the variance. */
  readonly noiseScale: number;
  readonly stabiliser: number;
}

/** The published rows: too little noise, too much, and three stabilisers at a noise of 1. */
export const ED_GRID_ROWS: readonly EdGridRow[] = [
  { noiseScale: 0.05, stabiliser: 1 },
  { noiseScale: 50, stabiliser: 1 },
  { noiseScale: 1, stabiliser: 0 },
  { noiseScale: 1, stabiliser: 0.05 },
  { noiseScale: 1, stabiliser: 50 },
];

const GRID_PRESETS = {
  smoke: {
    training: { steps: 10, 'evaluation.every': 0, 'evaluation.gridSize': 20 },
    particles: [1, 2],
  },
  // 512 particles cost a hundred times as much as 4, and small batches buy iterations.
  quick: {
    training: { steps: 4000, batch: 32, 'evaluation.every': 0, 'evaluation.gridSize': 64 },
    particles: [1, 4, 16],
  },
  paper: { training: { 'evaluation.every': 0 }, particles: [1, 32, 512] },
} as const satisfies Record<string, { training: Overrides; particles: readonly number[] }>;

/**
 * The configurations of the comparison, one per method.
 * @param overrides changes to the preset by dotted path, e.g. `{ steps: 20000 }`.
 * @throws ConfigError for an unknown preset or setting, or a value out of range.
 */
export function edDensityConfigs(
  options: { readonly preset?: string; readonly overrides?: Overrides } = {},
): EdDensityConfig[] {
  const { preset = 'quick', overrides = {} } = options;
  const base = withOverrides(PAPER, TRAINING_PRESETS[edPreset(preset)]);
  const training = checked(withOverrides(base, overrides));
  return ED_METHODS.map((method) => ({ ...training, method }));
}

/** One cell of the grid of settings. */
export interface EdGridCell extends EdGridRow {
  readonly particles: number;
  readonly config: EdDensityConfig;
}

/**
 * The configurations of the grid of settings, row by row.
 * @throws ConfigError as `edDensityConfigs`.
 */
export function edGridCells(
  options: { readonly preset?: string; readonly overrides?: Overrides } = {},
): EdGridCell[] {
  const { preset = 'quick', overrides = {} } = options;
  const { training, particles } = GRID_PRESETS[edPreset(preset)];
  const base = checked(withOverrides(withOverrides(PAPER, training), overrides));
  return ED_GRID_ROWS.flatMap((row) =>
    particles.map((count) => ({
      ...row,
      particles: count,
      config: {
        ...base,
        method: {
          name: 'energy-discrepancy',
          variance: varianceOfScale(row.noiseScale),
          stabiliser: row.stabiliser,
          particles: count,
        },
      },
    })),
  );
}

/** The training method of a configuration. */
export function edObjective(config: EdDensityConfig): Objective<SingleEnergyState> {
  const common = {
    batch: config.batch,
    dim: 2,
    network: densityNetwork(2, config.width),
    adam: { learningRate: config.learningRate },
    ema: config.ema,
  };
  const { method } = config;
  switch (method.name) {
    case 'energy-discrepancy':
      return energyDiscrepancyObjective({ ...common, ...method });
    case 'score-matching':
      return scoreMatchingObjective(common);
    case 'contrastive-divergence':
      return contrastiveDivergenceObjective({ ...common, ...method });
  }
}

function checked(training: KeptTraining): KeptTraining {
  const { evaluation } = training;
  checkCounts({
    steps: [training.steps, 0],
    batch: [training.batch, 1],
    width: [training.width, 1],
    'evaluation.every': [evaluation.every, 0],
    'evaluation.points': [evaluation.points, 1],
    'evaluation.gridSize': [evaluation.gridSize, 2],
  });
  if (!(training.learningRate > 0)) {
    throw new ConfigError(`setting 'learningRate' must be positive, got ${training.learningRate}`);
  }
  if (!(training.ema >= 0 && training.ema < 1)) {
    throw new ConfigError(`setting 'ema' must be in 0 .. 1 (1 excluded), got ${training.ema}`);
  }
  if (!(evaluation.limit > 0)) {
    throw new ConfigError(`setting 'evaluation.limit' must be positive, got ${evaluation.limit}`);
  }
  if (training.revision !== REVISION) {
    throw new ConfigError("setting 'revision' cannot be changed");
  }
  return training;
}
