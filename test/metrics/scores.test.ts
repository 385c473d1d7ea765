import { describe, expect, it } from 'vitest';
import { ConfigError, NumericError, ShapeError } from '../../src/core/errors.ts';
import { integers, type Key, normal64, uniform64 } from '../../src/core/random.ts';
import { auroc, detection } from '../../src/metrics/auroc.ts';
import { inceptionScore } from '../../src/metrics/inception-score.ts';
import { mmd } from '../../src/metrics/mmd.ts';
import {
  labelFrequencies,
  labelModes,
  modeCoverage,
  sharedKl,
  stackedLabels,
  uncoveredMass,
} from '../../src/metrics/modes.ts';

const KEY: Key = { seed: 21, stream: 'scores-test', step: 0 };

describe('inceptionScore', () => {
  const onehot = (labels: readonly number[], classes: number) =>
    labels.flatMap((l) => Array.from({ length: classes }, (_, k) => (k === l ? 1000 : 0)));

  it('is the number of classes for certain and even predictions, 1 for constant ones', () => {
    expect(inceptionScore(onehot([0, 1, 2, 3], 4), 4).mean).toBeCloseTo(4, 12);
    expect(inceptionScore(onehot([2, 2, 2, 2], 4), 4).mean).toBeCloseTo(1, 12);
    expect(inceptionScore(new Float64Array(40).fill(-7), 4).mean).toBeCloseTo(1, 12);
  });

  it('splits contiguously at floor(i n / splits)', () => {
    // Five rows in two splits: rows 0-1 and 2-4.
    const { mean, std, splits } = inceptionScore(onehot([0, 1, 0, 0, 0], 2), 2, 2);
    expect(splits[0]).toBeCloseTo(2, 12);
    expect(splits[1]).toBeCloseTo(1, 12);
    expect(mean).toBeCloseTo(1.5, 12);
    expect(std).toBeCloseTo(0.5, 12);
  });

  it('does not change when a constant is added to the logits of a row', () => {
    const logits = normal64(KEY, 60);
    const shifted = logits.map((v, k) => v + 50 * Math.floor(k / 6));
    expect(inceptionScore(shifted, 6).mean).toBeCloseTo(inceptionScore(logits, 6).mean, 11);
  });

  it('refuses impossible shapes and splits', () => {
    expect(() => inceptionScore([1, 2, 3], 2)).toThrow(ShapeError);
    expect(() => inceptionScore([1, 2], 2, 2)).toThrow(ConfigError);
  });
});

describe('detection', () => {
  it('is the share of pairs in order, ties one half', () => {
    const inside = [...integers(KEY, 60, 8)];
    const outside = [...integers({ ...KEY, step: 1 }, 45, 6)];
    let pairs = 0;
    for (const a of inside) for (const b of outside) pairs += a > b ? 1 : a === b ? 0.5 : 0;
    expect(auroc(inside, outside)).toBeCloseTo(pairs / (60 * 45), 14);
    expect(detection(inside, outside).auroc).toBe(auroc(inside, outside));
    expect(auroc(outside, inside)).toBeCloseTo(1 - pairs / (60 * 45), 14);
  });

  it('depends on the order of scores alone', () => {
    const [a, b] = [normal64(KEY, 100), normal64({ ...KEY, step: 1 }, 80)];
    const squash = (v: Float64Array) => v.map((x) => Math.exp(x) * 1e30);
    expect(detection(squash(a), squash(b))).toEqual(detection(a, b));
  });

  it('agrees with hand-computed average precision and FPR95', () => {
    // From high to low: + - + + -
    const d = detection([5, 3, 2], [4, 1]);
    expect(d.auprIn).toBeCloseTo((1 + 2 / 3 + 3 / 4) / 3, 14);
    // Negated and swapped: + - - + -, seen from the outside.
    expect(d.auprOut).toBeCloseTo((1 / 1 + 2 / 4) / 2, 14);
    expect(d.auroc).toBeCloseTo(4 / 6, 14);
    // All three inside scores are needed for 95 %, which lets 4 through but not 1.
    expect(d.fpr95).toBe(0.5);
  });

  it('uses the threshold at exactly 95 %', () => {
    const inside = Array.from({ length: 20 }, (_, i) => i + 1);
    // 19 of 20 are >= 2: scores below 2 are rejected, 2 itself is accepted.
    expect(detection(inside, [1.5, 2, 30, 0]).fpr95).toBe(0.5);
  });

  it('is perfect, inverted or undecided where it must be', () => {
    expect(detection([2, 3], [0, 1])).toEqual({ auroc: 1, auprIn: 1, auprOut: 1, fpr95: 0 });
    expect(detection([0, 1], [2, 3])).toMatchObject({ auroc: 0, fpr95: 1 });
    expect(detection([1, 1, 1], [1])).toEqual({
      auroc: 0.5,
      auprIn: 0.75,
      auprOut: 0.25,
      fpr95: 1,
    });
    expect(auroc([Infinity, 0], [-Infinity])).toBe(1);
  });

  it('refuses empty sets and NaN', () => {
    expect(() => auroc([], [1])).toThrow(ShapeError);
    expect(() => auroc([1, Number.NaN], [1])).toThrow(NumericError);
    expect(() => detection([1], [Number.NaN, 2])).toThrow(NumericError);
  });
});

