import { unknownName } from '../core/errors.ts';
import type { Overrides } from './overrides.ts';
import type { ToyMethod } from './toy-methods.ts';

/** One trained model that a figure shows. */
export interface ToyModel {
  /** First part of its checkpoint's name. */
  readonly id: string;
  readonly method: ToyMethod;
  readonly title: string;
  readonly subtitle?: string;
  readonly overrides?: Overrides;
  /**
   * Multiplies the energy in the density panel, where the figure shows the same model at another
   * temperature. Default 1.
   */
  readonly densityFactor?: number;
}

/** Which panels a figure of the paper has. */
export interface ToyPlan {
  readonly number: '1' | '6' | '7';
  /** Of its files. */
  readonly name: string;
  readonly title: string;
  readonly datasets: readonly string[];
  readonly rows: readonly ('density' | 'samples')[];
  readonly models: readonly ToyModel[];
}

const DDAEBM: ToyModel = { id: 'ddaebm', method: 'ddaebm', title: 'DDAEBM' };
const DDGAN: ToyModel = { id: 'ddgan', method: 'ddgan', title: 'DDGAN' };
const DRL: ToyModel = { id: 'drl', method: 'drl', title: 'DRL' };

const PLANS: Readonly<Record<ToyPlan['number'], ToyPlan>> = {
  '1': {
    number: '1',
    name: 'fig1-toy-comparison',
    title: 'Figure 1. Adversarial energy-based models on toy data',
    datasets: ['25gaussians', 'pinwheel'],
    rows: ['density', 'samples'],
    models: [
      { id: 'meg', method: 'meg', title: 'MEG' },
      { id: 'vera', method: 'vera', title: 'VERA' },
      { id: 'fce', method: 'fce', title: 'FCE' },
      { id: 'bidvl', method: 'bidvl', title: 'BiDVL' },
      DDAEBM,
    ],
  },
  '6': {
    number: '6',
    name: 'fig6-diffusion-densities',
    title: 'Figure 6. Densities learned through diffusion',
    datasets: ['25gaussians'],
    rows: ['density', 'samples'],
    models: [
      { id: 'score-flow', method: 'score-flow', title: 'Score flow' },
      { ...DRL, subtitle: 'as trained', densityFactor: 100 },
      { ...DRL, subtitle: 'energy × 0.01' },
      {
        ...DDGAN,
        id: 'ddgan-marginal',
        subtitle: 'D(x, t) + log q',
        overrides: { 'objective.discriminator': 'marginal' },
      },
      DDAEBM,
    ],
  },
  '7': {
    number: '7',
    name: 'fig7-swissroll',
    title: 'Figure 7. Swiss roll: DDGAN, and what Jeffreys’ divergence adds',
    datasets: ['swissroll'],
    rows: ['samples'],
    models: [
      DDGAN,
      {
        ...DDAEBM,
        id: 'ddaebm-kl',
        subtitle: 'KL only',
        overrides: { 'objective.divergence': 'kl' },
      },
      { ...DDAEBM, subtitle: 'Jeffreys' },
    ],
  },
};

export const TOY_FIGURES = Object.keys(PLANS);

/** @throws ConfigError listing the figures, for any other number. */
export function toyPlan(number: string): ToyPlan {
  if (Object.hasOwn(PLANS, number)) return PLANS[number as ToyPlan['number']];
  throw unknownName('figure', number, TOY_FIGURES);
}

/**
 * The plan with some of its methods only.
 * @throws ConfigError for a method that the figure does not show.
 */
export function withMethods(plan: ToyPlan, methods: readonly string[]): ToyPlan {
  const known = [...new Set(plan.models.map((model) => model.method))];
  const strange = methods.find((name) => !known.some((method) => method === name));
  if (strange !== undefined) throw unknownName(`method of figure ${plan.number}`, strange, known);
  return { ...plan, models: plan.models.filter((model) => methods.includes(model.method)) };
}
