import { ShapeError } from '../core/errors.ts';
import { integers, type Key, permutation, substream } from '../core/random.ts';
import type { LabelledImages } from './image-set.ts';

const SIDE = 28;
const PADDING = 2;

/** Side of a StackedMNIST image: MNIST with two pixels of background around it. */
export const STACKED_SIDE = SIDE + 2 * PADDING;

/**
 * Three MNIST digits as the colours of one image, 1000 classes. The set is a list of triples of
 * indices; images are put together when asked for.
 */
export interface StackedMnist {
  readonly count: number;
  /** Index of the digit of each channel, [count, 3]. */
  readonly triples: Int32Array;
  /** 100 d0 + 10 d1 + d2 per image; the first digit is that of the first channel. */
  readonly labels: Int32Array;
  /** Images [n, 3, 32, 32] in [-1, 1], of the given places in the list. */
  images(at: ArrayLike<number>): Float32Array;
}

/**
 * StackedMNIST as DDGAN builds it: for each channel two independent permutations of the digits,
 * one behind the other, hence twice as many images as there are digits (120,000) and every digit
 * six times. Unlike there, the permutations follow from `key`.
 */
export function stackedMnist(digits: LabelledImages, key: Key): StackedMnist {
  const { count: n, channels, height, width, pixels } = digits.images;
  if (channels !== 1 || height !== SIDE || width !== SIDE) {
    throw new ShapeError(
      `stackedMnist: digits must be 1 x ${SIDE} x ${SIDE}, got ${channels} x ${height} x ${width}`,
    );
  }
  const count = 2 * n;
  const triples = new Int32Array(3 * count);
  for (let c = 0; c < 3; c++) {
    for (let half = 0; half < 2; half++) {
      const order = permutation(substream(key, `channel-${c}/${half}`), n);
      for (let i = 0; i < n; i++) triples[3 * (half * n + i) + c] = order[i];
    }
  }
  const labels = Int32Array.from(
    { length: count },
    (_, i) =>
      100 * digits.labels[triples[3 * i]] +
      10 * digits.labels[triples[3 * i + 1]] +
      digits.labels[triples[3 * i + 2]],
  );
  const plane = STACKED_SIDE * STACKED_SIDE;
  const images = (at: ArrayLike<number>): Float32Array => {
    const out = new Float32Array(at.length * 3 * plane).fill(-1);
    for (let i = 0; i < at.length; i++) {
      for (let c = 0; c < 3; c++) {
        const from = triples[3 * at[i] + c] * SIDE * SIDE;
        const to = (3 * i + c) * plane + PADDING * STACKED_SIDE + PADDING;
        for (let y = 0; y < SIDE; y++) {
          for (let x = 0; x < SIDE; x++) {
            out[to + y * STACKED_SIDE + x] = pixels[from + y * SIDE + x] / 127.5 - 1;
          }
        }
      }
    }
    return out;
  };
  return { count, triples, labels, images };
}

/** `n` places in the list, with replacement. */
export function stackedPlaces(set: StackedMnist, key: Key, n: number): Int32Array {
  return integers(key, n, set.count);
}

/**
 * The three digits of each image as grey images of their own, [3 n, 28, 28] in [0, 1]: what a
 * classifier of MNIST takes. `images` is [n, 3, 32, 32] in [-1, 1]; values beyond are clamped.
 */
export function splitStacked(images: Float32Array): Float32Array {
  const plane = STACKED_SIDE * STACKED_SIDE;
  if (images.length % (3 * plane) !== 0) {
    throw new ShapeError(`splitStacked: ${images.length} values are no images of 3 x 32 x 32`);
  }
  const digits = images.length / plane;
  const out = new Float32Array(digits * SIDE * SIDE);
  for (let k = 0; k < digits; k++) {
    for (let y = 0; y < SIDE; y++) {
      for (let x = 0; x < SIDE; x++) {
        const v = images[k * plane + (y + PADDING) * STACKED_SIDE + x + PADDING];
        out[(k * SIDE + y) * SIDE + x] = Math.min(1, Math.max(0, (v + 1) / 2));
      }
    }
  }
  return out;
}
