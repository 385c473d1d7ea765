import { NumericError, ShapeError } from '../core/errors.ts';
import { type Grid, normaliseOnGrid } from './grid.ts';

/**
 * How well a score tells data from noise: P(s(x) > s(u)) + P(s(x) = s(u)) / 2 for x drawn from a law
 * on the grid and u uniform on it, summed over all pairs of points instead of sampled. 1 is perfect
 * separation, 1/2 a score that says nothing.
 * @param logP log-density of the data up to a constant, `[size²]`.
 * @param score `[size²]`, high on what it takes for data, e.g. an energy.
 * @throws ShapeError when a length is not size²; NumericError for NaN.
 */
export function aurocOnGrid(logP: ArrayLike<number>, score: ArrayLike<number>, grid: Grid): number {
  const { mass } = normaliseOnGrid(logP, grid);
  const n = mass.length;
  if (score.length !== n) {
    throw new ShapeError(`aurocOnGrid: expected ${n} scores, got ${score.length}`);
  }
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (const i of order) {
    if (Number.isNaN(score[i])) throw new NumericError(`aurocOnGrid: NaN at point ${i}`);
  }
  order.sort((a, b) => score[a] - score[b]);
  let sum = 0;
  for (let first = 0; first < n; ) {
    let end = first;
    let tied = 0;
    while (end < n && score[order[end]] === score[order[first]]) tied += mass[order[end++]];
    // Below are `first` points; half of those of the same score count.
    sum += tied * (first + (end - first) / 2);
    first = end;
  }
  return sum / n;
}
