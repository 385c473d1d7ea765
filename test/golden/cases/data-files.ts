import { basename } from 'node:path';
import { readBytes } from '../../../src/core/files.ts';
import { readCifar10, readCifar100 } from '../../../src/datasets/cifar-binary.ts';
import { readIdxImages, readIdxLabels } from '../../../src/datasets/idx.ts';
import { type ByteImages, toNhwc } from '../../../src/datasets/images.ts';
import { parseMat } from '../../../src/datasets/mat.ts';
import { readSvhn } from '../../../src/datasets/svhn.ts';
import { checkForeignFiles, type ExpectedFile, only, sha256 } from '../foreign-files.ts';
import type { GoldenFolderCase } from '../golden-case.ts';

function cifarImages(images: ByteImages) {
  const nhwc = toNhwc(images);
  return {
    records: images.count,
    sha256_nhwc: sha256(nhwc),
    sha256_nchw: sha256(images.pixels),
    first_pixel_rgb: [...nhwc.subarray(0, 3)],
  };
}

function readImageFile(path: string, expected: ExpectedFile): Record<string, unknown> {
  const name = basename(path);
  if (name.startsWith('cifar100')) {
    const { images, coarseLabels, fineLabels } = readCifar100(path);
    return {
      ...cifarImages(images),
      coarse_labels: [...coarseLabels],
      fine_labels: [...fineLabels],
    };
  }
  if (name.startsWith('cifar10')) {
    const { images, labels } = readCifar10(path);
    return { ...cifarImages(images), labels: [...labels] };
  }
  if (name.includes('idx1')) {
    const labels = readIdxLabels(path);
    return { records: labels.length, labels: [...labels] };
  }
  const { count, height, width, pixels } = readIdxImages(path);
  const firstRow = expected['first_row_of_image_0'] as number[] | undefined;
  return only(expected, {
    records: count,
    rows: height,
    columns: width,
    sha256_pixels: sha256(pixels),
    first_row_of_image_0: [...pixels.subarray(0, firstRow?.length ?? 0)],
  });
}

function readMatFile(path: string, expected: ExpectedFile): Record<string, unknown> {
  const { images, labels } = readSvhn(path);
  const { X, y } = parseMat(readBytes(path), path, ['X', 'y']);
  const nhwc = toNhwc(images);
  const first = (expected['first_pixels_of_image_0'] as number[][] | undefined) ?? [];
  return only(expected, {
    X_shape: X.shape,
    sha256_X_nhwc: sha256(nhwc),
    sha256_X_column_major: sha256(X.data as Uint8Array),
    y_raw: [...y.data],
    labels: [...labels],
    first_pixels_of_image_0: first.map((_, i) => [...nhwc.subarray(3 * i, 3 * i + 3)]),
  });
}

export const folders: readonly GoldenFolderCase[] = [
  { folder: 'cifar', run: (path) => checkForeignFiles(path, readImageFile) },
  { folder: 'mat', run: (path) => checkForeignFiles(path, readMatFile) },
];
