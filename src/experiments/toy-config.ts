import { ConfigError, unknownName } from '../core/errors.ts';
import { type ToyName, toyName } from '../datasets/toy.ts';
import type { Ddaebm } from '../objectives/ddaebm.ts';
import { ddaebm } from '../objectives/ddaebm.ts';
import { type DdaebmOptions, DEFAULT_OPTIONS } from '../objectives/ddaebm-config.ts';
import { constant, cosineAnnealing } from '../optim/schedules.ts';
import { type Overrides, withOverrides } from './overrides.ts';

/** Raised when the code changes what a configuration computes, so that old runs are not reused. */
const REVISION = 1;

/** All that decides the numbers of a toy run, beside its seed. Plain JSON. */
export interface ToyConfig {
  readonly revision: number;
  readonly method: 'ddaebm';
  readonly dataset: ToyName;
  /** Iterations; each updates the energy once and generator and encoder once. */
  readonly steps: number;
  readonly batch: number;
  readonly diffusion: {
    /** Number of diffusion steps. */
    readonly T: number;
    readonly betaMin: number;
    readonly betaMax: number;
    /** tau_0 of the uniform times: 0.001 in the released code, 0 in the paper. */
    readonly firstTime: number;
  };
  readonly objective: Omit<DdaebmOptions, 'recoveryWeights' | 'reconstructionFloor'> & {
    readonly reconstructionFloor: number;
  };
  readonly network: {
    /** Dimension of the latent. */
    readonly latentDim: number;
    /** Width and number of the hidden layers after data and time are joined. */
    readonly width: number;
    readonly layers: number;
  };
  readonly optimizer: {
    readonly energyRate: number;
    readonly generatorRate: number;
    readonly beta1: number;
    readonly beta2: number;
    /** `cosine` falls from the rates above to `finalShare` of them at the last iteration. */
    readonly schedule: 'constant' | 'cosine';
    readonly finalShare: number;
    /** Share of the iterations, from the first, before the rates begin to fall. */
    readonly holdShare: number;
  };
  readonly sampling: {
    /** Of the generator's batch norms: see `DdaebmConfig.samplingStatistics`. */
    readonly statistics: 'batch' | 'running';
  };
  readonly evaluation: {
    /** Samples for the numbers; the picture shows the first batch of them. */
    readonly samples: number;
    /** Samples drawn at once: batch norm uses their own statistics. */
    readonly sampleBatch: number;
    /** Points per axis of the energy grid over [-limit, limit]^2. */
    readonly gridSize: number;
    readonly limit: number;
  };
}

const { recoveryWeights: _, ...objective } = DEFAULT_OPTIONS;

/** The paper's toy setting (B.2.1), with the released code's values where the paper is silent. */
const PAPER: ToyConfig = {
  revision: REVISION,
  method: 'ddaebm',
  dataset: '25gaussians',
  steps: 180_000,
  batch: 200,
  diffusion: { T: 4, betaMin: 0.01, betaMax: 0.1, firstTime: 1e-3 },
  objective: { ...objective, reconstructionFloor: 0.01 },
  network: { latentDim: 2, width: 300, layers: 2 },
  optimizer: {
    energyRate: 1e-4,
    generatorRate: 1e-4,
    beta1: 0,
    beta2: 0.9,
    schedule: 'constant',
    finalShare: 0.1,
    holdShare: 0,
  },
  sampling: { statistics: 'batch' },
  evaluation: { samples: 10_000, sampleBatch: 1000, gridSize: 100, limit: 4 },
};

const PRESETS = {
  /** Seconds: proves that everything works, teaches nothing. */
  smoke: {
    steps: 60,
    'evaluation.samples': 2000,
    'evaluation.gridSize': 50,
  },
  /**
   * Minutes on two cores; settled by experiment (README). A tenth of the paper's iterations at ten
   * times its learning rate, which then falls. The R1 weight is a fortieth of the released 0.02:
   * at its optimum R1 convolves the density with N(0, 2 gamma I), of deviation 0.2 at 0.02, six
   * times that of a mode of 25 Gaussians.
   */
  quick: {
    steps: 20_000,
    'objective.gamma': 5e-4,
    'optimizer.energyRate': 1e-3,
    'optimizer.generatorRate': 1e-3,
    'optimizer.schedule': 'cosine',
    'optimizer.holdShare': 0.6,
    'optimizer.finalShare': 0.02,
    'sampling.statistics': 'running',
  },
  paper: {},
} as const satisfies Record<string, Overrides>;

