import { NumericError, ShapeError } from '../core/errors.ts';
import type { Matrix } from './linalg.ts';

/**
 * The eigenvalues of a symmetric matrix in ascending order: Householder reduction to tridiagonal
 * form, then the QL iteration with implicit shifts (Golub and Van Loan, "Matrix Computations",
 * 8.3). Absolute error of the order of eps times the norm; 4/3 n^3 operations. Only the lower
 * triangle is read.
 * @throws ShapeError when not square; NumericError for NaN or infinity in it.
 */
export function symmetricEigenvalues(a: Matrix): Float64Array {
  if (a.rows !== a.columns) {
    throw new ShapeError(`symmetricEigenvalues: ${a.rows} x ${a.columns} is not square`);
  }
  if (!a.data.every(Number.isFinite)) {
    throw new NumericError('symmetricEigenvalues: the matrix holds NaN or infinity');
  }
  // A power of two changes no digit and keeps squares from over- and underflow.
  const largest = a.data.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  const scale = largest > 0 ? 2 ** Math.floor(Math.log2(largest)) : 1;
  const { diagonal, below } = tridiagonalise(
    a.data.map((v) => v / scale),
    a.rows,
  );
  return tridiagonalEigenvalues(diagonal, below).map((v) => v * scale);
}

/**
 * Reflections from the last row upwards; `a` is overwritten. Returns the diagonal and below[i],
 * the element left of diagonal[i] (below[0] = 0).
 */
function tridiagonalise(a: Float64Array, n: number) {
  const diagonal = new Float64Array(n);
  const below = new Float64Array(n);
  const v = new Float64Array(n);
  const p = new Float64Array(n);
  for (let m = n - 1; m > 0; m--) {
    // Reflect row m, elements 0 .. m-1, onto its last element.
    const row = a.subarray(m * n, m * n + m);
    diagonal[m] = a[m * n + m];
    let scale = 0;
    for (let i = 0; i < m; i++) scale = Math.max(scale, Math.abs(row[i]));
    let rest = 0;
    for (let i = 0; i < m - 1; i++) rest += (row[i] / scale) ** 2;
    if (scale === 0 || rest === 0) {
      below[m] = row[m - 1];
      continue;
    }
    for (let i = 0; i < m; i++) v[i] = row[i] / scale;
    const norm = Math.sqrt(rest + v[m - 1] ** 2);
    const alpha = v[m - 1] > 0 ? -norm : norm;
    below[m] = alpha * scale;
    v[m - 1] -= alpha;
    // H = I - beta v v^T; A <- H A H = A - v w^T - w v^T with w = p - (beta/2)(p.v) v, p = beta A v.
    const beta = 1 / (norm * (norm + Math.abs(v[m - 1] + alpha)));
    timesVector(a, n, m, v, p);
    let dot = 0;
    for (let i = 0; i < m; i++) {
      p[i] *= beta;
      dot += p[i] * v[i];
    }
    for (let i = 0; i < m; i++) p[i] -= 0.5 * beta * dot * v[i];
    for (let i = 0; i < m; i++) {
      const [vi, wi, at] = [v[i], p[i], i * n];
      for (let j = 0; j <= i; j++) a[at + j] -= vi * p[j] + wi * v[j];
    }
  }
  if (n > 0) diagonal[0] = a[0];
  return { diagonal, below };
}

/** p = A v for the leading m x m block, from its lower triangle in one pass. */
function timesVector(a: Float64Array, n: number, m: number, v: Float64Array, p: Float64Array) {
  p.fill(0, 0, m);
  for (let i = 0; i < m; i++) {
    const vi = v[i];
    const at = i * n;
    let sum = 0;
    for (let j = 0; j < i; j++) {
      const x = a[at + j];
      sum += x * v[j];
      p[j] += x * vi;
    }
    p[i] += sum + a[at + i] * vi;
  }
}

const MAX_SWEEPS = 60;

function tridiagonalEigenvalues(d: Float64Array, below: Float64Array): Float64Array {
  const n = d.length;
  // e[i] couples i and i+1.
  const e = new Float64Array(n);
  e.set(below.subarray(1));
  for (let l = 0; l < n; l++) {
    for (let sweep = 0; ; sweep++) {
      let m = l;
      while (m < n - 1 && Math.abs(e[m]) > Number.EPSILON * (Math.abs(d[m]) + Math.abs(d[m + 1]))) {
        m++;
      }
      if (m === l) break;
      if (sweep === MAX_SWEEPS) {
        throw new NumericError(`symmetricEigenvalues: no convergence after ${MAX_SWEEPS} sweeps`);
      }
      qlSweep(d, e, l, m);
    }
  }
  return d.sort();
}

/** One implicit QL sweep on the unreduced block l .. m with Wilkinson's shift. */
function qlSweep(d: Float64Array, e: Float64Array, l: number, m: number): void {
  const half = (d[l + 1] - d[l]) / (2 * e[l]);
  const root = Math.hypot(half, 1);
  const shift = d[l] - e[l] / (half + (half < 0 ? -root : root));
  let g = d[m] - shift;
  let [s, c, p] = [1, 1, 0];
  for (let i = m - 1; i >= l; i--) {
    const f = s * e[i];
    const b = c * e[i];
    const r = Math.sqrt(f * f + g * g);
    e[i + 1] = r;
    if (r === 0) {
      // The bulge vanished: the block splits here.
      d[i + 1] -= p;
      e[m] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1] - p;
    const t = (d[i] - g) * s + 2 * c * b;
    p = s * t;
    d[i + 1] = g + p;
    g = c * t - b;
  }
  d[l] -= p;
  e[l] = g;
  e[m] = 0;
}
