import { describe, expect, it } from 'vitest';
import { logitJacobian, logitPixels, pixelsOfLogits } from '../../src/datasets/dequantise.ts';
import { pixelStatistics } from '../../src/datasets/image-set.ts';
import { splitStacked, stackedMnist, stackedPlaces } from '../../src/datasets/stacked-mnist.ts';

const key = { seed: 3, stream: 'test', step: 0 };

describe('logitPixels', () => {
  const pixels = Uint8Array.from({ length: 20_000 }, (_, i) => i % 256);

  it('draws the same noise for the same key only', () => {
    expect(logitPixels(pixels, key)).toEqual(logitPixels(pixels, key));
    expect(logitPixels(pixels, { ...key, step: 1 })).not.toEqual(logitPixels(pixels, key));
    expect(logitPixels(pixels, { ...key, seed: 4 })).not.toEqual(logitPixels(pixels, key));
  });

  it('is undone by the sigmoid up to the noise of half a level', () => {
    const back = pixelsOfLogits(logitPixels(pixels, key));
    back.forEach((x, i) => {
      const clean = Math.min(0.999, Math.max(0.001, pixels[i] / 255));
      expect(Math.abs(x - clean)).toBeLessThanOrEqual(1 / 512 + 1e-6);
    });
  });

  it('has uniform noise of variance 1/12 level away from the clamp', () => {
    const grey = new Uint8Array(50_000).fill(128);
    const offsets = pixelsOfLogits(logitPixels(grey, key)).map((x) => 256 * (x - 128 / 255));
    const mean = offsets.reduce((s, v) => s + v, 0) / offsets.length;
    const variance = offsets.reduce((s, v) => s + (v - mean) ** 2, 0) / offsets.length;
    expect(Math.abs(mean)).toBeLessThan(5 * Math.sqrt(1 / 12 / offsets.length));
    expect(variance).toBeCloseTo(1 / 12, 2);
  });

  it('clamps three quarters of the background: 1 - (1/512 - 1e-3)·256', () => {
    const y = logitPixels(new Uint8Array(100_000), key);
    const low = Math.log(1e-3) - Math.log(1 - 1e-3);
    const share = y.filter((v) => Math.abs(v - low) < 1e-4).length / y.length;
    const expected = 1 - (1 / 512 - 1e-3) * 256;
    expect(Math.abs(share - expected)).toBeLessThan(5 * Math.sqrt(0.19 / y.length));
  });
});

describe('logitJacobian', () => {
  it('is the sum of log x(1-x) per row', () => {
    const x = [0.001, 0.3, 0.5, 0.999, 0.7, 0.02];
    const y = x.map((v) => Math.log(v / (1 - v)));
    const got = logitJacobian(y, 3);
    const row = (r: number[]) => r.reduce((s, v) => s + Math.log(v * (1 - v)), 0);
    expect(got[0]).toBeCloseTo(row(x.slice(0, 3)), 10);
    expect(got[1]).toBeCloseTo(row(x.slice(3)), 10);
    expect(() => logitJacobian(y, 4)).toThrow(/rows of 4/);
  });
});

describe('stackedMnist', () => {
  const n = 50;
  const digits = {
    images: {
      count: n,
      channels: 1,
      height: 28,
      width: 28,
      pixels: Uint8Array.from({ length: n * 784 }, (_, i) => (i * 13) % 256),
    },
    labels: Uint8Array.from({ length: n }, (_, i) => (i * 7) % 10),
  };
  const set = stackedMnist(digits, key);

  it('uses every digit twice per channel, in independent orders', () => {
    expect(set.count).toBe(2 * n);
    for (let c = 0; c < 3; c++) {
      const uses = new Int32Array(n);
      for (let i = 0; i < set.count; i++) uses[set.triples[3 * i + c]]++;
      expect([...uses]).toEqual(Array(n).fill(2));
    }
    const equal = Array.from(
      { length: set.count },
      (_, i) => set.triples[3 * i] === set.triples[3 * i + 1],
    );
    expect(equal.filter(Boolean).length).toBeLessThan(15);
  });

  it('labels with the first channel as the hundreds, and shows the digits it names', () => {
    const at = [0, 17, 99];
    const images = set.images(at);
    expect(images.length).toBe(3 * 3 * 32 * 32);
    const back = splitStacked(images);
    at.forEach((place, i) => {
      const three = set.triples.subarray(3 * place, 3 * place + 3);
      const [a, b, c] = [...three].map((k) => digits.labels[k]);
      expect(set.labels[place]).toBe(100 * a + 10 * b + c);
      three.forEach((k, channel) => {
        const from = (3 * i + channel) * 784;
        for (let p = 0; p < 784; p += 41) {
          expect(back[from + p]).toBeCloseTo(digits.images.pixels[784 * k + p] / 255, 6);
        }
      });
    });
    expect(images[0]).toBe(-1);
  });

  it('follows from its key', () => {
    expect(stackedMnist(digits, key).triples).toEqual(set.triples);
    expect(stackedMnist(digits, { ...key, seed: 9 }).triples).not.toEqual(set.triples);
    expect(stackedPlaces(set, key, 8)).toEqual(stackedPlaces(set, key, 8));
  });
});

describe('pixelStatistics', () => {
  it('agrees with a direct computation per channel', () => {
    const pixels = Uint8Array.from({ length: 3 * 2 * 4 }, (_, i) => (i * 37) % 256);
    const { mean, std } = pixelStatistics({ count: 3, channels: 2, height: 2, width: 2, pixels });
    for (let c = 0; c < 2; c++) {
      const values = [...pixels].filter((_, i) => Math.floor(i / 4) % 2 === c).map((v) => v / 255);
      const m = values.reduce((s, v) => s + v, 0) / values.length;
      const s = Math.sqrt(values.reduce((t, v) => t + (v - m) ** 2, 0) / values.length);
      expect(mean[c]).toBeCloseTo(m, 12);
      expect(std[c]).toBeCloseTo(s, 12);
    }
  });
});
