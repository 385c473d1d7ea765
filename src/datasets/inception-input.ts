import { ShapeError } from '../core/errors.ts';

/**
 * How images become the input of Inception. `torch`: as pytorch-fid and the evaluation of DDGAN do
 * it, pixels/255, bilinear with half-pixel centres, 2x − 1. `tensorflow`: as the original graph
 * does it, bilinear from the raw pixels with positions dst·in/out, then (x − 128)/128. Features of
 * the two must not be compared with each other.
 */
export type InceptionStyle = 'torch' | 'tensorflow';

/** Images in the order image, channel, row, column. */
export interface Planes {
  readonly count: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly pixels: ArrayLike<number>;
}

/** Where each output position of an axis looks: two inputs and the share of the second. */
interface Positions {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly share: Float32Array;
}

const f32 = Math.fround;

/** In float32, whose rounding decides which pixels a position at a boundary mixes. */
function positions(from: number, to: number, style: InceptionStyle): Positions {
  const low = new Int32Array(to);
  const high = new Int32Array(to);
  const share = new Float32Array(to);
  const scale = f32(from / to);
  for (let i = 0; i < to; i++) {
    const at = style === 'torch' ? Math.max(0, f32(f32(scale * (i + 0.5)) - 0.5)) : f32(i * scale);
    low[i] = Math.min(Math.floor(at), from - 1);
    high[i] = Math.min(low[i] + 1, from - 1);
    share[i] = f32(at - low[i]);
  }
  return { low, high, share };
}

/**
 * Bilinear interpolation without antialiasing, [n, C, h, w] → [n, C, side, side], values as given
 * (`torch`: divided by 255).
 * @throws ShapeError when the pixels do not fill the images.
 */
export function resizeForInception(
  { count, channels, height, width, pixels }: Planes,
  side: number,
  style: InceptionStyle,
): Float32Array {
  const planes = count * channels;
  if (pixels.length !== planes * height * width) {
    throw new ShapeError(
      `resizeForInception: ${pixels.length} values are not ${count} images of ${channels} x ${height} x ${width}`,
    );
  }
  const [down, across] = [positions(height, side, style), positions(width, side, style)];
  const unit = style === 'torch' ? 255 : 1;
  const out = new Float32Array(planes * side * side);
  for (let plane = 0; plane < planes; plane++) {
    const from = plane * height * width;
    for (let y = 0; y < side; y++) {
      const top = from + down.low[y] * width;
      const bottom = from + down.high[y] * width;
      const v = down.share[y];
      const to = (plane * side + y) * side;
      for (let x = 0; x < side; x++) {
        const [l, r, u] = [across.low[x], across.high[x], across.share[x]];
        const above = pixels[top + l] + (pixels[top + r] - pixels[top + l]) * u;
        const below = pixels[bottom + l] + (pixels[bottom + r] - pixels[bottom + l]) * u;
        out[to + x] = (above + (below - above) * v) / unit;
      }
    }
  }
  return out;
}

/** Resized images as the network takes them, about [−1, 1]; in place. */
export function scaleForInception(resized: Float32Array, style: InceptionStyle): Float32Array {
  const [factor, shift] = style === 'torch' ? [2, -1] : [1 / 128, -1];
  for (let i = 0; i < resized.length; i++) resized[i] = resized[i] * factor + shift;
  return resized;
}
