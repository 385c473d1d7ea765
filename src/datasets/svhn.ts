import { DataError } from '../core/errors.ts';
import { readBytes } from '../core/files.ts';
import type { ByteImages } from './images.ts';
import { parseMat } from './mat.ts';

export interface Svhn {
  readonly images: ByteImages;
  /** The digits 0..9 (the files write 10 for 0). */
  readonly labels: Uint8Array;
}

/**
 * Reads a file of SVHN's cropped digits (`train_32x32.mat`, `test_32x32.mat`): X uint8
 * [32, 32, 3, N] and y [N, 1] with labels 1..10.
 * @throws DataError naming the file when X or y is absent, of another type or size, the two differ
 * in N, or a label is out of range; and as parseMat.
 */
export function readSvhn(path: string): Svhn {
  return parseSvhn(readBytes(path), path);
}

/** readSvhn from memory; `source` names the data in errors. */
export function parseSvhn(bytes: Uint8Array, source: string): Svhn {
  const { X, y } = parseMat(bytes, source, ['X', 'y']);
  // MATLAB drops a last dimension of one.
  const [height, width, channels, count = 1] = X.shape;
  if (X.shape.length > 4 || height !== 32 || width !== 32 || channels !== 3 || count < 1) {
    throw new DataError(`${source}: X is ${X.shape.join(' x ')}, expected 32 x 32 x 3 x N`);
  }
  if (!(X.data instanceof Uint8Array)) {
    throw new DataError(`${source}: X does not hold bytes (uint8)`);
  }
  if (y.data.length !== count) {
    throw new DataError(`${source}: ${count} images but ${y.data.length} labels`);
  }
  const labels = Uint8Array.from(y.data, (label, i) => {
    if (!Number.isInteger(label) || label < 1 || label > 10) {
      throw new DataError(`${source}: label ${label} of image ${i}, allowed are 1..10`);
    }
    return label % 10;
  });
  const pixels = new Uint8Array(X.data.length);
  const plane = height * width;
  // Column-major: row fastest, then column, channel, image.
  for (let p = 0; p < X.data.length; p += plane) {
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        pixels[p + row * width + column] = X.data[p + column * height + row];
      }
    }
  }
  return { images: { count, channels, height, width, pixels }, labels };
}
