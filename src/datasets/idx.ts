import { gunzipSync } from 'node:zlib';
import { DataError } from '../core/errors.ts';
import { readBytes } from '../core/files.ts';
import type { ByteImages } from './images.ts';

/** Big-endian magic numbers of unsigned bytes in one and three dimensions. */
const LABELS_MAGIC = 0x00000801;
const IMAGES_MAGIC = 0x00000803;

/** What a gzip file may unpack to; the largest MNIST-like file has 47 MB. */
const MAX_UNPACKED = 1 << 30;

/**
 * Reads an IDX image file (MNIST: magic 0x00000803, count, rows, columns, pixels), plain or gzip.
 * @throws DataError naming the file for another magic number, a header cut short, bytes missing or
 * left over, sizes of zero, or a damaged gzip stream; the sizes are checked before any allocation.
 */
export function readIdxImages(path: string): ByteImages {
  return parseIdxImages(readBytes(path), path);
}

/**
 * Reads an IDX label file (magic 0x00000801, count, labels), plain or gzip.
 * @throws DataError as readIdxImages.
 */
export function readIdxLabels(path: string): Uint8Array {
  return parseIdxLabels(readBytes(path), path);
}

/** readIdxImages from memory; `source` names the data in errors. */
export function parseIdxImages(bytes: Uint8Array, source: string): ByteImages {
  const { sizes, data } = parse(bytes, source, IMAGES_MAGIC, ['count', 'rows', 'columns']);
  const [count, height, width] = sizes;
  return { count, channels: 1, height, width, pixels: data };
}

/** readIdxLabels from memory; `source` names the data in errors. */
export function parseIdxLabels(bytes: Uint8Array, source: string): Uint8Array {
  return parse(bytes, source, LABELS_MAGIC, ['count']).data;
}

function parse(
  packed: Uint8Array,
  source: string,
  magic: number,
  names: readonly string[],
): { sizes: number[]; data: Uint8Array } {
  const bytes = unpack(packed, source);
  const header = 4 + 4 * names.length;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = bytes.length < 4 ? magic : view.getUint32(0);
  if (found !== magic) {
    throw new DataError(
      `${source}: magic number ${hex(found)}, expected ${hex(magic)}${hint(found, magic)}`,
    );
  }
  if (bytes.length < header) {
    throw new DataError(`${source}: ${bytes.length} bytes, an IDX header takes ${header}`);
  }
  const sizes = names.map((_, k) => view.getUint32(4 + 4 * k));
  const size = sizes.reduce((a, b) => a * b);
  const text = names.map((n, k) => `${sizes[k]} ${n}`).join(', ');
  if (size === 0) throw new DataError(`${source}: the header states ${text}: no data`);
  if (bytes.length - header !== size) {
    const what = bytes.length - header < size ? 'truncated' : 'bytes left over';
    throw new DataError(
      `${source}: ${what}: the header states ${text}, that is ${size} bytes, ${bytes.length - header} follow`,
    );
  }
  return { sizes, data: new Uint8Array(bytes.subarray(header)) };
}

function hint(found: number, magic: number): string {
  const swapped = new DataView(new ArrayBuffer(4));
  swapped.setUint32(0, found, true);
  if (swapped.getUint32(0) === magic) return ' (the header is little-endian)';
  if (found === LABELS_MAGIC) return ' (this is a label file)';
  if (found === IMAGES_MAGIC) return ' (this is an image file)';
  return '';
}

function hex(v: number): string {
  return `0x${v.toString(16).padStart(8, '0')}`;
}

function unpack(bytes: Uint8Array, source: string): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_UNPACKED });
  } catch (error) {
    throw new DataError(`${source}: damaged gzip stream: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