export type ToyPreset = keyof typeof PRESETS;

export const TOY_PRESETS = Object.keys(PRESETS) as readonly ToyPreset[];

/** @throws ConfigError listing the presets, for any other name. */
export function toyPreset(name: string): ToyPreset {
  if (Object.hasOwn(PRESETS, name)) return name as ToyPreset;
  throw unknownName('preset', name, TOY_PRESETS);
}

/**
 * The full configuration of a preset.
 * @param overrides by dotted path; a text is read as the setting's own type.
 * @throws ConfigError for an unknown data set, preset or setting, or a value out of range.
 */
export function toyConfig(
  options: {
    readonly dataset?: string;
    readonly preset?: string;
    readonly overrides?: Overrides;
  } = {},
): ToyConfig {
  const { dataset = PAPER.dataset, preset = 'quick', overrides = {} } = options;
  const base = withOverrides(PAPER, PRESETS[toyPreset(preset)]);
  const config = withOverrides({ ...base, dataset: toyName(dataset) as string }, overrides);
  const resolved = { ...config, dataset: toyName(config.dataset) };
  check(resolved);
  return resolved;
}

/** The training method of a configuration. @throws ConfigError naming an option out of range. */
export function toyObjective(config: ToyConfig): Ddaebm {
  const { diffusion, network, optimizer } = config;
  const betas = [optimizer.beta1, optimizer.beta2] as const;
  return ddaebm({
    ...config.objective,
    batch: config.batch,
    samplingStatistics: config.sampling.statistics,
    latentDim: network.latentDim,
    schedule: {
      steps: diffusion.T,
      betaMin: diffusion.betaMin,
      betaMax: diffusion.betaMax,
      firstTime: diffusion.firstTime,
    },
    networks: { decoderLayers: new Array<number>(network.layers).fill(network.width) },
    energyAdam: { learningRate: optimizer.energyRate, betas },
    generatorAdam: { learningRate: optimizer.generatorRate, betas },
  });
}

/** Learning rates of an iteration, as the scalars of the state that hold them. */
export function toyRates(config: ToyConfig): (step: number) => Record<string, number> {
  const { energyRate, generatorRate, schedule, finalShare, holdShare } = config.optimizer;
  const held = Math.floor(config.steps * holdShare);
  const rate = (top: number) =>
    schedule === 'cosine'
      ? cosineAnnealing(top, Math.max(1, config.steps - held), top * finalShare)
      : constant(top);
  const [energy, generator] = [rate(energyRate), rate(generatorRate)];
  return (step) => ({
    'energy/adam/learningRate': energy(Math.max(0, step - held)),
    'generator/adam/learningRate': generator(Math.max(0, step - held)),
  });
}

function check(config: ToyConfig): void {
  const { evaluation, optimizer, network } = config;
  const counts: Record<string, readonly [value: number, least: number]> = {
    steps: [config.steps, 0],
    'network.latentDim': [network.latentDim, 1],
    'network.width': [network.width, 1],
    'network.layers': [network.layers, 1],
    'evaluation.samples': [evaluation.samples, 1],
    'evaluation.sampleBatch': [evaluation.sampleBatch, 2],
    'evaluation.gridSize': [evaluation.gridSize, 2],
  };
  for (const [name, [value, least]] of Object.entries(counts)) {
    if (!Number.isSafeInteger(value) || value < least) {
      throw new ConfigError(
        `setting '${name}' must be an integer of at least ${least}, got ${value}`,
      );
    }
  }
  if (!['constant', 'cosine'].includes(optimizer.schedule)) {
    throw unknownName('optimizer.schedule', optimizer.schedule, ['constant', 'cosine']);
  }
  if (!(optimizer.holdShare >= 0 && optimizer.holdShare <= 1)) {
    throw new ConfigError(
      `setting 'optimizer.holdShare' must be in 0 .. 1, got ${optimizer.holdShare}`,
    );
  }
  if (config.revision !== REVISION || config.method !== 'ddaebm') {
    throw new ConfigError("settings 'revision' and 'method' cannot be changed");
  }
  // Everything else is checked where it is used; a fault shall show before anything is written.
  toyObjective(config);
}
