import { bidvl } from '../objectives/bidvl.ts';
import { ebmBb } from '../objectives/ebm-bb.ts';
import { fce } from '../objectives/fce.ts';
import { meg } from '../objectives/meg.ts';
import { vera } from '../objectives/vera.ts';
import { wgan0gp } from '../objectives/wgan-0gp.ts';
import type { Overrides } from './overrides.ts';
import {
  adamOf,
  common,
  FALLING,
  GAME_OPTIMIZER,
  type GameOptimizer,
  SMOKE,
  type ToyCommon,
  type ToyMethodSpec,
} from './toy-settings.ts';

interface Game<M extends string> extends ToyCommon<M> {
  readonly optimizer: GameOptimizer;
  readonly network: {
    readonly latentDim: number;
    /** Of the two hidden layers of every network. */
    readonly width: number;
  };
}

export interface MegToyConfig extends Game<'meg'> {
  readonly objective: { readonly lambda: number; readonly energySteps: number };
}

export interface VeraToyConfig extends Game<'vera'> {
  readonly objective: {
    readonly gamma: number;
    readonly entropyWeight: number;
    readonly importanceSamples: number;
    readonly sigmaMin: number;
    readonly sigmaMax: number;
    readonly posteriorWidth: number;
    readonly posteriorRate: number;
  };
}

export interface FceToyConfig extends ToyCommon<'fce'> {
  readonly optimizer: GameOptimizer;
  readonly network: { readonly width: number };
  readonly objective: {
    readonly pretraining: number;
    readonly accuracy: number;
    readonly patience: number;
  };
}

export interface BidvlToyConfig extends Game<'bidvl'> {
  readonly objective: {
    readonly lambda: number;
    readonly latentWeight: number;
    readonly gamma: number;
  };
}

export interface EbmBbToyConfig extends Game<'ebm-bb'> {
  readonly objective: {
    readonly entropy: 'smallest' | 'determinant';
    readonly boundWeight: number;
    readonly boundMargin: number;
    readonly entropyWeight: number;
  };
}

export interface Wgan0gpToyConfig extends Game<'wgan-0gp'> {
  readonly objective: { readonly gamma: number; readonly fakeWeight: number };
}

const NETWORK = { latentDim: 2, width: 300 };

/** Minutes: a fifteenth of the paper's iterations at ten times its rate, which then falls. */
const QUICK: Overrides = {
  ...FALLING,
  steps: 12_000,
  'optimizer.energyRate': 1e-3,
  'optimizer.generatorRate': 1e-3,
};

/** For methods whose iterations are dearer. */
const QUICK_AND_DEAR: Overrides = {
  ...QUICK,
  steps: 6000,
  'optimizer.energyRate': 5e-4,
  'optimizer.generatorRate': 5e-4,
};

const GAME = {
  energyPlayers: ['energy'],
  generatorPlayers: ['generator'],
  networks: ['energy', 'generator'],
  smoke: SMOKE,
  quick: QUICK,
} as const;

function settings(config: Game<string> | FceToyConfig) {
  const { optimizer, batch, network } = config;
  return {
    batch,
    ...network,
    energyAdam: adamOf(optimizer.energyRate, optimizer),
    generatorAdam: adamOf(optimizer.generatorRate, optimizer),
  };
}

export const MEG: ToyMethodSpec<MegToyConfig> = {
  ...GAME,
  title: 'MEG',
  quick: QUICK_AND_DEAR,
  paper: {
    ...common('meg'),
    objective: { lambda: 0.1, energySteps: 5 },
    network: NETWORK,
    optimizer: GAME_OPTIMIZER,
  },
  build: (config) => meg({ ...settings(config), ...config.objective }),
};

export const VERA: ToyMethodSpec<VeraToyConfig> = {
  ...GAME,
  title: 'VERA',
  quick: { ...QUICK, steps: 8000 },
  paper: {
    ...common('vera'),
    objective: {
      gamma: 0.1,
      entropyWeight: 1,
      importanceSamples: 20,
      sigmaMin: 0.01,
      sigmaMax: 0.3,
      posteriorWidth: 0.1,
      posteriorRate: 0.02,
    },
    network: NETWORK,
    optimizer: GAME_OPTIMIZER,
  },
  generatorPlayers: ['generator', 'sigma'],
  networks: ['energy', 'generator', 'sigma'],
  build(config) {
    const { sigmaMin, sigmaMax, posteriorRate, ...objective } = config.objective;
    return vera({
      ...settings(config),
      ...objective,
      sigmaRange: [sigmaMin, sigmaMax],
      posteriorAdam: { learningRate: posteriorRate },
    });
  },
};

export const FCE: ToyMethodSpec<FceToyConfig> = {
  ...GAME,
  title: 'FCE',
  quick: { ...QUICK_AND_DEAR, 'objective.pretraining': 2000 },
  paper: {
    ...common('fce'),
    objective: { pretraining: 5000, accuracy: 0.525, patience: 5 },
    network: { width: NETWORK.width },
    optimizer: GAME_OPTIMIZER,
  },
  generatorPlayers: ['flow'],
  networks: ['energy', 'normaliser', 'flow'],
  build: (config) => fce({ ...settings(config), ...config.objective }),
};

export const BIDVL: ToyMethodSpec<BidvlToyConfig> = {
  ...GAME,
  title: 'BiDVL',
  paper: {
    ...common('bidvl'),
    objective: { lambda: 0.05, latentWeight: 0.5, gamma: 0.02 },
    network: NETWORK,
    optimizer: GAME_OPTIMIZER,
  },
  build: (config) => bidvl({ ...settings(config), ...config.objective }),
};

export const EBM_BB: ToyMethodSpec<EbmBbToyConfig> = {
  ...GAME,
  title: 'EBM-BB',
  paper: {
    ...common('ebm-bb'),
    steps: 150_000,
    objective: { entropy: 'smallest', boundWeight: 1e-3, boundMargin: 1, entropyWeight: 1 },
    network: { latentDim: 2, width: 100 },
    optimizer: { ...GAME_OPTIMIZER, energyRate: 2e-4, generatorRate: 2e-4 },
  },
  build: (config) => ebmBb({ ...settings(config), ...config.objective }),
};

export const WGAN_0GP: ToyMethodSpec<Wgan0gpToyConfig> = {
  ...GAME,
  title: 'WGAN-0GP',
  paper: {
    ...common('wgan-0gp'),
    objective: { gamma: 0.1, fakeWeight: 1 },
    network: NETWORK,
    optimizer: GAME_OPTIMIZER,
  },
  build: (config) => wgan0gp({ ...settings(config), ...config.objective }),
};
