import { ShapeError } from '../core/errors.ts';

/**
 * Dense row-major float64 linear algebra for the evaluation metrics: products, semidefinite
 * factors, symmetric eigenvalues. Sizes of a few thousand are meant to work.
 */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** Wraps `data` without copying. @throws ShapeError when the length does not fit. */
export function matrix(rows: number, columns: number, data?: Float64Array): Matrix {
  const values = data ?? new Float64Array(rows * columns);
  if (values.length !== rows * columns) {
    throw new ShapeError(`matrix: ${values.length} values do not fill ${rows} x ${columns}`);
  }
  return { rows, columns, data: values };
}

export function transpose(a: Matrix): Matrix {
  const out = matrix(a.columns, a.rows);
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < a.columns; j++) out.data[j * a.rows + i] = a.data[i * a.columns + j];
  }
  return out;
}

/** A B^T: rows against rows, so that both operands are read along memory. */
export function timesTransposed(a: Matrix, b: Matrix): Matrix {
  if (a.columns !== b.columns) {
    throw new ShapeError(
      `timesTransposed: ${a.rows} x ${a.columns} and ${b.rows} x ${b.columns} differ in columns`,
    );
  }
  const out = matrix(a.rows, b.rows);
  addTimesTransposed(out, a, b, false);
  return out;
}

/** A A^T; the upper half is computed and mirrored. */
export function gram(a: Matrix): Matrix {
  const out = matrix(a.rows, a.rows);
  addTimesTransposed(out, a, a, true);
  mirrorUpper(out);
  return out;
}

/** Columns of a block: two blocks of four rows stay in the first-level cache. */
const BLOCK = 256;

function addTimesTransposed(out: Matrix, a: Matrix, b: Matrix, upperOnly: boolean): void {
  const k = a.columns;
  const [x, y, z] = [a.data, b.data, out.data];
  for (let k0 = 0; k0 < k; k0 += BLOCK) {
    const k1 = Math.min(k, k0 + BLOCK);
    for (let i = 0; i < a.rows; i++) {
      let j = upperOnly ? i : 0;
      const xi = i * k;
      const zi = i * b.rows;
      // Four dot products at a time: each element of a's row is loaded once for four of b's rows.
      for (; j + 3 < b.rows; j += 4) {
        const [y0, y1, y2, y3] = [j * k, (j + 1) * k, (j + 2) * k, (j + 3) * k];
        let [s0, s1, s2, s3] = [0, 0, 0, 0];
        for (let t = k0; t < k1; t++) {
          const v = x[xi + t];
          s0 += v * y[y0 + t];
          s1 += v * y[y1 + t];
          s2 += v * y[y2 + t];
          s3 += v * y[y3 + t];
        }
        z[zi + j] += s0;
        z[zi + j + 1] += s1;
        z[zi + j + 2] += s2;
        z[zi + j + 3] += s3;
      }
      for (; j < b.rows; j++) {
        let s = 0;
        for (let t = k0; t < k1; t++) s += x[xi + t] * y[j * k + t];
        z[zi + j] += s;
      }
    }
  }
}

/** Copies the upper triangle of a square matrix onto the lower, in place. */
export function mirrorUpper({ rows: n, data }: Matrix): void {
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) data[j * n + i] = data[i * n + j];
}

/**
 * F [n, r] with F F^T = S for a symmetric positive semidefinite S, r its numerical rank: Cholesky
 * with complete pivoting (Higham 1990, "Analysis of the Cholesky decomposition of a semi-definite
 * matrix"), stopped when the largest remaining pivot is below n eps times the largest of all.
 * Returned transposed: [r, n], row by row of memory. Only the upper triangle of S is read.
 */
export function semidefiniteFactor(s: Matrix): Matrix {
  const n = s.rows;
  if (s.columns !== n)
    throw new ShapeError(`semidefiniteFactor: ${n} x ${s.columns} is not square`);
  const at = (i: number, j: number) => s.data[i <= j ? i * n + j : j * n + i];
  const remaining = Float64Array.from({ length: n }, (_, i) => at(i, i));
  const largest = remaining.reduce((m, v) => Math.max(m, v), 0);
  const rows: Float64Array[] = [];
  const done = new Uint8Array(n);
  for (let step = 0; step < n; step++) {
    let pivot = -1;
    for (let i = 0; i < n; i++) {
      if (!done[i] && (pivot < 0 || remaining[i] > remaining[pivot])) pivot = i;
    }
    if (!(remaining[pivot] > n * Number.EPSILON * largest)) break;
    const row = new Float64Array(n);
    for (let j = 0; j < n; j++) if (!done[j]) row[j] = at(pivot, j);
    for (const earlier of rows) {
      const factor = earlier[pivot];
      for (let j = 0; j < n; j++) row[j] -= factor * earlier[j];
    }
    const root = Math.sqrt(remaining[pivot]);
    for (let j = 0; j < n; j++) row[j] = done[j] ? 0 : row[j] / root;
    row[pivot] = root;
    done[pivot] = 1;
    for (let j = 0; j < n; j++) if (!done[j]) remaining[j] -= row[j] * row[j];
    rows.push(row);
  }
  const out = matrix(rows.length, n);
  rows.forEach((row, i) => {
    out.data.set(row, i * n);
  });
  return out;
}
