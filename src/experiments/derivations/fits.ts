import { unknownName } from '../../core/errors.ts';
import { type Check, equalityEverywhere } from './check.ts';
import { divergence, expectation, type Line, tabulate, type Values } from './line.ts';
import { logNormal } from './mixture.ts';
import { overConditions } from './recovery.ts';
import { logMarginal, logTruePosterior, type TestBed } from './test-bed.ts';

/** `reverse`: KL(g ‖ p), (11). `forward`: KL(p ‖ g), (12). `jeffreys`: their sum, (10). */
export type FitDivergence = 'reverse' | 'forward' | 'jeffreys';

export interface GaussianFit {
  readonly mean: number;
  readonly sd: number;
  readonly reverse: number;
  readonly forward: number;
}

const MEASURES: Record<FitDivergence, (fit: GaussianFit) => number> = {
  reverse: (fit) => fit.reverse,
  forward: (fit) => fit.forward,
  jeffreys: (fit) => fit.reverse + fit.forward,
};

/**
 * The Gaussian nearest to the density `logP` in one of the divergences: a search over a grid of
 * means and deviations that is refined around the best point.
 * @throws ConfigError for a divergence that is none of the three.
 */
export function fitGaussian(on: Line, logP: Values, by: FitDivergence): GaussianFit {
  const measure = MEASURES[by];
  if (measure === undefined) throw unknownName('divergence', by, Object.keys(MEASURES));
  const to = (mean: number, sd: number): GaussianFit => {
    const logG = tabulate(on, (x) => logNormal(x, mean, sd * sd));
    return {
      mean,
      sd,
      reverse: divergence(on, logG, logP),
      forward: divergence(on, logP, logG),
    };
  };
  let [mean, logSd, width, height] = [0, Math.log(0.7), 3, 1.5];
  let best = to(mean, Math.exp(logSd));
  const side = 6;
  for (let zoom = 0; zoom < 12; zoom++) {
    for (let i = -side; i <= side; i++) {
      for (let j = -side; j <= side; j++) {
        const fit = to(mean + (width * i) / side, Math.exp(logSd + (height * j) / side));
        if (measure(fit) < measure(best)) best = fit;
      }
    }
    [mean, logSd, width, height] = [best.mean, Math.log(best.sd), width / 2.5, height / 2.5];
  }
  return best;
}

/** KL(p ‖ ·) covers: among Gaussians its minimum has the mean and the deviation of p. */
export function coveringMatchesMoments(on: Line, logP: Values): Check {
  const p = logP.map(Math.exp);
  const mean = expectation(on, p, on.x);
  const variance = expectation(
    on,
    p,
    tabulate(on, (x) => (x - mean) ** 2),
  );
  const fit = fitGaussian(on, logP, 'forward');
  return equalityEverywhere(
    { id: '(12) covers', claim: 'argmin_g KL(p‖g) has the moments of p', equation: '(12)' },
    [fit.mean, fit.sd],
    [mean, Math.sqrt(variance)],
    // The search ends with a spacing of 1e-5.
    1e-4,
  );
}

/**
 * The mass outside the heaviest hill of a density, hills being separated by its local minima; 0 for
 * one hill, near ½ for two of the same weight.
 */
export function minorityMass(on: Line, density: Values): number {
  let heaviest = 0;
  let hill = 0;
  let total = 0;
  for (let i = 0; i < density.length; i++) {
    const valley =
      i > 0 &&
      i < density.length - 1 &&
      density[i] < density[i - 1] &&
      density[i] <= density[i + 1];
    if (valley) {
      heaviest = Math.max(heaviest, hill);
      hill = 0;
    }
    hill += density[i] * on.step;
    total += density[i] * on.step;
  }
  return 1 - Math.max(heaviest, hill) / total;
}

/** E_{q(x_{t+1})} of the minority mass of q(x_t | x_{t+1}): what a sampler stuck in a hill misses. */
export function conditionalMinority(bed: TestBed, t: number): number {
  const prior = logMarginal(bed, t);
  return overConditions(bed, t, (at) => [
    minorityMass(bed.x, logTruePosterior(bed, at, prior).map(Math.exp)),
  ])[0];
}

/** The minority mass of the marginal q(x_t). */
export function marginalMinority(bed: TestBed, t: number): number {
  return minorityMass(bed.x, logMarginal(bed, t).map(Math.exp));
}
