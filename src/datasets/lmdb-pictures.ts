import { DataError } from '../core/errors.ts';
import { decodePicture, rawPicture } from './decode.ts';
import { type LmdbReader, openLmdb } from './lmdb.ts';
import type { RgbPicture } from './png.ts';

/** Pictures by number. */
export interface LmdbPictures {
  readonly count: number;
  /** The stored bytes of picture `i`. @throws DataError when there is none. */
  encoded(i: number): Uint8Array;
  /** Picture `i`, decoded. @throws DataError when it is damaged. */
  picture(i: number): Promise<RgbPicture>;
  close(): void;
}

export interface LmdbPicturesConfig {
  /**
   * `number`: picture i has the key "i" in decimal digits (data sets of NVAE and DDGAN). `order`:
   * it is the i-th in the order of the keys (LSUN).
   */
  readonly keys: 'number' | 'order';
  /** `encoded` (default): picture files; `raw`: square RGB bytes. */
  readonly values?: 'encoded' | 'raw';
}

/**
 * Opens an LMDB environment of pictures, such as `train.lmdb` of CelebA or
 * `church_outdoor_train_lmdb` of LSUN.
 * @throws DataError as openLmdb.
 */
export function openLmdbPictures(folder: string, config: LmdbPicturesConfig): LmdbPictures {
  const reader = openLmdb(folder);
  const keyOf = config.keys === 'number' ? (i: number) => String(i) : orderedKeys(reader, folder);
  const encoded = (i: number): Uint8Array => {
    const key = i >= 0 && i < reader.size && Number.isInteger(i) ? keyOf(i) : undefined;
    const bytes = key === undefined ? undefined : reader.get(key);
    if (bytes === undefined) {
      throw new DataError(`${folder}: there is no picture ${i} among ${reader.size}`);
    }
    return bytes;
  };
  return {
    count: reader.size,
    encoded,
    async picture(i) {
      const source = `${folder}: picture ${i}`;
      const bytes = encoded(i);
      return config.values === 'raw' ? rawPicture(bytes, source) : decodePicture(bytes, source);
    },
    close: () => reader.close(),
  };
}

/** The list of keys, read at the first use; a million of them take about 50 MB. */
function orderedKeys(reader: LmdbReader, folder: string): (i: number) => Uint8Array {
  let keys: Uint8Array[] | undefined;
  return (i) => {
    keys ??= [...reader.keys()];
    if (keys.length !== reader.size) {
      throw new DataError(`${folder}: damaged: ${keys.length} keys, ${reader.size} entries`);
    }
    return keys[i];
  };
}
