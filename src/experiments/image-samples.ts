import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../core/errors.ts';
import { encodeSafetensors } from '../core/safetensors.ts';
import type { ByteImages } from '../datasets/images.ts';
import { featureStatistics, frechetDistance } from '../metrics/fid.ts';
import { storedSamples } from './image-source.ts';

const NAME = /^samples-(\d{9})\.safetensors$/;

/** Name of the file with the samples of one evaluation. */
export const samplesName = (step: number) => `samples-${String(step).padStart(9, '0')}.safetensors`;

/** Values in [−1, 1], cut there, as bytes. */
export function toBytes(values: ArrayLike<number>): Uint8Array {
  return Uint8Array.from(values, (v) => Math.round(127.5 * (Math.min(1, Math.max(-1, v)) + 1)));
}

/** Samples [n, 3, side, side] as a file. */
export function encodeImages({ count, channels, height, width, pixels }: ByteImages): Uint8Array[] {
  const shape = [count, channels, height, width];
  return encodeSafetensors({ images: { dtype: 'U8', shape, data: pixels } });
}

/** @throws DataError when the file is damaged or holds images of another size. */
export function readImages(path: string, side: number): ByteImages {
  const images = storedSamples(path);
  if (images.channels === 3 && images.height === side && images.width === side) return images;
  throw new DataError(
    `${path}: images of ${images.channels} x ${images.height} x ${images.width}, expected 3 x ${side} x ${side}`,
  );
}

/** The samples that a run has left in its folder, in the order of the iterations. */
export function sampleFiles(folder: string): { readonly step: number; readonly path: string }[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => NAME.test(name))
    .sort()
    .map((name) => ({ step: Number(NAME.exec(name)?.[1]), path: join(folder, name) }));
}

/** The first `count` images, or all where there are fewer. */
export function firstImages(images: ByteImages, count: number): ByteImages {
  const n = Math.min(count, images.count);
  const size = images.channels * images.height * images.width;
  return { ...images, count: n, pixels: images.pixels.subarray(0, n * size) };
}

/** Pixels of a side of a thumbnail. */
const THUMB = 4;

/** Means over 4 × 4 squares that cover the image, in [0, 1]: [n, 48] for colour images. */
export function thumbnails({ count, channels, width: side, pixels }: ByteImages): Float32Array {
  const size = channels * THUMB * THUMB;
  const out = new Float32Array(count * size);
  const square = side / THUMB;
  const share = 1 / (255 * square * square);
  for (let image = 0; image < count; image++) {
    for (let c = 0; c < channels; c++) {
      const plane = (image * channels + c) * side * side;
      const to = image * size + c * THUMB * THUMB;
      for (let y = 0; y < side; y++) {
        const row = to + THUMB * Math.floor(y / square);
        for (let x = 0; x < side; x++) {
          out[row + Math.floor(x / square)] += pixels[plane + y * side + x] * share;
        }
      }
    }
  }
  return out;
}

/**
 * Fréchet distance between the thumbnails of two sets of images, 48 features: whether layout and
 * colours agree in mean and covariance. Says nothing of detail; needs no trained network.
 */
export function thumbnailDistance(a: ByteImages, b: ByteImages): number {
  const of = (images: ByteImages) =>
    featureStatistics(thumbnails(images), images.channels * THUMB * THUMB);
  return frechetDistance(of(a), of(b));
}
