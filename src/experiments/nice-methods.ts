import { unknownName } from '../core/errors.ts';
import { scheduleConfig } from '../diffusion/schedule.ts';
import { type Mlp, mlp } from '../models/mlp.ts';
import { mnistEncoder, mnistGenerator } from '../models/mnist.ts';
import { nice, timeNice } from '../models/nice.ts';
import { ddaebm } from '../objectives/ddaebm.ts';
import { maximumLikelihood } from '../objectives/maximum-likelihood.ts';
import { meg } from '../objectives/meg.ts';
import type { EnergyMap } from '../objectives/toy-game.ts';
import { vera } from '../objectives/vera.ts';
import { wgan0gp } from '../objectives/wgan-0gp.ts';
import {
  MNIST_DIM,
  NICE_OPTIMIZER,
  type NiceCommon,
  type NiceMethodSpec,
  niceCommon,
} from './nice-settings.ts';

export interface MleNiceConfig extends NiceCommon<'mle' | 'mle-t'> {}

interface GameNiceConfig<M extends string> extends NiceCommon<M> {
  readonly sampler: {
    readonly latentDim: number;
    /** Hidden layers of the generator, each with batch norm and PReLU. */
    readonly width: number;
    readonly layers: number;
  };
}

export interface WganNiceConfig extends GameNiceConfig<'wgan-0gp'> {
  readonly objective: { readonly gamma: number; readonly fakeWeight: number };
}

export interface MegNiceConfig extends GameNiceConfig<'meg'> {
  readonly objective: {
    readonly lambda: number;
    readonly energySteps: number;
    readonly fakeWeight: number;
    /** Width of the discriminator between matching and shuffled pairs. */
    readonly statisticsWidth: number;
  };
}

export interface VeraNiceConfig extends GameNiceConfig<'vera'> {
  readonly objective: {
    readonly gamma: number;
    readonly fakeWeight: number;
    readonly entropyWeight: number;
    readonly importanceSamples: number;
    readonly posteriorRate: number;
  };
}

export interface DdaebmNiceConfig extends NiceCommon<'ddaebm'> {
  readonly sampler: { readonly latentDim: number; readonly width: number };
  readonly timeDim: number;
  readonly objective: {
    readonly gamma: number;
    readonly fakeWeight: number;
    readonly latentWeight: number;
    /** Least variance of the reconstruction likelihood: that of t = 1, as in the image code. */
    readonly reconstructionFloor: number;
  };
}

export interface NiceConfigs {
  readonly mle: MleNiceConfig;
  readonly 'mle-t': MleNiceConfig;
  readonly 'wgan-0gp': WganNiceConfig;
  readonly meg: MegNiceConfig;
  readonly vera: VeraNiceConfig;
  readonly ddaebm: DdaebmNiceConfig;
}

export type NiceMethod = keyof NiceConfigs;

const adamOf = (rate: number, { beta1, beta2 }: NiceCommon['optimizer']) => ({
  learningRate: rate,
  betas: [beta1, beta2] as const,
});

const energyOf = ({ network }: NiceCommon): EnergyMap => {
  const flow = nice({ dim: MNIST_DIM, ...network });
  return { ...flow, apply: (params, x) => flow.bind(params).logDensity(x) };
};

const samplerOf = ({ sampler }: GameNiceConfig<string>): Mlp => {
  const hidden = new Array<number>(sampler.layers).fill(sampler.width);
  return mlp({ widths: [sampler.latentDim, ...hidden, MNIST_DIM], batchNorm: true });
};

const gameOf = (config: GameNiceConfig<string>) => ({
  batch: config.batch,
  dim: MNIST_DIM,
  latentDim: config.sampler.latentDim,
  energy: energyOf(config),
  generator: samplerOf(config),
  energyAdam: adamOf(config.optimizer.energyRate, config.optimizer),
  generatorAdam: adamOf(config.optimizer.generatorRate, config.optimizer),
});

/** What the three baselines share: NICE as energy, latent 100, five layers of 1600 (B.2.2). */
const SAMPLER = { latentDim: 100, width: 1600, layers: 5 };

const GAME: Pick<
  NiceMethodSpec<NiceCommon>,
  'quick' | 'flow' | 'energyNetwork' | 'generatorPlayers'
> = {
  quick: { 'sampler.width': 400, 'sampler.layers': 3 },
  flow: ({ network }, params) => nice({ dim: MNIST_DIM, ...network }).bind(params),
  energyNetwork: 'energy',
  generatorPlayers: ['generator'],
};

/** The reference of −791 nats: 100 epochs at Adam's defaults (sliced score matching). */
const MLE: NiceMethodSpec<MleNiceConfig> = {
  ...GAME,
  title: 'MLE, NICE',
  paper: {
    ...niceCommon('mle'),
    steps: 100 * 468,
    optimizer: { ...NICE_OPTIMIZER, generatorRate: 0, beta1: 0.9, beta2: 0.999 },
  },
  quick: {},
  generatorPlayers: [],
  build: (config) =>
    maximumLikelihood({
      density: nice({ dim: MNIST_DIM, ...config.network }),
      dim: MNIST_DIM,
      batch: config.batch,
      adam: adamOf(config.optimizer.energyRate, config.optimizer),
    }),
};

