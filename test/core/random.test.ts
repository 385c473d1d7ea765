import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { fnv1a64, philoxBlocks } from '../../src/core/philox.ts';
import {
  integers,
  type Key,
  normal,
  normal64,
  permutation,
  substream,
  uniform,
  uniform64,
} from '../../src/core/random.ts';

const KEY: Key = { seed: 7, stream: 'test', step: 3 };

function moments(x: ArrayLike<number>) {
  const n = x.length;
  let mean = 0;
  for (let i = 0; i < n; i++) mean += x[i] / n;
  const central = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const d = x[i] - mean;
    central[0] += d ** 2 / n;
    central[1] += d ** 3 / n;
    central[2] += d ** 4 / n;
  }
  return { mean, variance: central[0], third: central[1], fourth: central[2] };
}

/** Sum of (observed - expected)^2 / expected; about `cells - 1` with variance twice that. */
function chiSquare(counts: readonly number[], expected: number): number {
  return counts.reduce((sum, c) => sum + (c - expected) ** 2 / expected, 0);
}

describe('Philox 4x32-10', () => {
  // The known-answer vectors published with Random123 (kat_vectors).
  const vectors = [
    {
      counter: [0, 0, 0, 0],
      key: [0, 0],
      expected: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    },
    {
      counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      key: [0xffffffff, 0xffffffff],
      expected: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    },
    {
      counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      key: [0xa4093822, 0x299f31d0],
      expected: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    },
  ];
  it.each(vectors)('agrees with the published vector of counter $counter', (v) => {
    const out = new Uint32Array(4);
    const [first, c1, c2, c3] = v.counter;
    philoxBlocks(out, { key: [v.key[0], v.key[1]], counter: [c1, c2, c3] }, first);
    expect([...out]).toEqual(v.expected);
  });

  it('agrees with 64-bit arithmetic on arbitrary counters and keys', () => {
    const words = new Uint32Array(600);
    philoxBlocks(words, { key: [1, 2], counter: [3, 4, 5] }, 0);
    for (let i = 0; i + 6 <= words.length; i += 6) {
      const [a, b, c, d, k0, k1] = words.subarray(i, i + 6);
      const out = new Uint32Array(4);
      philoxBlocks(out, { key: [k0, k1], counter: [b, c, d] }, a);
      expect([...out]).toEqual(bigintPhilox([a, b, c, d], [k0, k1]));
    }
  });

  function bigintPhilox(counter: number[], key: number[]): number[] {
    let x = counter.map(BigInt);
    let k = key.map(BigInt);
    const low = (v: bigint) => v & 0xffffffffn;
    for (let round = 0; round < 10; round++) {
      const p0 = 0xd2511f53n * x[0];
      const p1 = 0xcd9e8d57n * x[2];
      x = [(p1 >> 32n) ^ x[1] ^ k[0], low(p1), (p0 >> 32n) ^ x[3] ^ k[1], low(p0)];
      k = [low(k[0] + 0x9e3779b9n), low(k[1] + 0xbb67ae85n)];
    }
    return x.map(Number);
  }
});

describe('fnv1a64', () => {
  it.each([
    ['', 'cbf29ce484222325'],
    ['a', 'af63dc4c8601ec8c'],
    ['foobar', '85944171f73967e8'],
  ])('agrees with the published hash of %o', (text, hex) => {
    const [low, high] = fnv1a64(text);
    const digits = (w: number) => w.toString(16).padStart(8, '0');
    expect(digits(high) + digits(low)).toBe(hex);
  });
});

