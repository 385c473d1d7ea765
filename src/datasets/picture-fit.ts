import { DataError } from '../core/errors.ts';
import type { RgbPicture } from './png.ts';
import { celebaCrop, crop, resizeAndCentre, resizeBilinear } from './resize.ts';

/**
 * How a picture becomes a square. `celeba`: columns 15..162 and rows 40..187, then resized, as
 * DDAEBM prepares CelebA. `shorter`: the shorter side to the size, then the middle (LSUN). `centre`:
 * the largest middle square, then resized (the sets of Table 4). `exact`: it has that size already.
 */
export type Fit = 'celeba' | 'shorter' | 'centre' | 'exact';

export const FITS: readonly Fit[] = ['celeba', 'shorter', 'centre', 'exact'];

export interface FitConfig {
  /** Pixels of a side. */
  readonly size: number;
  readonly fit: Fit;
}

/** A square picture. @throws DataError naming `source` when it is too small or not of that size. */
export function fitPicture(
  picture: RgbPicture,
  { size, fit }: FitConfig,
  source: string,
): RgbPicture {
  const { width, height } = picture;
  const needs = (what: string) =>
    new DataError(`${source}: the picture is ${width} x ${height}, expected ${what}`);
  switch (fit) {
    case 'exact':
      if (width !== size || height !== size) throw needs(`${size} x ${size}; name a way to fit it`);
      return picture;
    case 'celeba':
      if (width !== 178 || height !== 218) throw needs('178 x 218, as the aligned CelebA');
      return celebaCrop(picture, size);
    case 'shorter':
      return resizeAndCentre(picture, size);
    case 'centre': {
      const side = Math.min(width, height);
      const [left, top] = [width - side, height - side].map((rest) => Math.floor(rest / 2));
      return resizeBilinear(crop(picture, left, top, side, side), size, size);
    }
  }
}

/** Rows of RGB as channels: [3, h, w] in `out` from `at` on. */
export function intoPlanes({ width, height, pixels }: RgbPicture, out: Uint8Array, at = 0): void {
  const plane = width * height;
  for (let p = 0; p < plane; p++) {
    for (let c = 0; c < 3; c++) out[at + c * plane + p] = pixels[3 * p + c];
  }
}
