import { describe, expect, it } from 'vitest';
import { ConfigError, NumericError, ShapeError } from '../../src/core/errors.ts';
import { normal64 } from '../../src/core/random.ts';
import {
  atLeast,
  CheckList,
  equality,
  equalityEverywhere,
  estimate,
} from '../../src/experiments/derivations/check.ts';
import {
  coveringMatchesMoments,
  fitGaussian,
  minorityMass,
} from '../../src/experiments/derivations/fits.ts';
import { generatorTable } from '../../src/experiments/derivations/latent-tables.ts';
import {
  divergence,
  entropy,
  expectation,
  integral,
  line,
  logIntegral,
  slope,
  tabulate,
} from '../../src/experiments/derivations/line.ts';
import {
  checkedMixture,
  condition,
  diffuse,
  drawMixture,
  logMixture,
  logNormal,
} from '../../src/experiments/derivations/mixture.ts';
import { penaltyBlurs, penaltyOptimum } from '../../src/experiments/derivations/penalty-optimum.ts';
import { fitRecovery } from '../../src/experiments/derivations/recovery-fit.ts';
import {
  conditionalModel,
  logTruePosterior,
  monteCarloDraws,
  testBed,
  truePosterior,
} from '../../src/experiments/derivations/test-bed.ts';

const on = line(-9, 9, 721);
const gaussian = (mean: number, sd: number) => tabulate(on, (x) => logNormal(x, mean, sd * sd));
const mixture = { weights: [0.2, 0.5, 0.3], means: [-1.5, 0.1, 2], sds: [0.3, 0.6, 0.4] };

describe('integrals on a line', () => {
  it('are exact to rounding for what vanishes at the ends', () => {
    const p = gaussian(0.7, 0.9).map(Math.exp);
    expect(integral(on, p)).toBeCloseTo(1, 13);
    expect(expectation(on, p, on.x)).toBeCloseTo(0.7, 13);
    expect(entropy(on, gaussian(0.7, 0.9))).toBeCloseTo(
      0.5 * (1 + Math.log(2 * Math.PI * 0.81)),
      13,
    );
    expect(
      logIntegral(
        on,
        gaussian(0, 1).map((v) => v + 900),
      ),
    ).toBeCloseTo(900, 10);
  });

  it('give the divergence of two Gaussians in its closed form', () => {
    const [m, s, n, r] = [0.4, 0.7, -0.5, 1.1];
    const closed = Math.log(r / s) + (s * s + (m - n) ** 2) / (2 * r * r) - 0.5;
    expect(divergence(on, gaussian(m, s), gaussian(n, r))).toBeCloseTo(closed, 12);
  });

  it('differentiate to eleven digits', () => {
    expect(slope(Math.sin, 0.8)).toBeCloseTo(Math.cos(0.8), 11);
    expect(slope((x) => x ** 4, 3)).toBeCloseTo(108, 8);
  });

  it('refuse lines and values that cannot be', () => {
    expect(() => line(1, 1, 10)).toThrow(ConfigError);
    expect(() => line(0, Number.NaN, 10)).toThrow(/low < high/);
    expect(() => line(0, 1, 2)).toThrow(/at least 3 points, got 2/);
    expect(() => integral(on, new Float64Array(3))).toThrow(ShapeError);
    expect(() =>
      logIntegral(
        on,
        on.x.map(() => Number.NaN),
      ),
    ).toThrow(NumericError);
    expect(() =>
      logIntegral(
        on,
        on.x.map(() => Number.NEGATIVE_INFINITY),
      ),
    ).toThrow(NumericError);
  });
});