describe('random draws', () => {
  const kinds = { uniform, uniform64, normal, normal64 };

  it.each(Object.entries(kinds))('%s: equal keys give equal numbers', (_, draw) => {
    expect(draw({ ...KEY }, 100)).toEqual(draw(KEY, 100));
    expect(draw({ ...KEY, seed: 7n }, 100)).toEqual(draw(KEY, 100));
  });

  it.each(Object.entries(kinds))('%s: a short draw is the beginning of a long one', (_, draw) => {
    const long = draw(KEY, 10_001);
    for (const n of [0, 1, 2, 3, 63, 64, 65, 4097]) {
      expect(draw(KEY, n)).toEqual(long.slice(0, n));
    }
    expect(integers(KEY, 50, 1000)).toEqual(integers(KEY, 9_000, 1000).slice(0, 50));
  });

  it('never repeats a block between steps, streams and seeds', () => {
    // 300 draws of 400 words; a repeated counter would repeat four consecutive words.
    const seen = new Set<string>();
    const keys: Key[] = [];
    for (let step = 0; step < 100; step++) {
      keys.push({ ...KEY, step }, { ...KEY, step, stream: 'other' }, { ...KEY, step, seed: 8 });
    }
    for (const key of keys) {
      const u = uniform64(key, 200);
      for (let i = 0; i < u.length; i += 2) seen.add(`${u[i]} ${u[i + 1]}`);
    }
    expect(seen.size).toBe(300 * 100);
  });

  it('uses all 64 bits of the seed', () => {
    const seeds = [0, 1, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1, 2n ** 63n, 2n ** 64n - 1n];
    const first = seeds.map((seed) => uniform64({ ...KEY, seed }, 1)[0]);
    expect(new Set(first).size).toBe(seeds.length);
  });

  it('substream names a stream below another', () => {
    expect(substream(KEY, 'z')).toEqual({ ...KEY, stream: 'test/z' });
  });

  it('has uncorrelated neighbouring steps and streams', () => {
    const n = 200_000;
    const a = normal(KEY, n);
    for (const other of [
      { ...KEY, step: 4 },
      { ...KEY, stream: 'tess' },
      { ...KEY, seed: 6 },
    ]) {
      const b = normal(other, n);
      let correlation = 0;
      for (let i = 0; i < n; i++) correlation += (a[i] * b[i]) / n;
      expect(Math.abs(correlation)).toBeLessThan(4 / Math.sqrt(n));
    }
  });
});

describe('uniform', () => {
  const n = 1_000_000;

  it.each([
    ['uniform', uniform, 24],
    ['uniform64', uniform64, 53],
  ] as const)(
    '%s lies in [0, 1) on its lattice, with the moments of the uniform',
    (_, draw, bits) => {
      const u = draw(KEY, n);
      for (let i = 0; i < n; i++) {
        if (!(u[i] >= 0 && u[i] < 1 && Number.isInteger(u[i] * 2 ** bits))) expect.fail(`${u[i]}`);
      }
      const { mean, variance, third } = moments(u);
      // Standard errors of mean, variance and third central moment of U(0,1).
      expect(Math.abs(mean - 1 / 2)).toBeLessThan(4 * Math.sqrt(1 / 12 / n));
      expect(Math.abs(variance - 1 / 12)).toBeLessThan(4 * Math.sqrt(1 / 180 / n));
      expect(Math.abs(third)).toBeLessThan(4 * Math.sqrt(1 / 448 / n));
    },
  );

  it('fills 1000 cells evenly', () => {
    const counts = new Array<number>(1000).fill(0);
    for (const v of uniform(KEY, n)) counts[Math.floor(v * 1000)]++;
    expect(Math.abs(chiSquare(counts, n / 1000) - 999)).toBeLessThan(4 * Math.sqrt(2 * 999));
  });
});

