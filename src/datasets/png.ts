import { crc32, inflateSync } from 'node:zlib';
import { DataError, ShapeError } from '../core/errors.ts';
import { encodePng, PNG_COLOUR, PNG_SIGNATURE } from '../core/png.ts';
import { type ByteImages, toNhwc } from './images.ts';

const RGB_CHANNELS = 3;

/** Rows from the top, three bytes (red, green, blue) per pixel. */
export interface RgbPicture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/**
 * Decodes an 8-bit RGB PNG without interlacing, the form in which picture sets are packed into
 * sprites.
 * @throws DataError naming `source` for a damaged file or another kind of PNG.
 */
export function decodeRgbPng(bytes: Uint8Array, source: string): RgbPicture {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!PNG_SIGNATURE.every((b, i) => bytes[i] === b))
    throw new DataError(`${source}: not a PNG file`);
  const parts: Uint8Array[] = [];
  let width = 0;
  let height = 0;
  for (let at = PNG_SIGNATURE.length; ; ) {
    const length = at + 12 <= bytes.length ? view.getUint32(at) : -1;
    if (length < 0 || at + 12 + length > bytes.length) {
      throw new DataError(`${source}: damaged PNG: the file ends too early`);
    }
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const data = bytes.subarray(at + 8, at + 8 + length);
    if (crc32(bytes.subarray(at + 4, at + 8 + length)) !== view.getUint32(at + 8 + length)) {
      throw new DataError(`${source}: damaged PNG: wrong check sum of chunk ${type}`);
    }
    if (type === 'IHDR') {
      [width, height] = [view.getUint32(at + 8), view.getUint32(at + 12)];
      const [depth, colour, , , interlace] = data.subarray(8);
      if (depth !== 8 || colour !== PNG_COLOUR[RGB_CHANNELS] || interlace !== 0) {
        throw new DataError(`${source}: expected a PNG with 8-bit RGB pixels and no interlacing`);
      }
    }
    if (type === 'IDAT') parts.push(data);
    if (type === 'IEND') break;
    at += 12 + length;
  }
  return { width, height, pixels: unfiltered(inflated(parts, source), width, height, source) };
}

function inflated(parts: readonly Uint8Array[], source: string): Uint8Array {
  try {
    return inflateSync(Buffer.concat(parts));
  } catch (error) {
    throw new DataError(`${source}: damaged PNG: ${(error as Error).message}`, { cause: error });
  }
}

/** Undoes the row filters of the PNG specification (section 9). */
function unfiltered(rows: Uint8Array, width: number, height: number, source: string): Uint8Array {
  const row = 3 * width;
  if (rows.length !== (row + 1) * height) {
    throw new DataError(`${source}: damaged PNG: ${rows.length} bytes for ${width} x ${height}`);
  }
  const out = new Uint8Array(row * height);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (row + 1)];
    const from = y * (row + 1) + 1;
    const to = y * row;
    for (let i = 0; i < row; i++) {
      const left = i < 3 ? 0 : out[to + i - 3];
      const up = y === 0 ? 0 : out[to + i - row];
      const corner = i < 3 || y === 0 ? 0 : out[to + i - row - 3];
      out[to + i] = rows[from + i] + prediction(filter, left, up, corner);
    }
  }
  return out;
}

function prediction(filter: number, left: number, up: number, corner: number): number {
  switch (filter) {
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return (left + up) >> 1;
    case 4: {
      const estimate = left + up - corner;
      const [a, b, c] = [left, up, corner].map((v) => Math.abs(estimate - v));
      if (a <= b && a <= c) return left;
      return b <= c ? up : corner;
    }
    default:
      return 0;
  }
}

/** An 8-bit RGB PNG. @throws ShapeError when the pixels do not fill the picture. */
export function encodeRgbPng({ width, height, pixels }: RgbPicture): Uint8Array {
  return encodePng({ width, height, channels: 3, data: pixels });
}

/** RGB images side by side, in rows of `columns`; by default about as many rows as columns. */
export function pictureSheet(
  images: ByteImages,
  columns = Math.ceil(Math.sqrt(images.count)),
): RgbPicture {
  const { count, channels, height, width } = images;
  if (channels !== RGB_CHANNELS) {
    throw new ShapeError(`pictureSheet: takes images of 3 channels, got ${channels}`);
  }
  const rows = Math.ceil(count / columns);
  const sheet = {
    width: columns * width,
    height: rows * height,
    pixels: new Uint8Array(3 * columns * width * rows * height),
  };
  const source = toNhwc(images);
  for (let i = 0; i < count; i++) {
    const left = 3 * width * (i % columns);
    const top = height * Math.floor(i / columns);
    for (let y = 0; y < height; y++) {
      const from = 3 * width * (i * height + y);
      const to = 3 * sheet.width * (top + y) + left;
      sheet.pixels.set(source.subarray(from, from + 3 * width), to);
    }
  }
  return sheet;
}
