import type { Image } from '../../core/png.ts';

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
