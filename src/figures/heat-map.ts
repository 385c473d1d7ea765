import { scheme } from 'vega';
import { NumericError, ShapeError } from '../core/errors.ts';
import { encodeIndexedPng } from './png.ts';

type Rgb = readonly [number, number, number];

/** 256 colours of viridis, dark purple (0) to yellow (255). */
export function viridis(): Rgb[] {
  const colour = scheme('viridis') as (u: number) => string;
  return Array.from({ length: 256 }, (_, i) => parseColour(colour(i / 255)));
}

function parseColour(text: string): Rgb {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text);
  if (hex) return [hex[1], hex[2], hex[3]].map((h) => Number.parseInt(h, 16)) as unknown as Rgb;
  return (text.match(/\d+/g) ?? []).slice(0, 3).map(Number) as unknown as Rgb;
}

/**
 * Probability mass of each cell of a grid from log-densities known up to a constant,
 * `exp(E) / sum exp(E)`, computed stably.
 * @throws NumericError when a value is NaN or +infinity, or none is finite.
 */
export function cellMasses(logDensity: ArrayLike<number>): Float64Array {
  let max = -Infinity;
  for (let i = 0; i < logDensity.length; i++) {
    const v = logDensity[i];
    if (Number.isNaN(v) || v === Infinity) {
      throw new NumericError(`heat map: the log-density of cell ${i} is ${v}`);
    }
    if (v > max) max = v;
  }
  if (max === -Infinity) throw new NumericError('heat map: the density is zero everywhere');
  const mass = Float64Array.from({ length: logDensity.length }, (_, i) =>
    Math.exp(logDensity[i] - max),
  );
  const total = mass.reduce((a, b) => a + b, 0);
  return mass.map((m) => m / total);
}

/**
 * A density on a square grid as a picture in viridis, linear from zero to its own maximum
 * (every panel has its own scale, as in the paper's toy figures).
 * @param logDensity `[size, size]` row-major, y rising with the row and x with the column.
 * @returns a `data:` URL of a PNG with one pixel per cell, y upwards.
 */
export function densityPicture(logDensity: ArrayLike<number>, size: number): string {
  if (logDensity.length !== size * size) {
    throw new ShapeError(
      `densityPicture: ${logDensity.length} values do not fill a ${size} by ${size} grid`,
    );
  }
  const mass = cellMasses(logDensity);
  const top = mass.reduce((a, b) => Math.max(a, b), 0);
  const indices = new Uint8Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const value = mass[(size - 1 - row) * size + column] / top;
      indices[row * size + column] = Math.round(255 * value);
    }
  }
  const png = encodeIndexedPng(size, size, indices, viridis());
  return `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
}
