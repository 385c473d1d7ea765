import { describe, expect, it } from 'vitest';
import { ShapeError } from '../../src/core/errors.ts';
import { normal64 } from '../../src/core/random.ts';
import {
  featureStatistics,
  frechetDistance,
  mergeStatistics,
  traceOfRoot,
} from '../../src/metrics/fid.ts';
import { matrix } from '../../src/metrics/linalg.ts';

const normals = (n: number, step = 0) => normal64({ seed: 9, stream: 'fid-test', step }, n);

/** Features [n, d] with unequal scales, correlations and a mean. */
function features(n: number, d: number, step = 0): Float64Array {
  const z = normals(n * d, step);
  return z.map((v, k) => {
    const j = k % d;
    return (1 + 0.3 * j) * v + (j > 0 ? 0.8 * z[k - 1] : 0) + 0.1 * j * (step + 1);
  });
}

const diagonal = (values: readonly number[]) => {
  const s = matrix(values.length, values.length);
  values.forEach((v, i) => {
    s.data[i * (values.length + 1)] = v;
  });
  return s;
};

describe('featureStatistics', () => {
  it('agrees with hand-computed moments', () => {
    const { count, mean, covariance } = featureStatistics([1, 10, 2, 30, 6, 20], 2);
    expect(count).toBe(3);
    expect([...mean]).toEqual([3, 20]);
    // Deviations (-2,-10), (-1,10), (3,0).
    expect([...covariance.data]).toEqual([7, 5, 5, 100]);
  });

  it('keeps digits when the mean is large, and gives exact zeros for constants', () => {
    const x = features(50, 3);
    const shifted = x.map((v, k) => (k % 3 === 2 ? 0.1 : v + 1e8));
    const a = featureStatistics(x, 3).covariance.data;
    const b = featureStatistics(shifted, 3).covariance.data;
    expect(Math.abs(b[0] / a[0] - 1)).toBeLessThan(1e-7);
    expect([b[2], b[5], b[6], b[7]]).toEqual([0, 0, 0, 0].map(() => expect.closeTo(0, 20)));
    expect(b[8]).toBeLessThan(1e-30);
  });

  it('refuses too few rows and ragged lengths', () => {
    expect(() => featureStatistics([1, 2], 2)).toThrow(ShapeError);
    expect(() => featureStatistics([1, 2, 3], 2)).toThrow(ShapeError);
  });
});

describe('mergeStatistics', () => {
  it('equals the statistics of all rows', () => {
    const x = features(90, 4);
    const whole = featureStatistics(x, 4);
    const merged = [
      [0, 2],
      [2, 40],
      [40, 90],
    ]
      .map(([begin, end]) => featureStatistics(x.subarray(4 * begin, 4 * end), 4))
      .reduce(mergeStatistics);
    expect(merged.count).toBe(90);
    merged.mean.forEach((v, j) => {
      expect(v).toBeCloseTo(whole.mean[j], 12);
    });
    merged.covariance.data.forEach((v, k) => {
      expect(v).toBeCloseTo(whole.covariance.data[k], 12);
    });
  });
});

describe('frechetDistance', () => {
  it('of axis-aligned Gaussians is |dmu|^2 + sum (s1 - s2)^2', () => {
    const a = { mean: Float64Array.of(1, 2, 3), covariance: diagonal([1, 4, 9]) };
    const b = { mean: Float64Array.of(1, 0, 0), covariance: diagonal([4, 4, 0.25]) };
    expect(frechetDistance(a, b)).toBeCloseTo(13 + 1 + 0 + 6.25, 12);
  });

  it('is symmetric, zero for equal sets, and unchanged by rotation', () => {
    const a = featureStatistics(features(60, 5), 5);
    const b = featureStatistics(features(70, 5, 1), 5);
    const distance = frechetDistance(a, b);
    expect(distance).toBeGreaterThan(0.1);
    expect(frechetDistance(b, a)).toBeCloseTo(distance, 11);
    expect(Math.abs(frechetDistance(a, a))).toBeLessThan(1e-12);
    const turn = (x: Float64Array) =>
      x.map((v, k) => {
        const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
        if (k % 5 === 0) return c * v - s * x[k + 1];
        return k % 5 === 1 ? s * x[k - 1] + c * v : v;
      });
    const turned = frechetDistance(
      featureStatistics(turn(features(60, 5)), 5),
      featureStatistics(turn(features(70, 5, 1)), 5),
    );
    expect(turned).toBeCloseTo(distance, 11);
  });

  it('is exact for fewer samples than features: a subspace embedded in more dimensions', () => {
    // The same two sets, then with twenty constant or repeated features around them.
    const small = [features(6, 3), features(7, 3, 1)].map((x) => featureStatistics(x, 3));
    const wide = [features(6, 3), features(7, 3, 1)].map((x) => {
      const out = new Float64Array((x.length / 3) * 23);
      for (let i = 0; i < x.length / 3; i++) {
        for (let j = 0; j < 23; j++) out[23 * i + j] = j < 3 ? x[3 * i + j] : 5;
      }
      return featureStatistics(out, 23);
    });
    expect(frechetDistance(wide[0], wide[1])).toBeCloseTo(frechetDistance(small[0], small[1]), 12);
  });

  it('of commuting covariances has tr sqrt = sum of roots of products', () => {
    expect(traceOfRoot(diagonal([4, 0, 1]), diagonal([9, 7, 0]))).toBeCloseTo(6, 12);
  });

  it('moves with the jitter only in the root', () => {
    const a = { mean: Float64Array.of(0, 0), covariance: diagonal([1, 0]) };
    const expected = 2 - 2 * (1.5 + 0.5);
    expect(frechetDistance(a, a, { jitter: 0.5 })).toBeCloseTo(expected, 12);
  });

  it('tells the number of dimensions that differ', () => {
    const a = featureStatistics(features(6, 3), 3);
    const b = featureStatistics(features(6, 2), 2);
    expect(() => frechetDistance(a, b)).toThrow(/3 and 2 features/);
  });
});