describe('mixtures of Gaussians', () => {
  it('are normalised, and stay mixtures under diffusion', () => {
    const diffused = diffuse(mixture, 0.4);
    expect(
      integral(
        on,
        tabulate(on, (x) => Math.exp(logMixture(mixture, x))),
      ),
    ).toBeCloseTo(1, 12);
    // √ᾱ₂ of √ᾱ₁ of x is √(ᾱ₁ᾱ₂) of x.
    const twice = diffuse(diffused, 0.5);
    const once = diffuse(mixture, 0.2);
    for (const x of [-2, 0, 1.3]) {
      expect(logMixture(twice, x)).toBeCloseTo(logMixture(once, x), 12);
    }
  });

  it('conditioned on a noisy value are the product of prior and likelihood, normalised', () => {
    const [y, a, v] = [0.9, 0.8, 0.3];
    const joint = tabulate(on, (x) => logMixture(mixture, x) + logNormal(y, a * x, v));
    const logZ = logIntegral(on, joint);
    const closed = condition(mixture, y, a, v);
    on.x.forEach((x, i) => {
      expect(Math.exp(joint[i] - logZ)).toBeCloseTo(Math.exp(logMixture(closed, x)), 12);
    });
  });

  it('are drawn with their mean, variance and weights', () => {
    const n = 60_000;
    const x = drawMixture(mixture, { seed: 5, stream: 'mixture', step: 0 }, n);
    const p = tabulate(on, (at) => Math.exp(logMixture(mixture, at)));
    const mean = expectation(on, p, on.x);
    expect(estimate({ id: 'm', claim: '', equation: '' }, x, mean).holds).toBe(true);
    const squares = x.map((v) => (v - mean) ** 2);
    const variance = expectation(
      on,
      p,
      tabulate(on, (at) => (at - mean) ** 2),
    );
    expect(estimate({ id: 'v', claim: '', equation: '' }, squares, variance).holds).toBe(true);
    const left = x.map((v) => (v < -0.8 ? 1 : 0));
    const share = p.reduce((s, v, i) => s + (on.x[i] < -0.8 ? v * on.step : 0), 0);
    expect(Math.abs(left.reduce((s, v) => s + v, 0) / n - share)).toBeLessThan(0.012);
  });

  it('refuse weights that are no probabilities', () => {
    const bad = (changes: object) => () => checkedMixture({ ...mixture, ...changes });
    expect(bad({ weights: [0.5, 0.5, 0.5] })).toThrow(/sum to 1/);
    expect(bad({ weights: [0.5, 0.5] })).toThrow(/as many weights as means/);
    expect(bad({ sds: [0.3, 0, 0.4] })).toThrow(/above 0/);
  });
});

describe('checks', () => {
  const what = { id: 'x', claim: 'left = right', equation: '(0)' };

  it('hold up to their tolerance and never for NaN', () => {
    expect(equality(what, 1, 1.001, 0.01).holds).toBe(true);
    expect(equality(what, 1, 1.02, 0.01).holds).toBe(false);
    expect(equality(what, Number.NaN, 1, 1e9).holds).toBe(false);
    expect(atLeast(what, 2, 1, 0)).toMatchObject({ holds: true, residual: 0, terms: { slack: 1 } });
    expect(atLeast(what, 1, 2, 0.5)).toMatchObject({ holds: false, residual: 1 });
    expect(atLeast(what, Number.NaN, 2, 0.5).holds).toBe(false);
  });

  it('show the worst of many points', () => {
    const check = equalityEverywhere(what, [1, 5, 3], [1, 4, 3.5], 0.7);
    expect(check).toMatchObject({ left: 5, right: 4, residual: 1, holds: false });
    expect(equalityEverywhere(what, [1, Number.NaN, 9], [1, 4, 3], 10).holds).toBe(false);
    expect(() => equalityEverywhere(what, [1], [1, 2], 1)).toThrow(ConfigError);
  });

  it('know the error of a mean: two thirds of the estimates lie within one', () => {
    let within = 0;
    for (let step = 0; step < 300; step++) {
      const draws = normal64({ seed: 1, stream: 'coverage', step }, 100);
      const { residual, standardError } = estimate(what, draws, 0);
      if (residual <= (standardError ?? 0)) within++;
    }
    // 0.683 · 300 = 205, deviation 8.
    expect(within).toBeGreaterThan(180);
    expect(within).toBeLessThan(230);
  });

  it('are listed once, however often a cell runs', () => {
    const list = new CheckList();
    list.record(equality(what, 1, 1, 0), equality({ ...what, id: 'y' }, 1, 2, 0));
    const rows = list.record(equality(what, 1, 3, 0));
    expect(rows).toHaveLength(1);
    expect(list.size).toBe(2);
    expect(list.failures().map((c) => c.id)).toEqual(['x', 'y']);
    expect(list.rows().map((r) => r.residual)).toEqual([2, 1]);
  });
});

