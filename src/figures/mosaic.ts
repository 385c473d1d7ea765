import { ShapeError } from '../core/errors.ts';
import { encodeIndexedPng } from './png.ts';

/** Pictures in [0, 1]: gray [n, h·w] of squares, or colour [n, 3, h, w]. */
export interface Pictures {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}

/** Shades of gray, and of each channel of a colour: what a few kilobytes of a notebook hold. */
const GRAYS = 16;
const SHADES = 6;

const shade = (i: number, count: number) => Math.round((255 * i) / (count - 1));

const GRAY_PALETTE = Array.from({ length: GRAYS }, (_, i) => {
  const v = shade(i, GRAYS);
  return [v, v, v] as const;
});

const COLOUR_PALETTE = Array.from({ length: SHADES ** 3 }, (_, i) => {
  const [r, g, b] = [Math.floor(i / SHADES ** 2), Math.floor(i / SHADES) % SHADES, i % SHADES];
  return [shade(r, SHADES), shade(g, SHADES), shade(b, SHADES)] as const;
});

/** Sides and channels of the pictures of an array. @throws ShapeError for any other shape. */
function layoutOf({ data, shape }: Pictures) {
  const side = shape.length === 2 ? Math.sqrt(shape[1]) : shape[shape.length - 1];
  const colour = shape.length === 4 && shape[1] === 3 && shape[2] === shape[3];
  const whole = shape.reduce((a, b) => a * b, 1) === data.length;
  if (!whole || !(colour || (shape.length === 2 && Number.isInteger(side)))) {
    throw new ShapeError(
      `mosaic: expected pictures [n, side²] or [n, 3, side, side], got [${shape.join(', ')}] with ${data.length} values`,
    );
  }
  return { side, colour };
}

/**
 * The first pictures of an array, row by row in a square of `across` by `across`; places beyond the
 * last picture are black.
 * @returns a `data:` URL of a PNG in 16 grays or 216 colours, one pixel per value.
 * @throws ShapeError when the array holds no square pictures.
 */
export function mosaic(pictures: Pictures, across: number): string {
  const { side, colour } = layoutOf(pictures);
  const { data, shape } = pictures;
  const width = across * side;
  const indices = new Uint8Array(width * width);
  const plane = side * side;
  const level = (at: number, count: number) =>
    Math.round((count - 1) * Math.min(1, Math.max(0, data[at])));
  for (let n = 0; n < Math.min(shape[0], across * across); n++) {
    const corner = Math.floor(n / across) * side * width + (n % across) * side;
    for (let p = 0; p < plane; p++) {
      const at = corner + Math.floor(p / side) * width + (p % side);
      const from = n * plane * (colour ? 3 : 1) + p;
      indices[at] = colour
        ? SHADES * (SHADES * level(from, SHADES) + level(from + plane, SHADES)) +
          level(from + 2 * plane, SHADES)
        : level(from, GRAYS);
    }
  }
  const png = encodeIndexedPng(width, width, indices, colour ? COLOUR_PALETTE : GRAY_PALETTE);
  return `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
}

/** Pictures along the side of the largest square that all arrays fill, at most `most`. */
export function fullSquare(most: number, ...arrays: readonly Pictures[]): number {
  const fewest = Math.min(...arrays.map(({ shape }) => shape[0]));
  return Math.max(1, Math.min(most, Math.floor(Math.sqrt(fewest))));
}
