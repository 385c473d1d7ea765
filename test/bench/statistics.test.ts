import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, pairedRatio } from '../../bench/lib/statistics.ts';

describe('median', () => {
  it('has as many values below as above it, in any order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1 }),
        (values) => {
          const m = median(values);
          const below = values.filter((v) => v < m).length;
          const above = values.filter((v) => v > m).length;
          expect(Math.max(below, above)).toBeLessThanOrEqual(values.length / 2);
        },
      ),
    );
  });

  it('is NaN when nothing was measured', () => {
    expect(median([])).toBeNaN();
  });
});

describe('pairedRatio', () => {
  it('is above 1 when the peer takes longer', () => {
    expect(pairedRatio([2, 2], [6, 6]).median).toBe(3);
  });

  it('does not change when the machine slows down for a whole round', () => {
    const pace = [1, 5, 0.3, 2];
    const ours = pace.map((p) => 10 * p);
    const peer = pace.map((p) => 25 * p);
    const { median: m, min, max } = pairedRatio(ours, peer);
    for (const ratio of [m, min, max]) expect(ratio).toBeCloseTo(2.5, 12);
  });

  it('leaves out rounds in which either did not run', () => {
    const { median: m, max } = pairedRatio([1, undefined, 1], [2, 100, undefined]);
    expect([m, max]).toEqual([2, 2]);
  });
});
