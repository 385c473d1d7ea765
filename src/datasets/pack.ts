import { ConfigError, DataError } from '../core/errors.ts';
import { LmdbWriter } from './lmdb-writer.ts';
import { type Fit, fitPicture } from './picture-fit.ts';
import { openPictureSet, type PictureSource } from './picture-set.ts';
import type { RgbPicture } from './png.ts';

/** `keep`: files as they are; `png`: decoded, fitted, without loss; `raw`: RGB bytes, square. */
export type PackFormat = 'keep' | 'png' | 'raw';

export const PACK_FORMATS: readonly PackFormat[] = ['keep', 'png', 'raw'];

export interface PackConfig {
  readonly source: PictureSource;
  /** Folder of the environment, e.g. `train.lmdb`. */
  readonly to: string;
  /** Default `keep`. */
  readonly format?: PackFormat;
  /** Pixels of a side and how to get there; for `png` and `raw`. */
  readonly size?: number;
  readonly fit?: Fit;
  readonly onProgress?: (done: number, count: number) => void;
}

/**
 * Writes pictures into an LMDB environment of data version 1, which the C library and Python read:
 * picture i has the key "i" in decimal digits, as in the data sets of NVAE and DDGAN.
 * @returns the number of pictures.
 * @throws ConfigError for a size with `keep`; DataError when a picture is damaged or does not fit; StoreError when it cannot be written.
 * Nothing is left behind then.
 */
export async function packPictures(config: PackConfig): Promise<number> {
  const { source, to, format = 'keep', size, fit = 'centre', onProgress } = config;
  if (format === 'keep' && size !== undefined) {
    throw new ConfigError('packPictures: a size needs the format png or raw');
  }
  const set = openPictureSet(source);
  const writer = new LmdbWriter(to);
  try {
    // LMDB keeps keys in byte order: "10" before "2".
    const order = Array.from({ length: set.count }, (_, i) => String(i)).sort();
    for (const [done, key] of order.entries()) {
      writer.add(key, await stored(Number(key)));
      if ((done + 1) % 256 === 0 || done + 1 === set.count) onProgress?.(done + 1, set.count);
    }
    writer.finish();
  } catch (error) {
    writer.abort();
    throw error;
  } finally {
    set.close();
  }
  return set.count;

  async function stored(i: number): Promise<Uint8Array> {
    // Decoded also where the bytes are kept: a damaged picture is found now, not in training.
    const picture = await set.picture(i);
    if (format === 'keep') return set.encoded(i);
    const fitted = size === undefined ? picture : fitPicture(picture, { size, fit }, set.name(i));
    if (format === 'png') return encodePng(fitted);
    if (fitted.width === fitted.height) return fitted.pixels;
    throw new DataError(
      `${set.name(i)}: raw pictures must be square, it is ${fitted.width} x ${fitted.height}; name a size`,
    );
  }
}

async function encodePng({ width, height, pixels }: RgbPicture): Promise<Uint8Array> {
  const { default: sharp } = await import('sharp');
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}
