import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import type { Key } from '../../src/core/random.ts';
import { TOY_NAMES, toyBatch } from '../../src/datasets/toy.ts';

const KEY: Key = { seed: 5, stream: 'toy-test', step: 0 };

/** The mode of "25gaussians" nearest to each point, as 5 i + j. */
function nearestModes(data: ArrayLike<number>): number[] {
  return Array.from({ length: data.length / 2 }, (_, i) => {
    const at = (v: number) => Math.round((v * 2.828) / 2) + 2;
    return 5 * at(data[2 * i]) + at(data[2 * i + 1]);
  });
}

describe('toyBatch', () => {
  it.each(TOY_NAMES)('%s: [n, 2] float32, finite, the same for the same key', (name) => {
    for (const n of [0, 1, 2, 7, 200]) {
      const batch = toyBatch(name, KEY, n);
      expect(batch.shape).toEqual([n, 2]);
      expect(batch.dtype).toBe('float32');
      expect((batch.data as Float32Array).every(Number.isFinite)).toBe(true);
      expect(toyBatch(name, { ...KEY }, n)).toEqual(batch);
    }
    const other = toyBatch(name, { ...KEY, step: 1 }, 200);
    expect(other).not.toEqual(toyBatch(name, KEY, 200));
  });

  it.each(TOY_NAMES)('%s: rows are exchangeable, no trend along the batch', (name) => {
    // Spearman-like check: correlation of x^2 + y and of y with the row number.
    const n = 20_000;
    const { data } = toyBatch(name, KEY, n);
    for (const f of [(x: number, y: number) => x + 0.3 * y, (x: number, y: number) => x * x + y]) {
      const values = Array.from({ length: n }, (_, i) => f(data[2 * i], data[2 * i + 1]));
      const mean = values.reduce((a, b) => a + b) / n;
      const sd = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / n);
      let r = 0;
      for (let i = 0; i < n; i++) {
        r += ((values[i] - mean) / sd) * ((i - (n - 1) / 2) / (n / Math.sqrt(12)));
      }
      expect(Math.abs(r / n)).toBeLessThan(4.5 / Math.sqrt(n));
    }
  });

  it('25gaussians holds every mode equally often, beyond 1000 points too', () => {
    for (const n of [25, 200, 1000, 2500]) {
      const counts = new Array<number>(25).fill(0);
      for (const mode of nearestModes(toyBatch('25gaussians', KEY, n).data)) counts[mode]++;
      expect(counts).toEqual(new Array(25).fill(n / 25));
    }
  });

  it('gives points that do not divide evenly to distinct modes, none favoured', () => {
    const extra = new Array<number>(25).fill(0);
    const batches = 2500;
    for (let step = 0; step < batches; step++) {
      const counts = new Array<number>(25).fill(0);
      const { data } = toyBatch('25gaussians', { ...KEY, step }, 30);
      for (const mode of nearestModes(data)) counts[mode]++;
      for (let m = 0; m < 25; m++) {
        if (counts[m] !== 1 && counts[m] !== 2) expect.fail(`${counts[m]} points in mode ${m}`);
        extra[m] += counts[m] - 1;
      }
    }
    // Each mode gets an extra point with probability 1/5.
    const sd = Math.sqrt(batches * 0.2 * 0.8);
    for (const e of extra) expect(Math.abs(e - batches / 5)).toBeLessThan(4 * sd);
  });

  it('turns the arms of the pinwheel by a quarter of e^r against the clock of the axes', () => {
    // Undo the turn: for some arm the point must be near the arm's axis, |s| <= 4.5 * 0.1.
    const { data } = toyBatch('pinwheel', KEY, 5000);
    for (let i = 0; i < 5000; i++) {
      const [vx, vy] = [data[2 * i] / 2, data[2 * i + 1] / 2];
      const radius = Math.hypot(vx, vy);
      const misses = [0, 1, 2, 3, 4].map((arm) => {
        let best = Infinity;
        for (let s = -0.45; s <= 0.45; s += 0.005) {
          if (radius < Math.abs(s)) continue;
          for (const r of [Math.sqrt(radius ** 2 - s * s), -Math.sqrt(radius ** 2 - s * s)]) {
            const angle = (2 * Math.PI * arm) / 5 + 0.25 * Math.exp(r);
            const [c, q] = [Math.cos(angle), Math.sin(angle)];
            best = Math.min(best, Math.hypot(r * c + s * q - vx, -r * q + s * c - vy));
          }
        }
        return best;
      });
      if (Math.min(...misses) > 0.02) expect.fail(`point ${i} lies on no arm`);
    }
  });

  it('mirrors 2spirals at the origin up to noise', () => {
    const n = 10_000;
    const { data } = toyBatch('2spirals', KEY, n);
    let mean = 0;
    for (let i = 0; i < n; i++) mean += data[2 * i] / n;
    // Pairs cancel; what is left is the noise of 0.1, far below the spread of 1.6.
    expect(Math.abs(mean)).toBeLessThan((4 * 0.1) / Math.sqrt(n));
  });

  it('keeps the fairness of a single point', () => {
    // A batch of one has no partner or stratum; its law must still be symmetric.
    const n = 2000;
    for (const name of ['2spirals', 'pinwheel', '25gaussians'] as const) {
      let sum = 0;
      let squares = 0;
      for (let step = 0; step < n; step++) {
        const x = toyBatch(name, { ...KEY, step }, 1).data[0];
        sum += x;
        squares += x * x;
      }
      expect(Math.abs(sum)).toBeLessThan(4 * Math.sqrt(squares));
    }
  });

  it('refuses unknown names with a suggestion, and sizes that are no counts', () => {
    expect(() => toyBatch('swisroll', KEY, 1)).toThrow(ConfigError);
    expect(() => toyBatch('swisroll', KEY, 1)).toThrow(/did you mean 'swissroll'\?/);
    expect(() => toyBatch('constructor', KEY, 1)).toThrow(/unknown toy distribution/);
    expect(() => toyBatch('moons', KEY, -1)).toThrow(/n must be a count/);
  });
});
