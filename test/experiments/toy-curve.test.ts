import { describe, expect, it } from 'vitest';
import { meansOver, toyCurve } from '../../src/experiments/toy-curve.ts';

/** A metric series of a loss that falls along a straight line. */
const rows = Array.from({ length: 300 }, (_, i) => ({
  step: 100 * (i + 1),
  energyLoss: 600 - i,
  realEnergy: i,
}));

describe('the curve of a run', () => {
  it('keeps losses only, as means over equal stretches', () => {
    const curve = toyCurve(rows, 60);
    expect(Object.keys(curve?.losses ?? {})).toEqual(['energyLoss']);
    expect(curve?.steps).toHaveLength(60);
    expect(curve?.steps.at(-1)).toBe(30_000);
    // Five rows each: the mean is the middle one.
    expect(curve?.losses['energyLoss'][7]).toBe(600 - (5 * 7 + 2));
  });

  it('takes every row of a run that logged few', () => {
    const curve = toyCurve(rows.slice(0, 7), 60);
    expect(curve?.losses['energyLoss']).toEqual([600, 599, 598, 597, 596, 595, 594]);
  });

  it('says how far a straight line falls from one tenth to the next', () => {
    const curve = toyCurve(rows, 60);
    const [ninth, last] = meansOver(curve!, 'energyLoss', [
      [0.8, 0.9],
      [0.9, 1],
    ]);
    expect(ninth - last).toBeCloseTo(30, 9);
  });

  it('is absent where nothing was logged', () => {
    expect(toyCurve([])).toBeUndefined();
  });
});
