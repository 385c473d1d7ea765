import { unknownName } from '../core/errors.ts';
import {
  BIDVL,
  type BidvlToyConfig,
  EBM_BB,
  type EbmBbToyConfig,
  FCE,
  type FceToyConfig,
  MEG,
  type MegToyConfig,
  VERA,
  type VeraToyConfig,
  WGAN_0GP,
  type Wgan0gpToyConfig,
} from './toy-adversarial.ts';
import {
  DDAEBM,
  DDGAN,
  type DdaebmToyConfig,
  type DdganToyConfig,
  DRL,
  type DrlToyConfig,
  SCORE_FLOW,
  type ScoreFlowToyConfig,
} from './toy-diffusion.ts';
import type { ToyCommon, ToyMethodSpec } from './toy-settings.ts';
import {
  CONTRASTIVE_DIVERGENCE,
  type ContrastiveDivergenceToyConfig,
  DENOISING_SCORE_MATCHING,
  type DenoisingToyConfig,
  ENERGY_DISCREPANCY,
  type EnergyDiscrepancyToyConfig,
  SCORE_MATCHING,
  type ScoreMatchingToyConfig,
} from './toy-single-energy.ts';

/** The configuration of each method. */
export interface ToyConfigs {
  readonly ddaebm: DdaebmToyConfig;
  readonly meg: MegToyConfig;
  readonly vera: VeraToyConfig;
  readonly fce: FceToyConfig;
  readonly bidvl: BidvlToyConfig;
  readonly 'ebm-bb': EbmBbToyConfig;
  readonly 'wgan-0gp': Wgan0gpToyConfig;
  readonly ddgan: DdganToyConfig;
  readonly 'score-flow': ScoreFlowToyConfig;
  readonly drl: DrlToyConfig;
  readonly 'energy-discrepancy': EnergyDiscrepancyToyConfig;
  readonly 'contrastive-divergence': ContrastiveDivergenceToyConfig;
  readonly 'score-matching': ScoreMatchingToyConfig;
  readonly 'denoising-score-matching': DenoisingToyConfig;
}

export type ToyMethod = keyof ToyConfigs;

const METHODS: { readonly [M in ToyMethod]: ToyMethodSpec<ToyConfigs[M]> } = {
  ddaebm: DDAEBM,
  meg: MEG,
  vera: VERA,
  fce: FCE,
  bidvl: BIDVL,
  'ebm-bb': EBM_BB,
  'wgan-0gp': WGAN_0GP,
  ddgan: DDGAN,
  'score-flow': SCORE_FLOW,
  drl: DRL,
  'energy-discrepancy': ENERGY_DISCREPANCY,
  'contrastive-divergence': CONTRASTIVE_DIVERGENCE,
  'score-matching': SCORE_MATCHING,
  'denoising-score-matching': DENOISING_SCORE_MATCHING,
};

export const TOY_METHODS = Object.keys(METHODS) as readonly ToyMethod[];

/** @throws ConfigError listing the methods, for any other name. */
export function toyMethod(name: string): ToyMethod {
  if (Object.hasOwn(METHODS, name)) return name as ToyMethod;
  throw unknownName('method', name, TOY_METHODS);
}

/** What a method's settings mean. Whoever has a configuration of unknown method uses this. */
export function toyMethodSpec(method: ToyMethod): ToyMethodSpec<ToyCommon> {
  return METHODS[method] as unknown as ToyMethodSpec<ToyCommon>;
}