describe('the test bed', () => {
  it('refuses what does not fit together', () => {
    expect(() => testBed({ theta: [1] })).toThrow(/one coefficient per feature, got 1/);
    expect(() => testBed({ data: { ...mixture, weights: [1, 1, 1] } })).toThrow(ConfigError);
    expect(() => logTruePosterior(testBed(), { t: 4, xNext: 0 })).toThrow(/one of 0..3/);
    expect(() => conditionalModel(testBed(), { t: 0.5, xNext: 0 })).toThrow(ConfigError);
    expect(() => monteCarloDraws('smok')).toThrow(/did you mean 'smoke'/);
  });

  it('says so when its grids cannot resolve the generator', () => {
    expect(() => generatorTable(testBed(), { t: 0, xNext: 0 })).toThrow(/more points in the lines/);
    const wild = testBed({ generator: (z) => z - 0.3 * z * z });
    expect(() => generatorTable(wild, { t: 1, xNext: 0 })).toThrow(/x and z of the test bed wider/);
  });

  it('knows q(x_t | x_{t+1}) as a mixture', () => {
    const bed = testBed();
    const at = { t: 1, xNext: -0.6 };
    const closed = truePosterior(bed, at);
    const grid = logTruePosterior(bed, at);
    for (const [i, x] of bed.x.x.entries()) expect(logMixture(closed, x)).toBeCloseTo(grid[i], 9);
  });
});

describe('fits and hills', () => {
  it('find a Gaussian whichever the divergence', () => {
    for (const by of ['reverse', 'forward', 'jeffreys'] as const) {
      const fit = fitGaussian(on, gaussian(0.6, 0.5), by);
      expect(fit.mean).toBeCloseTo(0.6, 3);
      expect(fit.sd).toBeCloseTo(0.5, 3);
      expect(fit.reverse + fit.forward).toBeLessThan(1e-6);
    }
    expect(() => fitGaussian(on, gaussian(0, 1), 'kl' as never)).toThrow(/unknown divergence/);
  });

  it('seek one mode by KL(g‖p), cover both by KL(p‖g), and lie between by the sum', () => {
    const two = { weights: [0.3, 0.7], means: [-1.2, 0.8], sds: [0.25, 0.25] };
    const logP = tabulate(on, (x) => logMixture(two, x));
    const [seeking, covering, both] = (['reverse', 'forward', 'jeffreys'] as const).map((by) =>
      fitGaussian(on, logP, by),
    );
    expect(seeking.mean).toBeCloseTo(0.8, 1);
    expect(seeking.reverse).toBeCloseTo(-Math.log(0.7), 2);
    expect(coveringMatchesMoments(on, logP).holds).toBe(true);
    expect(covering.mean).toBeCloseTo(0.2, 3);
    expect(both.sd).toBeGreaterThan(seeking.sd);
    expect(both.sd).toBeLessThan(covering.sd);
  });

  it('weigh the hills of a density', () => {
    const hills = tabulate(on, (x) =>
      Math.exp(logMixture({ ...mixture, sds: [0.2, 0.2, 0.2] }, x)),
    );
    expect(minorityMass(on, hills)).toBeCloseTo(0.5, 3);
    expect(minorityMass(on, gaussian(0, 1).map(Math.exp))).toBeCloseTo(0, 12);
  });
});

describe('gradient ascent on the recovery likelihood', () => {
  it('comes close to its optimum from below and finds the marginal', () => {
    const fit = fitRecovery(testBed(), { t: 0, steps: 250 });
    const last = fit.objective[fit.objective.length - 1];
    expect(fit.optimum - fit.objective[0]).toBeGreaterThan(0.5);
    expect(fit.optimum - last).toBeGreaterThan(-1e-5);
    expect(fit.optimum - last).toBeLessThan(2e-3);
    const found = fit.snapshots[fit.snapshots.length - 1].density;
    const apart = found.reduce((s, v, i) => s + Math.abs(v - fit.target[i]), 0);
    expect(0.5 * apart * (fit.x[1] - fit.x[0])).toBeLessThan(0.02);
    expect(() => fitRecovery(testBed(), { t: 0, steps: 0 })).toThrow(/positive integer/);
  });
});

describe('the optimum with a gradient penalty', () => {
  it('is stationary, a density, and nearer to the blurred data than to the data', () => {
    for (const gamma of [1e-3, 2e-2]) {
      const found = penaltyOptimum(testBed(), 0, gamma);
      expect(found.stationarity).toBeLessThan(1e-11);
      expect(integral(testBed().x, found.density)).toBeCloseTo(1, 12);
      expect(found.fromBlurred).toBeLessThan(0.3 * found.fromData);
    }
  });

  it('leaves the blurred data at second order in the weight', () => {
    for (const gamma of [5e-4, 2e-3]) expect(penaltyBlurs(testBed(), 0, gamma).holds).toBe(true);
    expect(() => penaltyOptimum(testBed(), 0, 0)).toThrow(/gamma must be above 0/);
  });
});
