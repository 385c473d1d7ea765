import { ConfigError, unknownName } from '../../core/errors.ts';
import { type PosteriorCoefficients, posteriorCoefficients } from '../../diffusion/posterior.ts';
import {
  noiseSchedule,
  type Schedule,
  type ScheduleConfig,
  scheduleConfig,
} from '../../diffusion/schedule.ts';
import { type Line, line, logIntegral, tabulate, type Values } from './line.ts';
import {
  checkedMixture,
  condition,
  diffuse,
  logMixture,
  logNormal,
  type Mixture,
} from './mixture.ts';

/** A Gaussian q_ψ(z | x_t, x_{t+1}). */
export type Encoder = (
  x: number,
  xNext: number,
) => { readonly mean: number; readonly variance: number };

/** What a test bed is made of; data, energy, generator and encoder are one-dimensional. */
export interface TestBedConfig {
  readonly schedule: ScheduleConfig;
  readonly data: Mixture;
  /** E_θ(x) = Σ_j θ_j·features_j(x). */
  readonly features: readonly ((x: number) => number)[];
  readonly theta: readonly number[];
  /** x̂ = G_φ(z, x_{t+1}). */
  readonly generator: (z: number, xNext: number) => number;
  readonly encoder: Encoder;
  /** Integration over x_t and x_{t+1}. */
  readonly x: Line;
  /** Integration over z. */
  readonly z: Line;
}

/**
 * A diffusion model small enough to integrate exactly: every expectation of the paper is a sum over
 * a grid, every density is normalised.
 */
export interface TestBed extends TestBedConfig {
  readonly levels: Schedule;
  readonly posterior: PosteriorCoefficients;
}

/** A pair of levels and the value that is conditioned on. */
export interface At {
  /** 0..T−1: the pair (x_t, x_{t+1}). */
  readonly t: number;
  /** x_{t+1}. */
  readonly xNext: number;
}

/**
 * Defaults: two Gaussians of unequal weight, an energy, a generator and an encoder that are all
 * wrong on purpose, so that no identity holds because two things happen to be equal.
 */
const DEFAULTS: TestBedConfig = {
  schedule: scheduleConfig('cifar10'),
  data: { weights: [0.3, 0.7], means: [-1.2, 0.8], sds: [0.25, 0.25] },
  features: [(x) => Math.sin(1.3 * x), (x) => x * x, (x) => Math.cos(x)],
  theta: [0.7, -0.4, 0.5],
  generator: (z, xNext) => 1.4 * Math.tanh(0.9 * z + 0.4 * xNext),
  encoder: (x, xNext) => ({
    mean: 0.6 * Math.tanh(x) + 0.2 * xNext,
    variance: 0.5 + 0.3 * Math.cos(x) ** 2,
  }),
  x: line(-8, 8, 801),
  z: line(-8, 8, 321),
};

/** @throws ConfigError for a mixture, schedule or number of coefficients that cannot be. */
export function testBed(changes: Partial<TestBedConfig> = {}): TestBed {
  const config = { ...DEFAULTS, ...changes };
  checkedMixture(config.data);
  if (config.theta.length !== config.features.length) {
    throw new ConfigError(
      `testBed: need one coefficient per feature, got ${config.theta.length} of theta ` +
        `for ${config.features.length} features`,
    );
  }
  const levels = noiseSchedule(config.schedule);
  return { ...config, levels, posterior: posteriorCoefficients(levels) };
}

/** E_θ(x), with other coefficients where given. */
export function energy(bed: TestBed, x: number, theta: readonly number[] = bed.theta): number {
  return bed.features.reduce((sum, feature, j) => sum + theta[j] * feature(x), 0);
}

/** E_θ on the grid of x. */
export function energyValues(bed: TestBed, theta = bed.theta): Values {
  return tabulate(bed.x, (x) => energy(bed, x, theta));
}

/** q(x_k), k = 0..T. */
export function marginal(bed: TestBed, k: number): Mixture {
  return diffuse(bed.data, bed.levels.alphaBars[checkedLevel(bed, k, bed.levels.steps)]);
}

/** log q(x_k) on the grid of x. */
export function logMarginal(bed: TestBed, k: number): Values {
  const mixture = marginal(bed, k);
  return tabulate(bed.x, (x) => logMixture(mixture, x));
}

/** log q(x_{t+1} | x_t), eq. (4). */
export function logForward(bed: TestBed, t: number, x: number, xNext: number): number {
  const { a, betas } = bed.levels;
  return logNormal(xNext, a[t + 1] * x, betas[t + 1]);
}

/** log q(x_{t+1} | x_t) on the grid of x_t. */
export function logForwardValues(bed: TestBed, { t, xNext }: At): Values {
  checkedLevel(bed, t);
  return tabulate(bed.x, (x) => logForward(bed, t, x, xNext));
}

/**
 * log q(x_t | x_{t+1}) on the grid of x, by Bayes from densities that are known exactly.
 * @param prior log q(x_t) where it is tabulated already.
 */
export function logTruePosterior(bed: TestBed, at: At, prior = logMarginal(bed, at.t)): Values {
  checkedLevel(bed, at.t);
  const logNext = logMixture(marginal(bed, at.t + 1), at.xNext);
  return logForwardValues(bed, at).map((forward, i) => prior[i] + forward - logNext);
}

/** The same in closed form: a mixture again. */
export function truePosterior(bed: TestBed, { t, xNext }: At): Mixture {
  checkedLevel(bed, t);
  const { a, betas } = bed.levels;
  return condition(marginal(bed, t), xNext, a[t + 1], betas[t + 1]);
}

/** The conditional energy-based model (6) on the grid of x. */
export interface ConditionalModel {
  /** log p_θ(x_t | x_{t+1}). */
  readonly logDensity: Values;
  readonly density: Values;
  /** log Z̃_{θ,t}(x_{t+1}). */
  readonly logZ: number;
}

/** `energies`: E on the grid of x, by default the bed's. */
export function conditionalModel(
  bed: TestBed,
  at: At,
  energies = energyValues(bed),
): ConditionalModel {
  const joint = logForwardValues(bed, at).map((forward, i) => energies[i] + forward);
  const logZ = logIntegral(bed.x, joint);
  const logDensity = joint.map((value) => value - logZ);
  return { logDensity, density: logDensity.map(Math.exp), logZ };
}

/** @throws ConfigError unless t is one of 0..last. */
export function checkedLevel(bed: TestBed, t: number, last = bed.levels.steps - 1): number {
  if (!Number.isInteger(t) || t < 0 || t > last) {
    throw new ConfigError(
      `level ${t} does not exist; T = ${bed.levels.steps}, so it must be one of 0..${last}`,
    );
  }
  return t;
}

/** Draws per Monte Carlo row. */
const DRAWS = { smoke: 20_000, quick: 400_000, paper: 2_000_000 } as const;

/** @throws ConfigError for a preset that does not exist. */
export function monteCarloDraws(preset: string): number {
  const draws = (DRAWS as Record<string, number>)[preset];
  if (draws === undefined) throw unknownName('preset', preset, Object.keys(DRAWS));
  return draws;
}
