import { gunzipSync } from 'node:zlib';
import { DataError } from '../core/errors.ts';

const BLOCK = 512;
const SIZE_AT = 124;
const TYPE_AT = 156;
const PREFIX_AT = 345;
const MAX_UNPACKED = 1 << 30;

/**
 * The regular files of a gzip-compressed tar archive (POSIX ustar, as npm packs them), by path.
 * @param source names the archive in errors.
 * @throws DataError for a damaged or shortened archive.
 */
export function readTarGz(bytes: Uint8Array, source: string): Map<string, Uint8Array> {
  let tar: Uint8Array;
  try {
    tar = gunzipSync(bytes, { maxOutputLength: MAX_UNPACKED });
  } catch (error) {
    throw new DataError(`${source}: damaged archive: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const files = new Map<string, Uint8Array>();
  for (let at = 0; at + BLOCK <= tar.length; ) {
    const header = tar.subarray(at, at + BLOCK);
    if (header.every((b) => b === 0)) return files;
    const size = Number.parseInt(text(header, SIZE_AT, 12), 8);
    const begin = at + BLOCK;
    if (!(size >= 0) || begin + size > tar.length) {
      throw new DataError(`${source}: damaged archive: an entry reaches past its end`);
    }
    const type = header[TYPE_AT];
    if (type === 0 || type === 0x30) {
      const prefix = text(header, PREFIX_AT, 155);
      const name = text(header, 0, 100);
      files.set(prefix === '' ? name : `${prefix}/${name}`, tar.subarray(begin, begin + size));
    }
    at = begin + Math.ceil(size / BLOCK) * BLOCK;
  }
  throw new DataError(`${source}: damaged archive: it ends within an entry`);
}

function text(header: Uint8Array, at: number, length: number): string {
  const field = header.subarray(at, at + length);
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end))
    .toString('utf8')
    .trim();
}
