import { ShapeError } from '../core/errors.ts';

/** Images as bytes in the order image, channel, row, column (NCHW). */
export interface ByteImages {
  readonly count: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** count channels height width values, 0..255. */
  readonly pixels: Uint8Array;
}

/** The pixels in the order image, row, column, channel (NHWC), as pictures are encoded. */
export function toNhwc({ count, channels, height, width, pixels }: ByteImages): Uint8Array {
  const plane = height * width;
  if (pixels.length !== count * channels * plane) {
    throw new ShapeError(
      `toNhwc: ${pixels.length} bytes are not ${count} images of ${channels} x ${height} x ${width}`,
    );
  }
  const out = new Uint8Array(pixels.length);
  for (let i = 0; i < count; i++) {
    const image = i * channels * plane;
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < plane; p++) {
        out[image + p * channels + c] = pixels[image + c * plane + p];
      }
    }
  }
  return out;
}
