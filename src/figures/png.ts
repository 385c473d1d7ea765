import { crc32, deflateSync, inflateSync } from 'node:zlib';
import { DataError } from '../core/errors.ts';

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
}

/**
 * An 8-bit palette PNG. The same arguments give the same pixels everywhere, and the same bytes with
 * the same version of zlib.
 * @param indices row-major palette indices, top row first, `width * height` of them.
 * @param palette up to 256 colours as `[r, g, b]`, 0 to 255.
 */
export function encodeIndexedPng(
  width: number,
  height: number,
  indices: Uint8Array,
  palette: readonly (readonly [number, number, number])[],
): Uint8Array {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 3, 0, 0, 0], 8);
  const rows = new Uint8Array(height * (width + 1));
  for (let y = 0; y < height; y++) {
    rows.set(indices.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  }
  return join([
    { type: 'IHDR', data: header },
    { type: 'PLTE', data: Uint8Array.from(palette.flat()) },
    { type: 'IDAT', data: deflateSync(rows, { level: 9 }) },
    { type: 'IEND', data: new Uint8Array(0) },
  ]);
}

/**
 * The same picture with a UTF-8 text (an iTXt chunk) under `keyword`.
 * @throws DataError when `png` is not a PNG.
 */
export function withText(png: Uint8Array, keyword: string, text: string): Uint8Array {
  const [header, ...rest] = chunks(png);
  // Keyword, NUL, not compressed (2 bytes), no language (NUL), no translated keyword (NUL), text.
  const data = Buffer.concat([
    Buffer.from(keyword, 'latin1'),
    Buffer.alloc(5),
    Buffer.from(text, 'utf8'),
  ]);
  return join([header, { type: 'iTXt', data }, ...rest]);
}

/** All iTXt texts by keyword. @throws DataError when `png` is not a PNG. */
export function textsOf(png: Uint8Array): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const { type, data } of chunks(png)) {
    if (type !== 'iTXt') continue;
    const end = data.indexOf(0);
    texts[Buffer.from(data.subarray(0, end)).toString('latin1')] = Buffer.from(
      data.subarray(end + 5),
    ).toString('utf8');
  }
  return texts;
}

/** Width and height in pixels. @throws DataError when `png` is not a PNG. */
export function sizeOfPng(png: Uint8Array): { width: number; height: number } {
  const { data } = chunks(png)[0];
  const view = new DataView(data.buffer, data.byteOffset);
  return { width: view.getUint32(0), height: view.getUint32(4) };
}

/**
 * Whether two pictures of `encodeIndexedPng` show the same, also where their bytes differ because
 * another version of zlib packed them or another text goes with them.
 * @throws DataError when one of them is not a PNG.
 */
export function isSamePicture(a: Uint8Array, b: Uint8Array): boolean {
  const [x, y] = [a, b].map((png) => {
    const found = chunks(png);
    const of = (type: string) =>
      Buffer.concat(found.filter((chunk) => chunk.type === type).map(({ data }) => data));
    return [of('IHDR'), of('PLTE'), inflateSync(of('IDAT'))];
  });
  return x.every((part, i) => part.equals(y[i]));
}

function chunks(png: Uint8Array): Chunk[] {
  const found: Chunk[] = [];
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const whole = SIGNATURE.every((b, i) => png[i] === b);
  let at = SIGNATURE.length;
  while (whole && at + 12 <= png.length) {
    const length = view.getUint32(at);
    const type = Buffer.from(png.subarray(at + 4, at + 8)).toString('latin1');
    if (at + 12 + length > png.length) break;
    found.push({ type, data: png.subarray(at + 8, at + 8 + length) });
    at += 12 + length;
  }
  if (found[0]?.type !== 'IHDR' || at !== png.length) {
    throw new DataError(`png: ${png.length} bytes that are not a whole PNG picture`);
  }
  return found;
}

function join(list: readonly Chunk[]): Uint8Array {
  const parts: Uint8Array[] = [SIGNATURE];
  for (const { type, data } of list) {
    const chunk = Buffer.alloc(12 + data.length);
    chunk.writeUInt32BE(data.length, 0);
    chunk.write(type, 4, 'latin1');
    chunk.set(data, 8);
    chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length);
    parts.push(chunk);
  }
  return new Uint8Array(Buffer.concat(parts));
}
