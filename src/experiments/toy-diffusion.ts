import { ddaebm } from '../objectives/ddaebm.ts';
import { type DdaebmOptions, DEFAULT_OPTIONS } from '../objectives/ddaebm-config.ts';
import { ddgan } from '../objectives/ddgan.ts';
import { drl } from '../objectives/drl.ts';
import { scoreFlow } from '../objectives/score-flow.ts';
import { type FlowSettings, flowToySampler } from './toy-samplers.ts';
import {
  adamOf,
  common,
  type EnergyOptimizer,
  FALLING,
  GAME_OPTIMIZER,
  type GameOptimizer,
  SMOKE,
  type ToyCommon,
  type ToyMethodSpec,
} from './toy-settings.ts';

/** A few large denoising steps. */
interface Denoising {
  /** Number of diffusion steps. */
  readonly T: number;
  readonly betaMin: number;
  readonly betaMax: number;
  /** tau_0 of the uniform times: 0.001 in the released code, 0 in the paper. */
  readonly firstTime: number;
}

interface DenoisingNetwork {
  /** Dimension of the latent. */
  readonly latentDim: number;
  /** Width and number of the hidden layers after data and time are joined. */
  readonly width: number;
  readonly layers: number;
}

export interface DdaebmToyConfig extends ToyCommon<'ddaebm'> {
  readonly diffusion: Denoising;
  readonly objective: Omit<DdaebmOptions, 'recoveryWeights' | 'reconstructionFloor'> & {
    readonly reconstructionFloor: number;
  };
  readonly network: DenoisingNetwork;
  /** Decay of the parameter averages that are looked at; 0 keeps none. */
  readonly ema: number;
  readonly optimizer: GameOptimizer;
  readonly sampling: {
    /** Of the generator's batch norms: see `DdaebmConfig.samplingStatistics`. */
    readonly statistics: 'batch' | 'running';
  };
}

export interface DdganToyConfig extends ToyCommon<'ddgan'> {
  readonly diffusion: Denoising;
  readonly objective: {
    readonly gamma: number;
    /** `conditional` is the method and has no density; `marginal` has one (see `DdganConfig`). */
    readonly discriminator: 'conditional' | 'marginal';
  };
  readonly network: DenoisingNetwork;
  readonly optimizer: GameOptimizer;
  readonly sampling: { readonly statistics: 'batch' | 'running' };
}

export interface DrlToyConfig extends ToyCommon<'drl'> {
  readonly objective: {
    /** Levels. */
    readonly T: number;
    /** b², the squared step size, and K, the steps of a chain. */
    readonly stepVariance: number;
    readonly chainSteps: number;
    /** Whether every level takes the same step (c_t = 1). */
    readonly constantStep: boolean;
    /** Factor on the energy when it is shown as a density. */
    readonly temperature: number;
  };
  readonly network: { readonly width: number; readonly layers: number };
  readonly ema: number;
  readonly optimizer: EnergyOptimizer;
}

export interface ScoreFlowToyConfig extends ToyCommon<'score-flow'> {
  readonly objective: { readonly fourierScale: number };
  readonly network: { readonly width: number; readonly layers: number };
  readonly ema: number;
  readonly optimizer: EnergyOptimizer;
  readonly sampling: FlowSettings;
}

const decoder = ({ width, layers }: { readonly width: number; readonly layers: number }) => ({
  decoderLayers: new Array<number>(layers).fill(width),
});

const schedule = ({ T, betaMin, betaMax, firstTime }: Denoising) => ({
  steps: T,
  betaMin,
  betaMax,
  firstTime,
});

const { recoveryWeights: _, ...ddaebmObjective } = DEFAULT_OPTIONS;

