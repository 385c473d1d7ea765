import { crc32, deflateSync } from 'node:zlib';
import { ShapeError } from '../../core/errors.ts';

/** 8-bit pixels, row by row, `channels` bytes each (1 grey, 3 RGB, 4 RGBA). */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
  readonly data: Uint8Array;
}

const COLOR_TYPE = { 1: 0, 3: 2, 4: 6 } as const;

/** A PNG file. */
export function encodePng(image: Image): Buffer {
  const { width, height, channels, data } = image;
  if (data.length !== width * height * channels) {
    throw new ShapeError(
      `encodePng: ${data.length} bytes do not fill ${width}×${height}×${channels}`,
    );
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, COLOR_TYPE[channels], 0, 0, 0], 8);
  const row = width * channels;
  const raw = Buffer.alloc((row + 1) * height);
  for (let y = 0; y < height; y++)
    raw.set(data.subarray(y * row, (y + 1) * row), y * (row + 1) + 1);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(raw)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const out = Buffer.alloc(12 + data.length);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, 'latin1');
  out.set(data, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length);
  return out;
}

export interface TileOptions {
  readonly count: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly channelsFirst: boolean;
  /** Images a row; as square as it goes when absent. */
  readonly columns?: number;
  /** The values that become black and white; by default [-1,1], [0,1] or [0,255] as they fit. */
  readonly range?: readonly [number, number];
  /** Pixels between images. */
  readonly gap?: number;
}

/** Puts images next to each other. */
export function tileImages(values: ArrayLike<number>, options: TileOptions): Image {
  const { count, channels, height, width, channelsFirst, gap = 2 } = options;
  const columns = options.columns ?? Math.ceil(Math.sqrt(count));
  const rows = Math.ceil(count / columns);
  const outWidth = columns * width + (columns - 1) * gap;
  const outHeight = rows * height + (rows - 1) * gap;
  const outChannels = channels === 1 ? 1 : 3;
  const size = channels * height * width;
  const [low, high] = options.range ?? guessRange(values, count * size);
  const scale = 255 / (high - low || 1);
  const data = new Uint8Array(outWidth * outHeight * outChannels).fill(255);
  for (let n = 0; n < count; n++) {
    const x0 = (n % columns) * (width + gap);
    const y0 = Math.floor(n / columns) * (height + gap);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const at = ((y0 + y) * outWidth + x0 + x) * outChannels;
        for (let c = 0; c < outChannels; c++) {
          const i = channelsFirst ? (c * height + y) * width + x : (y * width + x) * channels + c;
          const v = (values[n * size + i] - low) * scale;
          data[at + c] = v <= 0 ? 0 : v >= 255 ? 255 : Math.round(v);
        }
      }
    }
  }
  return { width: outWidth, height: outHeight, channels: outChannels, data };
}

function guessRange(values: ArrayLike<number>, length: number): readonly [number, number] {
  let [low, high] = [0, 0];
  for (let i = 0; i < length; i++) {
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  if (low < -0.05) return [-1, 1];
  return high > 1.5 ? [0, 255] : [0, 1];
}
