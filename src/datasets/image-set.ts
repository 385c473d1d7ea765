import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../core/errors.ts';
import { readCifar10, readCifar100 } from './cifar-binary.ts';
import { readIdxImages, readIdxLabels } from './idx.ts';
import type { ByteImages } from './images.ts';

export type Split = 'train' | 'test';

/** Images with their classes. */
export interface LabelledImages {
  readonly images: ByteImages;
  readonly labels: Uint8Array;
}

/**
 * MNIST from a folder of IDX files, fetched or the user's own: `train-images-idx3-ubyte` and so on,
 * also with a dot before `idx` and packed with gzip.
 * @throws DataError when a file is missing (says how to get it), damaged, or of another size than
 * its partner.
 */
export function loadMnist(folder: string, split: Split): LabelledImages {
  const stem = split === 'train' ? 'train' : 't10k';
  const images = readIdxImages(idxFile(folder, `${stem}-images`, 'idx3'));
  const labels = readIdxLabels(idxFile(folder, `${stem}-labels`, 'idx1'));
  if (labels.length !== images.count) {
    throw new DataError(
      `${folder}: ${images.count} ${split} images, but ${labels.length} labels; take both files from one source`,
    );
  }
  return { images, labels };
}

/**
 * CIFAR-10 from a folder of the binary version (`data_batch_1.bin` … `test_batch.bin`), fetched or
 * the user's own.
 * @throws DataError when a file is missing (says how to get it) or damaged.
 */
export function loadCifar10(folder: string, split: Split): LabelledImages {
  const names =
    split === 'train' ? [1, 2, 3, 4, 5].map((b) => `data_batch_${b}.bin`) : ['test_batch.bin'];
  const batches = names.map((name) => {
    const path = join(folder, name);
    if (!existsSync(path)) throw missing(folder, name, 'cifar10');
    return readCifar10(path);
  });
  const count = batches.reduce((sum, b) => sum + b.images.count, 0);
  const pixels = new Uint8Array(batches.reduce((sum, b) => sum + b.images.pixels.length, 0));
  const labels = new Uint8Array(count);
  let [pixelAt, labelAt] = [0, 0];
  for (const b of batches) {
    pixels.set(b.images.pixels, pixelAt);
    labels.set(b.labels, labelAt);
    pixelAt += b.images.pixels.length;
    labelAt += b.labels.length;
  }
  return { images: { ...batches[0].images, count, pixels }, labels };
}

/**
 * CIFAR-100 with its 100 classes from a folder of the binary version (`train.bin`, `test.bin`).
 * @throws DataError when the file is missing or damaged.
 */
export function loadCifar100(folder: string, split: Split): LabelledImages {
  const path = join(folder, `${split}.bin`);
  if (!existsSync(path)) {
    throw new DataError(
      `${folder}: there is no ${split}.bin; expected the binary version of CIFAR-100 (cifar-100-binary.tar.gz of its authors), which no package registry has`,
    );
  }
  const { images, fineLabels } = readCifar100(path);
  return { images, labels: fineLabels };
}

/** Mean and standard deviation per channel, of pixels in [0, 1]. */
export function pixelStatistics(images: ByteImages): {
  readonly mean: number[];
  readonly std: number[];
} {
  const { count, channels, height, width, pixels } = images;
  const plane = height * width;
  const histograms = Array.from({ length: channels }, () => new Float64Array(256));
  for (let i = 0; i < pixels.length; i++) histograms[Math.floor(i / plane) % channels][pixels[i]]++;
  const n = count * plane;
  const moments = histograms.map((h) => {
    const mean = h.reduce((sum, c, v) => sum + c * v, 0) / n / 255;
    const square = h.reduce((sum, c, v) => sum + c * v * v, 0) / n / 255 ** 2;
    return { mean, std: Math.sqrt(square - mean * mean) };
  });
  return { mean: moments.map((m) => m.mean), std: moments.map((m) => m.std) };
}

function idxFile(folder: string, stem: string, kind: 'idx1' | 'idx3'): string {
  const names = ['-', '.'].flatMap((dot) => {
    const name = `${stem}${dot}${kind}-ubyte`;
    return [name, `${name}.gz`];
  });
  const found = names.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (found === undefined) throw missing(folder, names[0], 'mnist');
  return found;
}

function missing(folder: string, name: string, set: string): DataError {
  return new DataError(
    `${folder}: there is no ${name}; fetch it with 'gibbs data fetch ${set}', or name the folder that holds it with --data`,
  );
}