/** The paper's toy setting (B.2.1), with the released code's values where the paper is silent. */
export const DDAEBM: ToyMethodSpec<DdaebmToyConfig> = {
  title: 'DDAEBM',
  paper: {
    ...common('ddaebm'),
    diffusion: { T: 4, betaMin: 0.01, betaMax: 0.1, firstTime: 1e-3 },
    objective: { ...ddaebmObjective, reconstructionFloor: 0.01 },
    network: { latentDim: 2, width: 300, layers: 2 },
    ema: 0,
    optimizer: GAME_OPTIMIZER,
    sampling: { statistics: 'batch' },
  },
  smoke: SMOKE,
  /**
   * Minutes on two cores; settled by experiment, see the README for the numbers. A tenth of the
   * paper's iterations at higher learning rates, which then fall, looked at through an average.
   * The noise goes near N(0, I), where sampling starts (the toy script's range stops far short of
   * it), and then the batch norms must sample with running statistics. An energy that learns more
   * slowly than the generator does not rise where neither data nor samples are.
   */
  quick: {
    ...FALLING,
    steps: 20_000,
    'diffusion.betaMin': 0.1,
    'diffusion.betaMax': 3,
    ema: 0.999,
    'optimizer.energyRate': 3e-4,
    'optimizer.generatorRate': 1e-3,
    'sampling.statistics': 'running',
  },
  /**
   * At its optimum R1 convolves the density with N(0, 2 gamma I). The released 0.02 is a deviation
   * of 0.2: that of the arms of pinwheel, but six times that of a mode of 25 Gaussians, whose
   * sharper energy also needs the higher rate.
   */
  quickFor: { '25gaussians': { 'objective.gamma': 2e-3, 'optimizer.energyRate': 1e-3 } },
  energyPlayers: ['energy'],
  generatorPlayers: ['generator'],
  networks: ['netD', 'netG'],
  build(config) {
    const { optimizer, network } = config;
    return ddaebm({
      ...config.objective,
      batch: config.batch,
      samplingStatistics: config.sampling.statistics,
      latentDim: network.latentDim,
      schedule: schedule(config.diffusion),
      networks: decoder(network),
      ...(config.ema > 0 && { ema: config.ema }),
      energyAdam: adamOf(optimizer.energyRate, optimizer),
      generatorAdam: adamOf(optimizer.generatorRate, optimizer),
    });
  },
};

export const DDGAN: ToyMethodSpec<DdganToyConfig> = {
  title: 'DDGAN',
  paper: {
    ...common('ddgan'),
    // The method's own schedule, which ends at the normal law that sampling starts from.
    diffusion: { T: 4, betaMin: 0.1, betaMax: 20, firstTime: 1e-3 },
    objective: { gamma: 0.02, discriminator: 'conditional' },
    network: DDAEBM.paper.network,
    optimizer: { ...GAME_OPTIMIZER, beta1: 0.5 },
    sampling: { statistics: 'running' },
  },
  smoke: SMOKE,
  quick: {
    ...FALLING,
    steps: 8000,
    'optimizer.energyRate': 1e-3,
    'optimizer.generatorRate': 1e-3,
  },
  energyPlayers: ['energy'],
  generatorPlayers: ['generator'],
  networks: ['energy', 'generator'],
  build(config) {
    const { optimizer, network, batch } = config;
    return ddgan({
      ...config.objective,
      batch,
      samplingStatistics: config.sampling.statistics,
      latentDim: network.latentDim,
      schedule: schedule(config.diffusion),
      networks: decoder(network),
      energyAdam: adamOf(optimizer.energyRate, optimizer),
      generatorAdam: adamOf(optimizer.generatorRate, optimizer),
    });
  },
};

const SINGLE = {
  energyPlayers: ['energy'],
  generatorPlayers: [],
  networks: ['energy'],
} as const;

const ENERGY_OPTIMIZER: EnergyOptimizer = {
  energyRate: 1e-4,
  beta1: 0.9,
  beta2: 0.999,
  schedule: 'constant',
  finalShare: 0.1,
  holdShare: 0,
};

export const DRL: ToyMethodSpec<DrlToyConfig> = {
  ...SINGLE,
  title: 'DRL',
  paper: {
    ...common('drl'),
    objective: {
      T: 6,
      stepVariance: 2e-4,
      chainSteps: 30,
      constantStep: false,
      temperature: 0.01,
    },
    network: { width: 300, layers: 2 },
    ema: 0.999,
    optimizer: ENERGY_OPTIMIZER,
  },
  smoke: { ...SMOKE, 'objective.chainSteps': 5 },
  quick: { ...FALLING, steps: 3000, 'optimizer.energyRate': 3e-4 },
  build(config) {
    const { T, stepVariance, constantStep, chainSteps, temperature } = config.objective;
    const { batch, ema, optimizer } = config;
    return drl({
      batch,
      ema,
      chainSteps,
      temperature,
      schedule: { steps: T, stepVariance, constantStep },
      network: decoder(config.network),
      adam: adamOf(optimizer.energyRate, optimizer),
    });
  },
};

export const SCORE_FLOW: ToyMethodSpec<ScoreFlowToyConfig> = {
  ...SINGLE,
  title: 'Score flow',
  paper: {
    ...common('score-flow'),
    objective: { fourierScale: 2 },
    network: { width: 300, layers: 2 },
    ema: 0.999,
    optimizer: ENERGY_OPTIMIZER,
    sampling: { steps: 40, lastTime: 0.01 },
  },
  smoke: { ...SMOKE, 'sampling.steps': 6 },
  quick: { ...FALLING, steps: 12_000, 'optimizer.energyRate': 1e-3 },
  build(config) {
    const { batch, ema, optimizer } = config;
    return scoreFlow({
      batch,
      ema,
      ...config.objective,
      network: decoder(config.network),
      adam: adamOf(optimizer.energyRate, optimizer),
    });
  },
  sampler: ({ sampling }) => flowToySampler(sampling),
};