describe('label modes', () => {
  it('reads triples with the first digit as hundreds', () => {
    expect([...stackedLabels([1, 2, 3, 0, 0, 9])]).toEqual([123, 9]);
    expect(() => stackedLabels([1, 2])).toThrow(ShapeError);
    expect(() => stackedLabels([1, 2, 10])).toThrow(ConfigError);
  });

  it('counts labels and measures collapse', () => {
    expect(labelModes([0, 1, 2, 3], 4)).toEqual({ count: 4, klToUniform: 0 });
    const collapsed = labelModes([7, 7, 7], 1000);
    expect(collapsed.count).toBe(1);
    expect(collapsed.klToUniform).toBeCloseTo(Math.log(1000), 12);
    expect(() => labelModes([4], 4)).toThrow(ConfigError);
  });

  it('has the floor (K - 1) / (2 n) for a perfect sampler', () => {
    const n = 26_000;
    const { klToUniform } = labelModes(integers(KEY, n, 1000), 1000);
    // 2 n KL is about chi-square with 999 degrees of freedom.
    expect(Math.abs(2 * n * klToUniform - 999)).toBeLessThan(5 * Math.sqrt(2 * 999));
  });

  it('skips labels that either side lacks and says how much that hides', () => {
    const p = labelFrequencies([0, 0, 1, 2], 4);
    const q = labelFrequencies([0, 1, 1, 3], 4);
    expect(sharedKl(p, q)).toBeCloseTo(0.5 * Math.log(2) + 0.25 * Math.log(0.5), 14);
    expect(uncoveredMass(p, q)).toBe(0.25);
    expect(uncoveredMass(q, p)).toBe(0.25);
  });
});

describe('modeCoverage', () => {
  const centres = [0, 0, 10, 0, 0, 10];

  it('counts a sample for its nearest centre within the threshold', () => {
    const samples = [0.3, 0.1, 10.39, 0, 10.41, 0, 5, 5, Number.NaN, 0];
    const result = modeCoverage(samples, centres, 0.1);
    expect([...result.counts]).toEqual([1, 1, 0]);
    expect(result).toMatchObject({ covered: 2, modes: 3, share: 0.4, threshold: 4 });
  });

  it('passes 1 - exp(-k^2 / 2) of exact samples', () => {
    const n = 100_000;
    const samples = normal64(KEY, 2 * n).map((z, i) => centres[i % 6] + 0.1 * z);
    for (const k of [1, 2, 4]) {
      const p = 1 - Math.exp(-(k * k) / 2);
      const { share } = modeCoverage(samples, centres, 0.1, k);
      expect(Math.abs(share - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / n));
    }
  });

  it('refuses coordinates that are no pairs', () => {
    expect(() => modeCoverage([1], centres, 1)).toThrow(ShapeError);
    expect(() => modeCoverage([], centres, 1)).toThrow(ShapeError);
  });
});

describe('mmd', () => {
  it('agrees with the closed form for Gaussians within its standard error', () => {
    // x ~ N(0, I), y ~ N(c, I) in 2-D with kernel bandwidth b: E k(x, x') = s, s = b^2/(b^2 + 2),
    // E k(x, y) = s exp(-|c|^2 / (2 (b^2 + 2))).
    const [n, b, shift] = [1200, 1.5, 0.5];
    const x = normal64(KEY, 2 * n);
    const y = normal64({ ...KEY, step: 1 }, 2 * n).map((v) => v + shift);
    const s = b ** 2 / (b ** 2 + 2);
    const expected = 2 * s * (1 - Math.exp(-(2 * shift ** 2) / (2 * (b ** 2 + 2))));
    const { mmd2, bandwidths } = mmd(x, y, 2, [b]);
    expect(bandwidths).toEqual([b]);
    expect(Math.abs(mmd2 - expected)).toBeLessThan(4 * 0.006);
    expect(expected).toBeGreaterThan(4 * 0.006);
  });

  it('is unbiased: its mean over many equal-law pairs is zero', () => {
    const runs = 200;
    const values = Array.from({ length: runs }, (_, step) => {
      const u = uniform64({ ...KEY, step }, 80);
      return mmd(u.subarray(0, 40), u.subarray(40), 2, [0.3]).mmd2;
    });
    const mean = values.reduce((a, b) => a + b) / runs;
    const sd = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / runs);
    expect(Math.abs(mean)).toBeLessThan((4 * sd) / Math.sqrt(runs));
    expect(values.some((v) => v < 0)).toBe(true);
  });

  it('averages over the bandwidths and states the default ones', () => {
    const x = normal64(KEY, 60);
    const y = normal64({ ...KEY, step: 1 }, 40).map((v) => v + 1);
    const both = mmd(x, y, 2, [0.5, 2]).mmd2;
    const each = [0.5, 2].map((b) => mmd(x, y, 2, [b]).mmd2);
    expect(both).toBeCloseTo((each[0] + each[1]) / 2, 12);
    const { bandwidths } = mmd(x, y, 2);
    expect(bandwidths.map((b) => b / bandwidths[2])).toEqual([0.25, 0.5, 1, 2, 4]);
    expect(() => mmd([1, 2], y, 2)).toThrow(ShapeError);
  });
});
