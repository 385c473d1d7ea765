import { ConfigError, unknownName } from '../core/errors.ts';
import { type LatentPrior, latentPrior } from '../objectives/latent-prior.ts';
import { exponential } from '../optim/schedules.ts';
import { type Overrides, withOverrides } from './overrides.ts';

/** Raised when the code changes what a configuration computes, so that old runs are not reused. */
const REVISION = 1;

/** All that decides the numbers of a run, beside its seed. Plain JSON. */
export interface LatentPriorExperiment {
  readonly revision: number;
  readonly steps: number;
  readonly batch: number;
  readonly network: {
    readonly latentDim: number;
    /** Base width of the decoder, and width of the prior energy. */
    readonly features: number;
    readonly width: number;
  };
  readonly objective: {
    /** t, the variance of each perturbation of a latent. */
    readonly variance: number;
    readonly particles: number;
    readonly stabiliser: number;
    /** σ_x. */
    readonly sigma: number;
    readonly posteriorSteps: number;
    readonly posteriorStep: number;
  };
  readonly optimizer: {
    readonly energyRate: number;
    readonly generatorRate: number;
    /** Factor on both rates per epoch. */
    readonly decay: number;
    readonly ema: number;
  };
  readonly evaluation: {
    /** Pictures of each kind. */
    readonly pictures: number;
    /** Images of each set whose posterior is drawn for the numbers. */
    readonly images: number;
    readonly priorSteps: number;
    readonly priorStep: number;
  };
}

/** The published settings: 30 epochs of 235 iterations. */
const PAPER: LatentPriorExperiment = {
  revision: REVISION,
  steps: 30 * 234,
  batch: 256,
  network: { latentDim: 64, features: 128, width: 200 },
  objective: {
    variance: 0.25,
    particles: 16,
    stabiliser: 1,
    sigma: 0.3,
    posteriorSteps: 20,
    posteriorStep: 0.1,
  },
  optimizer: { energyRate: 5e-5, generatorRate: 1e-4, decay: 0.99, ema: 0.999 },
  evaluation: { pictures: 64, images: 1000, priorSteps: 500, priorStep: 0.2 },
};

/** A decoder of an eighth of the width, half the posterior steps and ten times the rates. */
const SMALL: Overrides = {
  batch: 128,
  'network.features': 16,
  'objective.posteriorSteps': 10,
  'optimizer.energyRate': 5e-4,
  'optimizer.generatorRate': 1e-3,
  'optimizer.ema': 0.99,
};

const CHANGES: Readonly<Record<string, Overrides>> = {
  smoke: {
    ...SMALL,
    batch: 16,
    'network.features': 2,
    'objective.posteriorSteps': 3,
    'evaluation.pictures': 4,
    'evaluation.images': 32,
    'evaluation.priorSteps': 40,
    steps: 5,
  },
  quick: { ...SMALL, steps: 800 },
  overnight: { ...SMALL, 'network.features': 64, 'objective.posteriorSteps': 20, steps: 10 * 468 },
  paper: {},
};

export const LATENT_PRIOR_PRESETS = ['smoke', 'quick', 'overnight', 'paper'] as const;

/** The full configuration of a preset. @throws ConfigError for an unknown name or setting. */
export function latentPriorConfig(
  preset = 'quick',
  overrides: Overrides = {},
): LatentPriorExperiment {
  if (!Object.hasOwn(CHANGES, preset)) throw unknownName('preset', preset, LATENT_PRIOR_PRESETS);
  const config = withOverrides(withOverrides(PAPER, CHANGES[preset]), overrides);
  if (config.revision !== REVISION) throw new ConfigError("setting 'revision' cannot be changed");
  latentPriorObjective(config);
  return config;
}

export function latentPriorObjective(config: LatentPriorExperiment): LatentPrior {
  const { network, objective, optimizer, batch } = config;
  return latentPrior({
    ...network,
    ...objective,
    batch,
    ema: optimizer.ema,
    energyAdam: { learningRate: optimizer.energyRate },
    generatorAdam: { learningRate: optimizer.generatorRate },
  });
}

/** Both rates of an iteration, as the scalars of the state that hold them. */
export function latentPriorRates(
  config: LatentPriorExperiment,
  images: number,
): (step: number) => Record<string, number> {
  const { energyRate, generatorRate, decay } = config.optimizer;
  const perEpoch = Math.floor(images / config.batch);
  const [energy, generator] = [energyRate, generatorRate].map((r) => exponential(r, decay));
  return (step) => {
    const epoch = Math.floor(step / perEpoch);
    return {
      'energy/adam/learningRate': energy(epoch),
      'generator/adam/learningRate': generator(epoch),
    };
  };
}
