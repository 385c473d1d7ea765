import { DataError } from '../core/errors.ts';
import type { RgbPicture } from './png.ts';

/**
 * Decodes a JPEG, PNG, WebP, GIF, TIFF or AVIF picture to 8-bit RGB; transparency is dropped, not
 * blended, grey becomes three equal channels.
 * @throws DataError naming `source` when it is damaged, truncated or of another format.
 */
export async function decodePicture(bytes: Uint8Array, source: string): Promise<RgbPicture> {
  // Loaded at the first picture: it is a large native library.
  const { default: sharp } = await import('sharp');
  try {
    const { data, info } = await sharp(bytes, { failOn: 'truncated', limitInputPixels: 2 ** 28 })
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    const pixels = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const { width, height, channels } = info;
    if (channels === 3) return { width, height, pixels };
    throw new Error(`it decodes to ${channels} channels`);
  } catch (error) {
    throw new DataError(`${source}: cannot be decoded: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/**
 * A square picture stored as its RGB bytes, row by row.
 * @throws DataError when the number of bytes is not three times a square.
 */
export function rawPicture(bytes: Uint8Array, source: string): RgbPicture {
  const side = Math.sqrt(bytes.length / 3);
  if (!Number.isInteger(side) || side === 0) {
    throw new DataError(`${source}: ${bytes.length} bytes are no square RGB picture`);
  }
  return { width: side, height: side, pixels: bytes };
}
