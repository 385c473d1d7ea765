import { contrastiveDivergenceObjective } from '../objectives/contrastive-divergence.ts';
import { energyDiscrepancyObjective } from '../objectives/energy-discrepancy.ts';
import { denoisingScoreMatching, scoreMatchingObjective } from '../objectives/score-matching.ts';
import { densityNetwork, singleEnergyObjective } from '../objectives/single-energy.ts';
import { type LangevinSettings, langevinToySampler } from './toy-samplers.ts';
import {
  adamOf,
  common,
  type EnergyOptimizer,
  FALLING,
  SMOKE,
  type ToyCommon,
  type ToyMethodSpec,
} from './toy-settings.ts';

interface SingleEnergy<M extends string> extends ToyCommon<M> {
  readonly optimizer: EnergyOptimizer;
  readonly network: {
    /** Of the four hidden layers (Softplus). */
    readonly width: number;
  };
  /** Decay of the parameter average that is evaluated. */
  readonly ema: number;
  readonly sampling: LangevinSettings;
}

export interface EnergyDiscrepancyToyConfig extends SingleEnergy<'energy-discrepancy'> {
  readonly objective: {
    /** t, the variance of each of the two perturbations. */
    readonly variance: number;
    readonly particles: number;
    readonly stabiliser: number;
  };
}

export interface ContrastiveDivergenceToyConfig extends SingleEnergy<'contrastive-divergence'> {
  readonly objective: {
    readonly chainSteps: number;
    readonly stepSize: number;
    readonly regularisation: number;
  };
}

export type ScoreMatchingToyConfig = SingleEnergy<'score-matching'>;

export interface DenoisingToyConfig extends SingleEnergy<'denoising-score-matching'> {
  /** The model learns the data blurred by N(0, sigma²). */
  readonly objective: { readonly sigma: number };
}

/**
 * The settings of the 2-D density experiment of Energy Discrepancy, whose 25 Gaussians are four
 * times as wide as these: lengths are a quarter, variances a sixteenth of those there.
 */
function base<M extends string>(method: M) {
  return {
    ...common(method),
    steps: 50_000,
    batch: 128,
    network: { width: 128 },
    ema: 0.999,
    optimizer: {
      energyRate: 1e-3,
      beta1: 0.9,
      beta2: 0.999,
      schedule: 'constant',
      finalShare: 0.1,
      holdShare: 0,
    },
    // Half a standard deviation of a mode of 25 Gaussians per step.
    sampling: { steps: 1000, stepSize: 4e-4 },
  } as const;
}

const SPEC = {
  energyPlayers: ['energy'],
  generatorPlayers: [],
  networks: ['energy'],
  smoke: { ...SMOKE, 'sampling.steps': 40 },
  quick: { ...FALLING, steps: 30_000 },
  sampler: ({ sampling, evaluation }: SingleEnergy<string>) =>
    langevinToySampler(sampling, evaluation.limit),
} as const;

function settings({ batch, ema, optimizer, network }: SingleEnergy<string>) {
  return {
    batch,
    ema,
    network: densityNetwork(2, network.width),
    adam: adamOf(optimizer.energyRate, optimizer),
  };
}

export const ENERGY_DISCREPANCY: ToyMethodSpec<EnergyDiscrepancyToyConfig> = {
  ...SPEC,
  title: 'Energy discrepancy',
  paper: {
    ...base('energy-discrepancy'),
    objective: { variance: 1 / 16, particles: 4, stabiliser: 1 },
  },
  build: (config) => energyDiscrepancyObjective({ ...settings(config), ...config.objective }),
};

export const CONTRASTIVE_DIVERGENCE: ToyMethodSpec<ContrastiveDivergenceToyConfig> = {
  ...SPEC,
  title: 'Contrastive divergence',
  paper: {
    ...base('contrastive-divergence'),
    objective: { chainSteps: 10, stepSize: 0.01 / 16, regularisation: 0.3 },
  },
  build(config) {
    const { chainSteps, ...objective } = config.objective;
    return contrastiveDivergenceObjective({
      ...settings(config),
      ...objective,
      steps: chainSteps,
    });
  },
};

export const SCORE_MATCHING: ToyMethodSpec<ScoreMatchingToyConfig> = {
  ...SPEC,
  title: 'Score matching',
  paper: base('score-matching'),
  build: (config) => scoreMatchingObjective(settings(config)),
};

export const DENOISING_SCORE_MATCHING: ToyMethodSpec<DenoisingToyConfig> = {
  ...SPEC,
  title: 'Denoising score matching',
  paper: { ...base('denoising-score-matching'), objective: { sigma: 0.05 } },
  build(config) {
    const { batch } = config;
    const { sigma } = config.objective;
    return singleEnergyObjective({
      name: 'denoising-score-matching',
      dim: 2,
      ...settings(config),
      noise: { noise: { kind: 'normal', shape: [batch, 2] } },
      loss: (energy, data, noise) => denoisingScoreMatching(energy, data, noise['noise'], sigma),
    });
  },
};
