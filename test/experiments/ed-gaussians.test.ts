import { describe, expect, it } from 'vitest';
import { ConfigError, ShapeError } from '../../src/core/errors.ts';
import { toyLogDensity, toyModes } from '../../src/datasets/toy-density.ts';
import {
  ED_CENTRES,
  ED_MODE_SD,
  edGaussians,
  edGaussiansLogDensity,
  modeMasses,
} from '../../src/experiments/ed-gaussians.ts';
import { gridPoints, normaliseOnGrid } from '../../src/metrics/grid.ts';

const SCALE = 2.828 / 2;
const key = (step: number) => ({ seed: 3, stream: 'test', step });

describe('the 25 Gaussians of Energy Discrepancy', () => {
  it('have a density of integral one', () => {
    const grid = { low: -4.5, high: 4.5, size: 301 };
    const { logPartition } = normaliseOnGrid(edGaussiansLogDensity(gridPoints(grid)), grid);
    expect(Math.abs(logPartition)).toBeLessThan(1e-6);
  });

  it('are sampled from that density: moments within five standard errors', () => {
    const n = 20_000;
    const { data, shape } = edGaussians(key(0), n);
    expect(shape).toEqual([n, 2]);
    // Per axis, before scaling: centres of variance 8, noise of variance 0.04.
    const variance = 8.04 / SCALE ** 2;
    for (const axis of [0, 1]) {
      const values = Float64Array.from({ length: n }, (_, i) => data[2 * i + axis]);
      const mean = values.reduce((a, b) => a + b, 0) / n;
      const square = values.reduce((a, b) => a + b * b, 0) / n;
      expect(Math.abs(mean)).toBeLessThan(5 * Math.sqrt(variance / n));
      // The fourth moment is below 2 variance^2 (1.7 for five equal atoms).
      expect(Math.abs(square - variance)).toBeLessThan(5 * variance * Math.sqrt(1 / n));
    }
  });

  it('choose modes independently, point by point', () => {
    const counts = new Int32Array(25);
    const n = 25_000;
    const { data } = edGaussians(key(1), n);
    for (let i = 0; i < n; i++) {
      const near = (v: number) => Math.round((v * SCALE) / 2) + 2;
      counts[5 * near(data[2 * i]) + near(data[2 * i + 1])]++;
    }
    const chiSquare = counts.reduce((sum, c) => sum + (c - 1000) ** 2 / 1000, 0);
    // 24 degrees of freedom: mean 24, sd 6.9; stratified draws would give 0.
    expect(chiSquare).toBeGreaterThan(5);
    expect(chiSquare).toBeLessThan(60);
  });

  it('are not the set of that name of the DDAEBM experiments', () => {
    const ours = edGaussiansLogDensity([2.829, 2.829])[0];
    expect(ours).toBeGreaterThan(-3);
    expect(toyLogDensity('25gaussians', [2.829, 2.829])[0]).toBeLessThan(-100);
    expect(ED_MODE_SD / toyModes('25gaussians').sd).toBeCloseTo(4, 9);
  });

  it('refuse counts and points that are none', () => {
    expect(() => edGaussians(key(0), -1)).toThrow(ConfigError);
    expect(() => edGaussiansLogDensity([1, 2, 3])).toThrow(ShapeError);
    expect(() => modeMasses([0, 0], [0.5, 0.5])).toThrow(/coordinates/);
  });
});

describe('modeMasses', () => {
  const grid = { low: -4, high: 4, size: 100 };
  const points = gridPoints(grid);
  const masses = (logDensity: ArrayLike<number>) =>
    modeMasses(points, normaliseOnGrid(logDensity, grid).mass);

  it('finds all modes of the data, each with its share', () => {
    const { masses: each, found, outside } = masses(edGaussiansLogDensity(points));
    expect(found).toBe(25);
    expect(outside).toBeLessThan(2e-3);
    for (const m of each) expect(Math.abs(m - 0.04)).toBeLessThan(1e-3);
  });

  it('finds none in a flat density and one in a single mode', () => {
    expect(masses(new Float64Array(1e4)).found).toBe(0);
    const one = Float64Array.from({ length: 1e4 }, (_, i) => {
      const dx = points[2 * i] - ED_CENTRES[0];
      const dy = points[2 * i + 1] - ED_CENTRES[1];
      return -(dx * dx + dy * dy) / (2 * ED_MODE_SD ** 2);
    });
    const { found, masses: each } = masses(one);
    expect(found).toBe(1);
    expect(each[0]).toBeGreaterThan(0.99);
  });
});
