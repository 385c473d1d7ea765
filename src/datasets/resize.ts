import { ConfigError } from '../core/errors.ts';
import type { RgbPicture } from './png.ts';

/** The part of a picture from column `left` and row `top` on. @throws ConfigError outside of it. */
export function crop(
  picture: RgbPicture,
  left: number,
  top: number,
  width: number,
  height: number,
): RgbPicture {
  const fits = left + width <= picture.width && top + height <= picture.height;
  if (![left, top].every((n) => Number.isInteger(n) && n >= 0) || !fits) {
    throw new ConfigError(
      `crop: ${width} x ${height} at (${left}, ${top}) does not lie in ${picture.width} x ${picture.height}`,
    );
  }
  const pixels = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    const from = 3 * ((top + y) * picture.width + left);
    pixels.set(picture.pixels.subarray(from, from + 3 * width), 3 * width * y);
  }
  return { width, height, pixels };
}

/** The weights of one axis: output i mixes `count` inputs from `first[i]` on. */
interface Taps {
  readonly first: Int32Array;
  readonly weights: readonly Int32Array[];
}

/** Fractional bits of the fixed-point weights. */
const BITS = 22;

/**
 * Resizes with a triangle filter that widens when it reduces (antialiased bilinear), columns
 * first, in the fixed-point arithmetic of the Pillow library, whose results data sets prepared
 * with it have.
 */
export function resizeBilinear(picture: RgbPicture, width: number, height: number): RgbPicture {
  const across = taps(picture.width, width);
  const down = taps(picture.height, height);
  const rows = mix(picture.pixels, across, {
    lines: picture.height,
    line: 3 * picture.width,
    step: 3,
    out: width,
    outLine: 3 * width,
    outStep: 3,
  });
  const pixels = mix(rows, down, {
    lines: width,
    line: 3,
    step: 3 * width,
    out: height,
    outLine: 3,
    outStep: 3 * width,
  });
  return { width, height, pixels };
}

/** The shorter side to `size`, then the middle `size` × `size`. */
export function resizeAndCentre(picture: RgbPicture, size: number): RgbPicture {
  const { width, height } = picture;
  const scaled = (long: number, short: number) => Math.floor((size * long) / short);
  const [w, h] = width <= height ? [size, scaled(height, width)] : [scaled(width, height), size];
  const resized = resizeBilinear(picture, w, h);
  return crop(resized, halfEven(w - size), halfEven(h - size), size, size);
}

/** The crop and size of CelebA in DDAEBM: columns 15..162, rows 40..187, then `size` × `size`. */
export function celebaCrop(picture: RgbPicture, size = 64): RgbPicture {
  return resizeBilinear(crop(picture, 15, 40, 148, 148), size, size);
}

/** Half of a whole number, ties to even. */
function halfEven(n: number): number {
  const half = Math.floor(n / 2);
  return n % 2 === 0 ? half : half + (half % 2);
}

function taps(from: number, to: number): Taps {
  const scale = from / to;
  const reach = Math.max(scale, 1);
  const first = new Int32Array(to);
  const weights = Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const begin = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(from, Math.trunc(centre + reach + 0.5));
    const raw = Array.from({ length: end - begin }, (_, k) =>
      Math.max(0, 1 - Math.abs((k + begin - centre + 0.5) / reach)),
    );
    const sum = raw.reduce((a, b) => a + b, 0);
    first[i] = begin;
    return Int32Array.from(raw, (w) => Math.trunc(0.5 + (w / sum) * 2 ** BITS));
  });
  return { first, weights };
}

interface Walk {
  readonly lines: number;
  readonly line: number;
  readonly step: number;
  readonly out: number;
  readonly outLine: number;
  readonly outStep: number;
}

function mix(pixels: Uint8Array, { first, weights }: Taps, w: Walk): Uint8Array {
  const out = new Uint8Array(3 * w.lines * w.out);
  for (let line = 0; line < w.lines; line++) {
    for (let i = 0; i < w.out; i++) {
      const row = weights[i];
      const from = line * w.line + first[i] * w.step;
      const to = line * w.outLine + i * w.outStep;
      for (let c = 0; c < 3; c++) {
        // At most 255·2^22 in all: exact in float64, and in the 32 bits of the shift.
        let sum = 2 ** (BITS - 1);
        for (let k = 0; k < row.length; k++) sum += pixels[from + k * w.step + c] * row[k];
        out[to + c] = Math.min(255, sum >> BITS);
      }
    }
  }
  return out;
}