/** The network of DDAEBM fitted to clean data: −879 nats in the paper. */
const MLE_T: NiceMethodSpec<MleNiceConfig> = {
  ...MLE,
  title: 'MLE, NICE with time',
  paper: { ...MLE.paper, ...niceCommon('mle-t') },
  build(config) {
    const network = timeNice({ dim: MNIST_DIM, ...config.network });
    const bind = (params: Parameters<typeof network.flow>[0]) =>
      network.flow(params, { levels: [0] });
    return maximumLikelihood({
      density: { ...network, bind },
      dim: MNIST_DIM,
      batch: config.batch,
      adam: adamOf(config.optimizer.energyRate, config.optimizer),
    });
  },
  flow: ({ network }, params) =>
    timeNice({ dim: MNIST_DIM, ...network }).flow(params, { levels: [0] }),
};

const WGAN: NiceMethodSpec<WganNiceConfig> = {
  ...GAME,
  title: 'WGAN-0GP',
  paper: {
    ...niceCommon('wgan-0gp'),
    sampler: SAMPLER,
    objective: { gamma: 0.02, fakeWeight: 0.1 },
    optimizer: NICE_OPTIMIZER,
  },
  build: (config) => wgan0gp({ ...gameOf(config), ...config.objective }),
};

const MEG: NiceMethodSpec<MegNiceConfig> = {
  ...GAME,
  title: 'MEG',
  paper: {
    ...niceCommon('meg'),
    sampler: SAMPLER,
    // 10 of the mean over pixels, as in the released code, is 10/784 of the squared norm.
    objective: { lambda: 10 / MNIST_DIM, energySteps: 1, fakeWeight: 0.1, statisticsWidth: 1000 },
    optimizer: NICE_OPTIMIZER,
  },
  quick: { ...GAME.quick, 'objective.statisticsWidth': 250 },
  build(config) {
    const { statisticsWidth: width, ...objective } = config.objective;
    const input = MNIST_DIM + config.sampler.latentDim;
    const statistics = mlp({ widths: [input, width, width, 1] });
    return meg({ ...gameOf(config), ...objective, statistics });
  },
};

const VERA: NiceMethodSpec<VeraNiceConfig> = {
  ...GAME,
  title: 'VERA',
  paper: {
    ...niceCommon('vera'),
    sampler: SAMPLER,
    objective: {
      gamma: 0.02,
      fakeWeight: 0.1,
      entropyWeight: 1,
      importanceSamples: 20,
      posteriorRate: 1e-4,
    },
    optimizer: NICE_OPTIMIZER,
  },
  quick: { ...GAME.quick, 'objective.importanceSamples': 5, 'objective.posteriorRate': 1e-3 },
  generatorPlayers: ['generator', 'sigma'],
  build(config) {
    const { posteriorRate, ...objective } = config.objective;
    return vera({
      ...gameOf(config),
      ...objective,
      posteriorAdam: { learningRate: posteriorRate },
    });
  },
};

const DDAEBM: NiceMethodSpec<DdaebmNiceConfig> = {
  title: 'DDAEBM',
  paper: {
    ...niceCommon('ddaebm'),
    sampler: { latentDim: 50, width: 1600 },
    timeDim: 50,
    objective: { gamma: 0.02, fakeWeight: 0.1, latentWeight: 0.1, reconstructionFloor: 0.2422 },
    optimizer: NICE_OPTIMIZER,
  },
  quick: { 'sampler.width': 400 },
  energyNetwork: 'netD',
  generatorPlayers: ['generator'],
  build(config) {
    const { sampler, timeDim, optimizer } = config;
    const sizes = { dim: MNIST_DIM, latent: sampler.latentDim, width: sampler.width, timeDim };
    return ddaebm({
      ...config.objective,
      batch: config.batch,
      dataShape: [MNIST_DIM],
      latentDim: sampler.latentDim,
      schedule: scheduleConfig('mnist'),
      networks: {
        energy: timeNice({ dim: MNIST_DIM, ...config.network, timeDim }),
        generator: mnistGenerator(sizes),
        encoder: mnistEncoder(sizes),
      },
      energyAdam: adamOf(optimizer.energyRate, optimizer),
      generatorAdam: adamOf(optimizer.generatorRate, optimizer),
    });
  },
  flow: ({ network, timeDim }, params) =>
    timeNice({ dim: MNIST_DIM, ...network, timeDim }).flow(params, { levels: [0] }),
};

const SPECS: { readonly [M in NiceMethod]: NiceMethodSpec<NiceConfigs[M]> } = {
  mle: MLE as NiceMethodSpec<MleNiceConfig>,
  'mle-t': MLE_T,
  'wgan-0gp': WGAN,
  meg: MEG,
  vera: VERA,
  ddaebm: DDAEBM,
};

export const NICE_METHODS = Object.keys(SPECS) as NiceMethod[];

/** @throws ConfigError listing the methods, for any other name. */
export function niceMethod(name: string): NiceMethod {
  if (Object.hasOwn(SPECS, name)) return name as NiceMethod;
  throw unknownName('method', name, NICE_METHODS);
}

export function niceMethodSpec(method: NiceMethod): NiceMethodSpec<NiceCommon> {
  return SPECS[method] as unknown as NiceMethodSpec<NiceCommon>;
}
