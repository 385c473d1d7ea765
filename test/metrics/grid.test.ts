import { describe, expect, it } from 'vitest';
import { ConfigError, NumericError, ShapeError } from '../../src/core/errors.ts';
import {
  cellArea,
  entropyOnGrid,
  type Grid,
  gridPoints,
  klOnGrid,
  normaliseOnGrid,
  TOY_GRID,
} from '../../src/metrics/grid.ts';

const GRID: Grid = { low: -6, high: 6, size: 121 };

/** Unnormalised log-density of N(mean, diag(sx^2, sy^2)) plus a constant. */
function gaussian(mean: readonly [number, number], sd: readonly [number, number], grid = GRID) {
  const xy = gridPoints(grid);
  return Float64Array.from({ length: grid.size ** 2 }, (_, i) => {
    const [x, y] = [xy[2 * i] - mean[0], xy[2 * i + 1] - mean[1]];
    return 3 - 0.5 * ((x / sd[0]) ** 2 + (y / sd[1]) ** 2);
  });
}

describe('grid', () => {
  it('is linspace(-4, 4, 100) for the toy figures, x fastest', () => {
    const xy = gridPoints(TOY_GRID);
    expect(xy.length).toBe(20_000);
    expect([xy[0], xy[1]]).toEqual([-4, -4]);
    expect([xy[2], xy[3]]).toEqual([Math.fround(-4 + 8 / 99), -4]);
    expect([xy[19_998], xy[19_999]]).toEqual([4, 4]);
    expect(cellArea(TOY_GRID)).toBeCloseTo((8 / 99) ** 2, 15);
  });

  it('normalises a Gaussian: partition, density, mass', () => {
    const sd = [0.7, 1.1] as const;
    const { mass, logDensity, logPartition } = normaliseOnGrid(gaussian([0.5, -1], sd), GRID);
    expect(logPartition).toBeCloseTo(3 + Math.log(2 * Math.PI * sd[0] * sd[1]), 5);
    expect(mass.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    expect(mass[777] / cellArea(GRID)).toBeCloseTo(Math.exp(logDensity[777]), 12);
  });

  it('does not overflow for large energies', () => {
    const energy = gaussian([0, 0], [1, 1]).map((e) => e + 5000);
    expect(klOnGrid(energy, gaussian([0, 0], [1, 1]), GRID)).toBeCloseTo(0, 10);
  });

  it('gives the closed form of KL between Gaussians, and its direction', () => {
    const [p, q] = [gaussian([0.5, 0], [0.6, 1]), gaussian([0, 0], [1.2, 1])];
    const kl = (s: number, t: number, m: number) =>
      Math.log(t / s) + (s * s + m * m) / (2 * t * t) - 0.5;
    expect(klOnGrid(p, q, GRID)).toBeCloseTo(kl(0.6, 1.2, 0.5), 4);
    expect(klOnGrid(q, p, GRID)).toBeCloseTo(kl(1.2, 0.6, 0.5), 2);
  });

  it('gives the closed form of the entropy', () => {
    expect(entropyOnGrid(gaussian([0, 0], [0.5, 0.8]), GRID)).toBeCloseTo(
      1 + Math.log(2 * Math.PI * 0.5 * 0.8),
      5,
    );
  });

  it('handles regions without mass on either side', () => {
    const left = gaussian([0, 0], [1, 1]).map((e, i) => (i % GRID.size < 60 ? e : -Infinity));
    const all = gaussian([0, 0], [1, 1]);
    expect(klOnGrid(left, all, GRID)).toBeGreaterThan(0);
    expect(klOnGrid(all, left, GRID)).toBe(Infinity);
    expect(Number.isFinite(entropyOnGrid(left, GRID))).toBe(true);
  });

  it('refuses NaN, wrong sizes and empty laws', () => {
    const energy = gaussian([0, 0], [1, 1]);
    expect(() => normaliseOnGrid(energy.subarray(1), GRID)).toThrow(ShapeError);
    expect(() => normaliseOnGrid(energy.fill(-Infinity), GRID)).toThrow(NumericError);
    energy[5] = Number.NaN;
    expect(() => normaliseOnGrid(energy, GRID)).toThrow(/NaN at point 5/);
    expect(() => gridPoints({ low: 1, high: 1, size: 5 })).toThrow(ConfigError);
    expect(() => gridPoints({ low: 0, high: 1, size: 1 })).toThrow(ConfigError);
  });
});
