import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { logMixture, type Mixture } from '../../src/experiments/derivations/mixture.ts';
import { edMyopiaConfig, runEdMyopia } from '../../src/experiments/ed-myopia.ts';
import {
  exactDiscrepancy,
  exactLikelihood,
  exactScoreMatching,
  mixtureScore,
} from '../../src/experiments/ed-myopia-exact.ts';

const modes = (weight: number): Mixture => ({
  weights: [weight, 1 - weight],
  means: [-5, 5],
  sds: [1, 1],
});
const truth = modes(0.2);

describe('exact losses on two modes', () => {
  it('take the score as the derivative of the log-density', () => {
    for (const x of [-6, -0.3, 0.2, 1, 7]) {
      const h = 1e-4;
      const slope = (logMixture(truth, x + h) - logMixture(truth, x - h)) / (2 * h);
      expect(mixtureScore(truth, x)).toBeCloseTo(slope, 5);
    }
  });

  it('agree with closed forms between two Gaussians', () => {
    const one = (mean: number, sd: number): Mixture => ({ weights: [1], means: [mean], sds: [sd] });
    const [p, q] = [one(0, 1), one(0.7, 1)];
    expect(exactLikelihood(p, q)).toBeCloseTo(0.7 ** 2 / 2, 9);
    expect(exactScoreMatching(p, q)).toBeCloseTo(0.7 ** 2 / 2, 9);
    // After noise of variance 3 both have variance 4: KL = 0.49 / 8.
    expect(exactDiscrepancy(p, q, 3)).toBeCloseTo(0.7 ** 2 * (1 / 2 - 1 / 8), 9);
  });

  it('score matching is small everywhere but not zero', () => {
    const at = (weight: number) => exactScoreMatching(truth, modes(weight));
    expect(at(0.2)).toBe(0);
    for (const [weight, expected] of [
      [0.01, 1.4e-5],
      [0.5, 2.3e-6],
      [0.98, 5.4e-5],
    ]) {
      expect(at(weight) / expected).toBeGreaterThan(0.95);
      expect(at(weight) / expected).toBeLessThan(1.05);
    }
  });

  it('discrepancy goes from score matching to likelihood as the noise grows', () => {
    const model = modes(0.6);
    const curve = [1e-3, 2, 8, 32, 1e3, 1e5].map((t) => exactDiscrepancy(truth, model, t));
    for (let i = 1; i < curve.length; i++) expect(curve[i]).toBeGreaterThan(curve[i - 1]);
    expect(curve[0] / 1e-3 / exactScoreMatching(truth, model)).toBeCloseTo(1, 1);
    expect(curve[5]).toBeCloseTo(exactLikelihood(truth, model), 3);
  });
});

describe('runEdMyopia', () => {
  const result = runEdMyopia({ overrides: { 'sweep.first': 0.02, 'sweep.step': 0.02 } });
  const discrepancies = result.curves.filter(({ t }) => t !== undefined);
  const spread = (values: readonly number[]) => Math.max(...values) - Math.min(...values);

  it('sweeps the weights and shifts the losses', () => {
    expect(result.weights[0]).toBe(0.02);
    expect(result.weights.at(-1)).toBe(0.98);
    expect(discrepancies.map(({ t }) => t)).toEqual([2, 4, 8, 32]);
    for (const { sample } of discrepancies) expect(Math.min(...sample)).toBe(0);
  });

  it('shows a likelihood that finds the weight and a score matching that hardly sees it', () => {
    const [matching, likelihood] = result.curves;
    expect(Math.abs(likelihood.best - result.leftShare)).toBeLessThan(0.02);
    expect(spread(matching.exact)).toBeLessThan(1e-4);
    expect(spread(matching.sample)).toBeLessThan(1e-4);
  });

  it('shows discrepancies that grow steeper with t', () => {
    const at = (values: readonly number[], weight: number) =>
      values[result.weights.indexOf(weight)];
    for (const values of [
      discrepancies.map(({ sample }) => at(sample, 0.8)),
      discrepancies.map(({ exact }) => at(exact, 0.8)),
    ]) {
      for (let i = 1; i < values.length; i++) expect(values[i]).toBeGreaterThan(2 * values[i - 1]);
    }
  });

  it('estimates with M = 4 and w = 1 less than the exact discrepancy, and M = 64 comes near', () => {
    const sweep = { 'sweep.first': 0.2, 'sweep.last': 0.8, 'sweep.step': 0.3 };
    const many = runEdMyopia({ overrides: { ...sweep, particles: 64, stabiliser: 0.1 } });
    const few = runEdMyopia({ overrides: sweep });
    const last = (r: typeof many) => r.curves[5].sample[2];
    const exact = many.curves[5].exact[2];
    expect(last(few)).toBeLessThan(0.6 * exact);
    expect(Math.abs(last(many) / exact - 1)).toBeLessThan(0.25);
  });

  it('draws the same numbers for the same seed', () => {
    const options = { preset: 'smoke', seed: 5 };
    const first = runEdMyopia(options);
    expect(runEdMyopia(options)).toEqual(first);
    expect(runEdMyopia({ ...options, seed: 6 }).curves[1].sample).not.toEqual(
      first.curves[1].sample,
    );
  });

  it('refuses settings out of range, by name', () => {
    expect(() => edMyopiaConfig({ preset: 'fast' })).toThrow(/smoke, quick, paper/);
    expect(() => edMyopiaConfig({ overrides: { weight: 1 } })).toThrow(ConfigError);
    expect(() => edMyopiaConfig({ overrides: { particels: 1 } })).toThrow(/particles/);
    expect(() => edMyopiaConfig({ overrides: { 'sweep.step': 0 } })).toThrow(/sweep.step/);
  });
});
