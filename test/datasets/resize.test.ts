import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { integers } from '../../src/core/random.ts';
import type { RgbPicture } from '../../src/datasets/png.ts';
import { celebaCrop, crop, resizeAndCentre, resizeBilinear } from '../../src/datasets/resize.ts';

function noise(width: number, height: number): RgbPicture {
  const key = { seed: 1, stream: 'resize', step: 0 };
  return { width, height, pixels: Uint8Array.from(integers(key, 3 * width * height, 256)) };
}

const mean = (p: RgbPicture) => p.pixels.reduce((a, b) => a + b, 0) / p.pixels.length;

describe('resizeBilinear', () => {
  it('leaves a picture of the same size alone', () => {
    const p = noise(9, 7);
    expect(resizeBilinear(p, 9, 7)).toEqual(p);
  });

  it('keeps constants and means', () => {
    const grey = { width: 10, height: 6, pixels: new Uint8Array(180).fill(131) };
    for (const [w, h] of [
      [5, 3],
      [23, 31],
    ]) {
      expect(new Set(resizeBilinear(grey, w, h).pixels)).toEqual(new Set([131]));
    }
    const p = noise(64, 48);
    expect(Math.abs(mean(resizeBilinear(p, 16, 12)) - mean(p))).toBeLessThan(1);
  });

  it('mixes each channel along both axes alike', () => {
    const p = noise(12, 12);
    const flip = ({ width, height, pixels }: RgbPicture): RgbPicture => {
      const out = new Uint8Array(pixels.length);
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          for (let c = 0; c < 3; c++)
            out[3 * (x * height + y) + c] = pixels[3 * (y * width + x) + c];
        }
      }
      return { width: height, height: width, pixels: out };
    };
    const a = resizeBilinear(flip(p), 5, 5).pixels;
    const b = flip(resizeBilinear(p, 5, 5)).pixels;
    // Rounding between the passes may differ by one level.
    a.forEach((v, i) => {
      expect(Math.abs(v - b[i])).toBeLessThanOrEqual(1);
    });
  });
});

describe('crops', () => {
  it('take the stated pixels', () => {
    const p = noise(8, 6);
    const c = crop(p, 2, 1, 3, 4);
    expect([...c.pixels.subarray(0, 3)]).toEqual([...p.pixels.subarray(3 * 10, 3 * 10 + 3)]);
    expect(c.pixels).toHaveLength(36);
  });

  it('have the sizes of the data sets', () => {
    expect(celebaCrop(noise(178, 218))).toMatchObject({ width: 64, height: 64 });
    expect(resizeAndCentre(noise(50, 31), 16)).toMatchObject({ width: 16, height: 16 });
    expect(resizeAndCentre(noise(31, 50), 16)).toMatchObject({ width: 16, height: 16 });
  });

  it('refuse what lies outside', () => {
    expect(() => crop(noise(4, 4), 2, 0, 3, 4)).toThrow(ConfigError);
    expect(() => celebaCrop(noise(64, 64))).toThrow(/does not lie in 64 x 64/);
  });
});
