import { describe, expect, it } from 'vitest';
import { toyLogDensity } from '../../src/datasets/toy-density.ts';
import { bestFactor, divergenceParts } from '../../src/experiments/toy-divergence.ts';
import { gridPoints, klOnGrid } from '../../src/metrics/grid.ts';

const grid = { low: -4, high: 4, size: 100 };
const points = gridPoints(grid);
const truth = toyLogDensity('25gaussians', points);

/** log of (1 − share) times the data and share times the uniform law of the square. */
function withHaze(share: number): Float64Array {
  const data = truth.map(Math.exp);
  const total = data.reduce((a, b) => a + b, 0);
  return data.map((v) => Math.log(((1 - share) * v) / total + share / data.length));
}

describe('the parts of a divergence', () => {
  it('add up to it, and none is negative', () => {
    const model = truth.map((v, i) => 0.5 * v + Math.sin(3 * points[2 * i]));
    const parts = divergenceParts(model, grid);
    expect(parts.total).toBeCloseTo(klOnGrid(truth, model, grid), 9);
    expect(parts.outside + parts.between + parts.within).toBeCloseTo(parts.total, 9);
    for (const part of Object.values(parts)) expect(part).toBeGreaterThan(0);
  });

  it('vanish for the truth', () => {
    for (const part of Object.values(divergenceParts(truth, grid))) expect(part).toBeCloseTo(0, 9);
  });

  it('call a uniform haze outside', () => {
    const { outside, between, within } = divergenceParts(withHaze(0.5), grid);
    // Half of the mass is spread evenly; 2.5 % of it falls on the modes.
    expect(outside).toBeGreaterThan(0.6);
    expect(outside).toBeLessThan(Math.log(2));
    expect(between + within).toBeLessThan(0.05 * outside);
  });

  it('call wrong weights of modes between, wrong widths within', () => {
    const skewed = truth.map((v, i) => v + (points[2 * i] > -0.35 ? 2 : 0));
    const weights = divergenceParts(skewed, grid);
    // 15 of 25 modes get e² times their share.
    const expected = Math.log(0.4 + 0.6 * Math.exp(2)) - 0.6 * 2;
    expect(weights.between).toBeCloseTo(expected, 2);
    expect(weights.outside + weights.within).toBeLessThan(0.01);
    const narrow = divergenceParts(
      truth.map((v) => 1.5 * v),
      grid,
    );
    expect(narrow.within).toBeGreaterThan(20 * narrow.outside);
  });
});

describe('the best factor', () => {
  it('undoes a scale, and nothing else', () => {
    const flat = bestFactor(
      '25gaussians',
      truth.map((v) => v / 4 - 7),
      grid,
    );
    expect(flat.factor).toBeCloseTo(4, 9);
    expect(flat.kl).toBeCloseTo(0, 9);
    const steep = bestFactor(
      '25gaussians',
      truth.map((v) => 2 * v),
      grid,
    );
    expect(steep.factor).toBeCloseTo(0.5, 9);
    const turned = truth.map((_, i) => truth[truth.length - 1 - i] + points[2 * i]);
    expect(bestFactor('25gaussians', turned, grid).kl).toBeGreaterThan(0.1);
  });
});