describe('normal', () => {
  const n = 1_000_000;

  it.each([
    ['normal', normal],
    ['normal64', normal64],
  ] as const)('%s has the moments of N(0, 1) within four standard errors', (_, draw) => {
    const { mean, variance, third, fourth } = moments(draw(KEY, n));
    expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(n));
    expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
    // Around the sample mean: var of the third central moment is 6/n, of the fourth 96/n.
    expect(Math.abs(third)).toBeLessThan(4 * Math.sqrt(6 / n));
    expect(Math.abs(fourth - 3)).toBeLessThan(4 * Math.sqrt(96 / n));
  });

  it('has the tails of N(0, 1)', () => {
    const z = normal(KEY, n);
    // P(|Z| > k).
    for (const [k, p] of [
      [1, 0.317310507862914],
      [2, 0.045500263896358],
      [3, 0.00269979606326],
      [4, 6.334248366623996e-5],
    ]) {
      const count = z.reduce((c, v) => c + (Math.abs(v) > k ? 1 : 0), 0);
      expect(Math.abs(count - n * p)).toBeLessThan(4 * Math.sqrt(n * p * (1 - p)));
    }
    expect(z.every(Number.isFinite)).toBe(true);
  });

  it('has independent neighbours, within Box-Muller pairs and across', () => {
    const z = normal(KEY, n);
    for (const lag of [1, 2, 3, 4]) {
      let linear = 0;
      let squares = 0;
      for (let i = lag; i < n; i++) {
        linear += z[i] * z[i - lag];
        squares += (z[i] ** 2 - 1) * (z[i - lag] ** 2 - 1);
      }
      expect(Math.abs(linear / n)).toBeLessThan(4 / Math.sqrt(n));
      expect(Math.abs(squares / n)).toBeLessThan(4 * (2 / Math.sqrt(n)));
    }
  });
});

describe('integers', () => {
  it.each([1, 2, 3, 10, 1000])('is uniform in 0 .. %i-1', (high) => {
    const n = 200_000;
    const counts = new Array<number>(high).fill(0);
    for (const v of integers(KEY, n, high)) counts[v]++;
    expect(counts.reduce((a, b) => a + b)).toBe(n);
    const freedom = high - 1;
    expect(Math.abs(chiSquare(counts, n / high) - freedom)).toBeLessThanOrEqual(
      4 * Math.sqrt(2 * freedom),
    );
  });

  it('favours no remainder when high is a large part of 2^32', () => {
    // high = 3/4 * 2^31: 2^32 mod high = 2^30, so without rejection the values below 2^30 would
    // turn up with probability 3/4 instead of 2/3.
    const high = 0.75 * 2 ** 31;
    const n = 100_000;
    const below = integers(KEY, n, high).reduce((c, v) => c + (v < 2 ** 30 ? 1 : 0), 0);
    expect(Math.abs(below - (2 / 3) * n)).toBeLessThan(4 * Math.sqrt((n * 2) / 9));
  });
});

describe('permutation', () => {
  it('holds every index once', () => {
    for (const n of [0, 1, 2, 1000, 5000]) {
      expect([...permutation(KEY, n)].sort((a, b) => a - b)).toEqual([...Array(n).keys()]);
    }
  });

  it('gives each of the 24 orders of four equally often', () => {
    const n = 24_000;
    const counts = new Map<string, number>();
    for (let step = 0; step < n; step++) {
      const order = permutation({ ...KEY, step }, 4).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    expect(chiSquare([...counts.values()], 1000)).toBeLessThan(23 + 4 * Math.sqrt(2 * 23));
  });
});

describe('bad keys and sizes', () => {
  it.each([
    [{ ...KEY, seed: -1 }, /seed/],
    [{ ...KEY, seed: 0.5 }, /seed/],
    [{ ...KEY, seed: 2 ** 53 }, /seed/],
    [{ ...KEY, seed: 2n ** 64n }, /seed/],
    [{ ...KEY, step: -1 }, /step/],
    [{ ...KEY, step: 2 ** 32 }, /step/],
    [{ ...KEY, step: Number.NaN }, /step/],
    [{ ...KEY, stream: '' }, /stream/],
  ])('refuses %o', (key, message) => {
    expect(() => uniform(key, 1)).toThrow(ConfigError);
    expect(() => normal(key, 1)).toThrow(message);
  });

  it('refuses sizes that are no counts', () => {
    expect(() => uniform(KEY, -1)).toThrow(/uniform: n must be a count, got -1/);
    expect(() => permutation(KEY, 1.5)).toThrow(ConfigError);
    expect(() => integers(KEY, 1, 0)).toThrow(/high/);
    expect(() => integers(KEY, 1, 2 ** 31 + 1)).toThrow(/high/);
  });
});
