import { ShapeError } from '../core/errors.ts';
import { integers, type Key, permutation, substream } from '../core/random.ts';
import type { ByteImages } from './images.ts';

/*
 * Images that are no photographs of the training set's kind, for detectors of such images. All are
 * bytes [n, 3, 32, 32].
 */

const SIDE = 32;
const PLANE = SIDE * SIDE;

const colour = (count: number, pixels: Uint8Array): ByteImages => ({
  ...{ count, channels: 3, height: SIDE, width: SIDE, pixels },
});

/** Every value uniform on 0..255. */
export function uniformImages(key: Key, count: number): ByteImages {
  return colour(count, Uint8Array.from(integers(key, count * 3 * PLANE, 256)));
}

/** One colour per image, uniform on all colours. */
export function plainImages(key: Key, count: number): ByteImages {
  const values = integers(key, 3 * count, 256);
  const pixels = new Uint8Array(count * 3 * PLANE);
  values.forEach((value, plane) => {
    pixels.fill(value, plane * PLANE, (plane + 1) * PLANE);
  });
  return colour(count, pixels);
}

/** The pixels of each image in another order: its colours without its shapes. */
export function scrambledImages(images: ByteImages, key: Key): ByteImages {
  const { count, channels, height, width } = images;
  const plane = height * width;
  const pixels = new Uint8Array(images.pixels.length);
  for (let i = 0; i < count; i++) {
    const order = permutation(substream(key, String(i)), plane);
    for (let c = 0; c < channels; c++) {
      const at = (i * channels + c) * plane;
      for (let p = 0; p < plane; p++) pixels[at + p] = images.pixels[at + order[p]];
    }
  }
  return { ...images, pixels };
}

/**
 * Grey digits 28 × 28 on a border of zeros, in three equal channels.
 * @throws ShapeError when the images are others.
 */
export function digitsAsColour({ count, channels, height, width, pixels }: ByteImages): ByteImages {
  if (channels !== 1 || height !== 28 || width !== 28) {
    throw new ShapeError(
      `digitsAsColour: images of ${channels} x ${height} x ${width}, expected 1 x 28 x 28`,
    );
  }
  const out = new Uint8Array(count * 3 * PLANE);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) {
      for (let y = 0; y < 28; y++) {
        const from = (i * 28 + y) * 28;
        out.set(pixels.subarray(from, from + 28), (3 * i + c) * PLANE + (y + 2) * SIDE + 2);
      }
    }
  }
  return colour(count, out);
}
