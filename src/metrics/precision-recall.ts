import { ConfigError, ShapeError } from '../core/errors.ts';
import { type Matrix, matrix, timesTransposed } from './linalg.ts';

export interface PrecisionRecall {
  /** Share of generated rows within the reach of a real one. */
  readonly precision: number;
  /** Share of real rows within the reach of a generated one. */
  readonly recall: number;
}

/** Rows whose distances are formed at a time. */
const BLOCK = 256;

/**
 * Improved precision and recall (Kynkäänniemi et al. 2019) of features [n, d] and [m, d]: a row
 * reaches as far as its `k`-th nearest neighbour in its own set, itself not counted.
 * @throws ShapeError when a set is no rows of d; ConfigError when k is not in 1 .. rows − 1.
 */
export function precisionRecall(
  real: ArrayLike<number>,
  generated: ArrayLike<number>,
  d: number,
  k = 3,
): PrecisionRecall {
  const [a, b] = [rowsOf('real', real, d), rowsOf('generated', generated, d)];
  const fewest = Math.min(a.rows, b.rows);
  if (!Number.isInteger(k) || k < 1 || k >= fewest) {
    throw new ConfigError(`precisionRecall: k must lie in 1 .. ${fewest - 1}, got ${k}`);
  }
  const [reachA, reachB] = [reachOf(a, k), reachOf(b, k)];
  const nearA = new Uint8Array(a.rows);
  const nearB = new Uint8Array(b.rows);
  overBlocks(a, b, (i, distances) => {
    for (let j = 0; j < b.rows; j++) {
      if (distances[j] <= reachA[i]) nearB[j] = 1;
      if (distances[j] <= reachB[j]) nearA[i] = 1;
    }
  });
  const share = (near: Uint8Array) => near.reduce((sum, v) => sum + v, 0) / near.length;
  return { precision: share(nearB), recall: share(nearA) };
}

/** Squared distance of every row to its k-th nearest neighbour among the others. */
function reachOf(rows: Matrix, k: number): Float64Array {
  const out = new Float64Array(rows.rows);
  overBlocks(rows, rows, (i, distances) => {
    // The k smallest so far, in ascending order.
    const nearest = new Float64Array(k).fill(Number.POSITIVE_INFINITY);
    for (let j = 0; j < rows.rows; j++) {
      if (j === i || distances[j] >= nearest[k - 1]) continue;
      let at = k - 1;
      for (; at > 0 && nearest[at - 1] > distances[j]; at--) nearest[at] = nearest[at - 1];
      nearest[at] = distances[j];
    }
    out[i] = nearest[k - 1];
  });
  return out;
}

/** Calls `use` with the squared distances of row i of `a` to all rows of `b`. */
function overBlocks(a: Matrix, b: Matrix, use: (i: number, distances: Float64Array) => void): void {
  const [squaresA, squaresB] = [squares(a), squares(b)];
  for (let from = 0; from < a.rows; from += BLOCK) {
    const count = Math.min(BLOCK, a.rows - from);
    const part = matrix(
      count,
      a.columns,
      a.data.subarray(from * a.columns, (from + count) * a.columns),
    );
    const products = timesTransposed(part, b);
    for (let i = 0; i < count; i++) {
      const row = products.data.subarray(i * b.rows, (i + 1) * b.rows);
      for (let j = 0; j < b.rows; j++) {
        row[j] = Math.max(0, squaresA[from + i] + squaresB[j] - 2 * row[j]);
      }
      use(from + i, row);
    }
  }
}

function squares({ rows, columns, data }: Matrix): Float64Array {
  const out = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) out[i] += data[i * columns + j] ** 2;
  }
  return out;
}

/** A copy in float64. */
function rowsOf(name: string, values: ArrayLike<number>, d: number): Matrix {
  const n = values.length / d;
  if (!Number.isInteger(n) || n < 2) {
    throw new ShapeError(
      `precisionRecall: ${name} must hold at least 2 rows of ${d} features, got ${values.length} values`,
    );
  }
  return matrix(n, d, Float64Array.from(values));
}
