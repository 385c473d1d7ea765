import { describe, expect, it } from 'vitest';
import { NumericError, ShapeError } from '../../src/core/errors.ts';
import { auroc } from '../../src/metrics/auroc.ts';
import { gridPoints } from '../../src/metrics/grid.ts';
import { aurocOnGrid } from '../../src/metrics/grid-auroc.ts';

const grid = { low: -2, high: 2, size: 20 };
const points = gridPoints(grid);
const at = (f: (x: number, y: number) => number) =>
  Float64Array.from({ length: 400 }, (_, i) => f(points[2 * i], points[2 * i + 1]));
const logP = at((x, y) => -2 * ((x - 0.5) ** 2 + y * y));

describe('aurocOnGrid', () => {
  it('is the area under the curve of weighted draws', () => {
    // Masses in whole numbers: repeated that often, each point is that many equal draws.
    const counts = Array.from({ length: 400 }, (_, i) => (i * 7) % 5);
    const score = at((x, y) => Math.round(3 * x - y));
    const inside = counts.flatMap((n, i) => new Array<number>(n).fill(score[i]));
    const expected = auroc(inside, score);
    expect(aurocOnGrid(counts.map(Math.log), score, grid)).toBeCloseTo(expected, 12);
  });

  it('is 1/2 for a score that says nothing, and turns over with its sign', () => {
    expect(aurocOnGrid(logP, new Float64Array(400), grid)).toBeCloseTo(0.5, 12);
    const good = aurocOnGrid(logP, logP, grid);
    expect(good).toBeGreaterThan(0.9);
    expect(
      aurocOnGrid(
        logP,
        logP.map((v) => -v),
        grid,
      ),
    ).toBeCloseTo(1 - good, 12);
  });

  it('depends on the order of the scores alone', () => {
    const monotone = logP.map((v) => Math.exp(v));
    expect(aurocOnGrid(logP, monotone, grid)).toBe(aurocOnGrid(logP, logP, grid));
  });

  it('refuses scores of another length and NaN', () => {
    expect(() => aurocOnGrid(logP, [1, 2], grid)).toThrow(ShapeError);
    expect(() =>
      aurocOnGrid(
        logP,
        logP.map(() => Number.NaN),
        grid,
      ),
    ).toThrow(NumericError);
  });
});
