import { type Dirent, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../core/errors.ts';
import { readBytes, toReadError } from '../core/files.ts';
import { decodePicture } from './decode.ts';
import { openLmdbPictures } from './lmdb-pictures.ts';
import type { RgbPicture } from './png.ts';

/**
 * Where pictures lie; plain data, which crosses to other threads. `folder`: picture files in it and
 * in its subfolders, in the order of their paths. `lmdb`: see `LmdbPicturesConfig`.
 */
export type PictureSource =
  | { readonly kind: 'folder'; readonly path: string }
  | {
      readonly kind: 'lmdb';
      readonly path: string;
      readonly keys: 'number' | 'order';
      readonly values?: 'encoded' | 'raw';
    };

/** Pictures by number, none of them in memory. */
export interface PictureSet {
  readonly count: number;
  /** How picture `i` is called in errors: its path, or its place in the file. */
  name(i: number): string;
  /** Its bytes as stored. @throws DataError when it is not there. */
  encoded(i: number): Uint8Array;
  /** @throws DataError naming the picture when it is damaged, truncated or of another format. */
  picture(i: number): Promise<RgbPicture>;
  close(): void;
}

/** An LMDB environment where the folder holds one, else a folder of picture files. */
export function lmdbOrFolder(path: string, keys: 'number' | 'order' = 'number'): PictureSource {
  const isLmdb = path.endsWith('.mdb') || existsSync(join(path, 'data.mdb'));
  return isLmdb ? { kind: 'lmdb', path, keys } : { kind: 'folder', path };
}

const PICTURE = /\.(png|jpe?g|webp|gif|tiff?|avif)$/i;

/** @throws DataError when there is no such place, or no picture in it; see `openLmdb`. */
export function openPictureSet(source: PictureSource): PictureSet {
  if (source.kind === 'lmdb') {
    const { path, keys, values } = source;
    const pictures = openLmdbPictures(path, { keys, ...(values && { values }) });
    return {
      count: pictures.count,
      name: (i) => `${path}: picture ${i}`,
      encoded: (i) => pictures.encoded(i),
      picture: (i) => pictures.picture(i),
      close: () => pictures.close(),
    };
  }
  const files = pictureFiles(source.path);
  const path = (i: number): string => {
    if (files[i] !== undefined) return join(source.path, files[i]);
    throw new DataError(`${source.path}: there is no picture ${i} among ${files.length}`);
  };
  return {
    count: files.length,
    name: path,
    encoded: (i) => readBytes(path(i)),
    picture: async (i) => decodePicture(readBytes(path(i)), path(i)),
    close: () => undefined,
  };
}

/**
 * Paths of the picture files in a folder and its subfolders, relative to it, in byte order: the same
 * on every system. Names that begin with a dot are left out.
 * @throws DataError when there is no such folder, or no picture in it.
 */
export function pictureFiles(folder: string): string[] {
  const found: string[] = [];
  const visit = (below: string): void => {
    let entries: Dirent[];
    try {
      entries = readdirSync(join(folder, below), { withFileTypes: true });
    } catch (error) {
      throw toReadError(error, join(folder, below));
    }
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) visit(path);
      else if (PICTURE.test(entry.name)) found.push(path);
    }
  };
  visit('');
  if (found.length === 0) {
    throw new DataError(`${folder}: there is no picture in it (png, jpg, webp, gif, tiff, avif)`);
  }
  return found.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
