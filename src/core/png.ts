import { ShapeError } from './errors.ts';

/** The bytes every PNG file begins with. */
export const PNG_SIGNATURE: Uint8Array = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);

/** 8-bit pixels, row by row from the top, `channels` bytes each (1 grey, 3 RGB, 4 RGBA). */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
  readonly data: Uint8Array;
}

/** Colour types of the PNG specification, by number of channels. */
export const PNG_COLOUR = { 1: 0, 3: 2, 4: 6 } as const;

/** Loaded when it is needed: the first cell of a kernel need not wait for it. */
const zlib = () => process.getBuiltinModule('node:zlib');

/** A PNG file. @throws ShapeError when the data does not fill the picture. */
export function encodePng({ width, height, channels, data }: Image): Buffer {
  if (data.length !== width * height * channels) {
    throw new ShapeError(
      `encodePng: ${data.length} bytes do not fill ${width}×${height}×${channels}`,
    );
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, PNG_COLOUR[channels]], 8);
  const row = width * channels;
  // Each row follows a byte that names its filter: none.
  const rows = new Uint8Array((row + 1) * height);
  for (let y = 0; y < height; y++) {
    rows.set(data.subarray(y * row, (y + 1) * row), y * (row + 1) + 1);
  }
  return Buffer.concat([
    PNG_SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', zlib().deflateSync(rows)),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = Buffer.alloc(12 + data.length);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, 'latin1');
  out.set(data, 8);
  out.writeUInt32BE(zlib().crc32(out.subarray(4, 8 + data.length)), 8 + data.length);
  return out;
}
