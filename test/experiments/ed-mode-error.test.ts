import { describe, expect, it } from 'vitest';
import { ShapeError } from '../../src/core/errors.ts';
import { ED_CENTRES, edGaussiansLogDensity } from '../../src/experiments/ed-gaussians.ts';
import { modeError } from '../../src/experiments/ed-mode-error.ts';
import { gridPoints } from '../../src/metrics/grid.ts';

const points = gridPoints({ low: -4, high: 4, size: 100 });
const truth = edGaussiansLogDensity(points);

describe('modeError', () => {
  it('is zero for the truth up to a constant', () => {
    const { total, between } = modeError(
      points,
      truth.map((v) => v - 3),
      truth,
    );
    expect(total).toBeLessThan(1e-20);
    expect(between).toBeLessThan(1e-20);
  });

  it('finds weights of modes that are wrong between the modes', () => {
    // The modes right of x = -0.707 (15 of 25) get e^2 times their share.
    const skewed = truth.map((v, i) => v + (points[2 * i] > -1 / Math.SQRT2 ? 2 : 0));
    const { total, between, within } = modeError(points, skewed, truth);
    const logZ = Math.log(0.4 + 0.6 * Math.exp(2));
    const expected = 0.4 * logZ ** 2 + 0.6 * (2 - logZ) ** 2;
    expect(total).toBeCloseTo(expected, 3);
    expect(between / total).toBeGreaterThan(0.999);
    expect(within / total).toBeLessThan(1e-3);
  });

  it('finds shapes that are wrong within the modes', () => {
    const spacing = ED_CENTRES[3] - ED_CENTRES[1];
    // Equal to every mode up to symmetry: no mode is favoured.
    const wavy = truth.map((v, i) => v + 0.3 * Math.cos((4 * Math.PI * points[2 * i]) / spacing));
    const { between, within } = modeError(points, wavy, truth);
    expect(within).toBeGreaterThan(0.005);
    expect(between).toBeLessThan(0.05 * within);
  });

  it('refuses lists that do not belong together', () => {
    expect(() => modeError(points, truth, truth.slice(1))).toThrow(ShapeError);
  });
});
