import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../core/errors.ts';
import { encodeSafetensors, readSafetensorsFile } from '../core/safetensors.ts';
import type { ByteImages } from '../datasets/images.ts';
import { featureStatistics, frechetDistance } from '../metrics/fid.ts';
import { CIFAR_DIM, CIFAR_SHAPE } from './cifar10-config.ts';

const [CHANNELS, SIDE] = CIFAR_SHAPE;
const NAME = /^samples-(\d{9})\.safetensors$/;

/** Name of the file with the samples of one evaluation. */
export const samplesName = (step: number) => `samples-${String(step).padStart(9, '0')}.safetensors`;

/** Values in [−1, 1], cut there, as bytes. */
export function toBytes(values: ArrayLike<number>): Uint8Array {
  return Uint8Array.from(values, (v) => Math.round(127.5 * (Math.min(1, Math.max(-1, v)) + 1)));
}

/** Samples [n, 3, 32, 32] as a file. */
export function encodeSamples(pixels: Uint8Array): Uint8Array[] {
  const shape = [pixels.length / CIFAR_DIM, ...CIFAR_SHAPE];
  return encodeSafetensors({ images: { dtype: 'U8', shape, data: pixels } });
}

/** @throws DataError when the file is damaged or holds other images. */
export function readSamples(path: string): ByteImages {
  const found = readSafetensorsFile(path).tensors.get('images');
  if (!(found?.data instanceof Uint8Array) || found.data.length % CIFAR_DIM !== 0) {
    throw new DataError(`${path}: holds no images of bytes`);
  }
  const count = found.data.length / CIFAR_DIM;
  return { count, channels: CHANNELS, height: SIDE, width: SIDE, pixels: found.data };
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
  return { ...images, count: n, pixels: images.pixels.subarray(0, n * CIFAR_DIM) };
}

/** Pixels of a side of a thumbnail. */
const THUMB = 4;
const THUMB_DIM = CHANNELS * THUMB * THUMB;

/** Means over squares of 8 × 8 pixels, in [0, 1]: [n, 48]. */
export function thumbnails({ count, pixels }: ByteImages): Float32Array {
  const out = new Float32Array(count * THUMB_DIM);
  const square = SIDE / THUMB;
  const share = 1 / (255 * square * square);
  for (let image = 0; image < count; image++) {
    for (let c = 0; c < CHANNELS; c++) {
      const plane = (image * CHANNELS + c) * SIDE * SIDE;
      const to = image * THUMB_DIM + c * THUMB * THUMB;
      for (let y = 0; y < SIDE; y++) {
        const row = to + THUMB * Math.floor(y / square);
        for (let x = 0; x < SIDE; x++) {
          out[row + Math.floor(x / square)] += pixels[plane + y * SIDE + x] * share;
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
  const of = (images: ByteImages) => featureStatistics(thumbnails(images), THUMB_DIM);
  return frechetDistance(of(a), of(b));
}
