import { DataError } from '../core/errors.ts';
import { readBytes } from '../core/files.ts';
import type { ByteImages } from './images.ts';

const SIDE = 32;
const PIXEL_BYTES = 3 * SIDE * SIDE;

export interface Cifar10Batch {
  readonly images: ByteImages;
  /** 0..9. */
  readonly labels: Uint8Array;
}

export interface Cifar100Batch {
  readonly images: ByteImages;
  /** Superclass, 0..19. */
  readonly coarseLabels: Uint8Array;
  /** Class, 0..99. */
  readonly fineLabels: Uint8Array;
}

/**
 * Reads a file of the binary version of CIFAR-10: records of one label byte and 1024 red, 1024
 * green, 1024 blue bytes.
 * @throws DataError naming the file when it is empty, ends within a record, or has a label above 9.
 */
export function readCifar10(path: string): Cifar10Batch {
  return parseCifar10(readBytes(path), path);
}

/**
 * Reads a file of the binary version of CIFAR-100: records of a coarse label, a fine label and 3072
 * pixel bytes.
 * @throws DataError as readCifar10, for labels above 19 and 99.
 */
export function readCifar100(path: string): Cifar100Batch {
  return parseCifar100(readBytes(path), path);
}

/** readCifar10 from memory; `source` names the data in errors. */
export function parseCifar10(bytes: Uint8Array, source: string): Cifar10Batch {
  const { images, labels } = parse(bytes, source, [{ name: 'label', classes: 10 }]);
  return { images, labels: labels[0] };
}

/** readCifar100 from memory; `source` names the data in errors. */
export function parseCifar100(bytes: Uint8Array, source: string): Cifar100Batch {
  const { images, labels } = parse(bytes, source, [
    { name: 'coarse label', classes: 20 },
    { name: 'fine label', classes: 100 },
  ]);
  return { images, coarseLabels: labels[0], fineLabels: labels[1] };
}

function parse(
  bytes: Uint8Array,
  source: string,
  kinds: readonly { readonly name: string; readonly classes: number }[],
): { images: ByteImages; labels: Uint8Array[] } {
  const record = kinds.length + PIXEL_BYTES;
  if (bytes.length === 0) throw new DataError(`${source}: the file is empty`);
  if (bytes.length % record !== 0) {
    throw new DataError(
      `${source}: ${bytes.length} bytes are no whole number of records of ${record} bytes; truncated, or another data set?`,
    );
  }
  const count = bytes.length / record;
  const labels = kinds.map(() => new Uint8Array(count));
  const pixels = new Uint8Array(count * PIXEL_BYTES);
  for (let i = 0; i < count; i++) {
    kinds.forEach(({ name, classes }, k) => {
      const label = bytes[i * record + k];
      if (label >= classes) {
        throw new DataError(
          `${source}: ${name} ${label} in record ${i}, allowed are 0..${classes - 1}`,
        );
      }
      labels[k][i] = label;
    });
    const begin = i * record + kinds.length;
    pixels.set(bytes.subarray(begin, begin + PIXEL_BYTES), i * PIXEL_BYTES);
  }
  return { images: { count, channels: 3, height: SIDE, width: SIDE, pixels }, labels };
}
