import { describe, expect, it } from 'vitest';
import { NumericError, ShapeError } from '../../src/core/errors.ts';
import { normal64 } from '../../src/core/random.ts';
import { symmetricEigenvalues } from '../../src/metrics/eigenvalues.ts';
import {
  gram,
  type Matrix,
  matrix,
  semidefiniteFactor,
  timesTransposed,
  transpose,
} from '../../src/metrics/linalg.ts';

const random = (rows: number, columns: number, step = 0) =>
  matrix(rows, columns, normal64({ seed: 3, stream: 'linalg-test', step }, rows * columns));

function naive(a: Matrix, b: Matrix): Matrix {
  const out = matrix(a.rows, b.columns);
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < b.columns; j++) {
      for (let k = 0; k < a.columns; k++) {
        out.data[i * b.columns + j] += a.data[i * a.columns + k] * b.data[k * b.columns + j];
      }
    }
  }
  return out;
}

function worst(a: Matrix, b: Matrix): number {
  expect([a.rows, a.columns]).toEqual([b.rows, b.columns]);
  return a.data.reduce((m, v, i) => Math.max(m, Math.abs(v - b.data[i])), 0);
}

const diagonal = (values: readonly number[]) => {
  const out = matrix(values.length, values.length);
  values.forEach((v, i) => {
    out.data[i * values.length + i] = v;
  });
  return out;
};

/** Q D Q^T with Q a product of reflections: a symmetric matrix of known eigenvalues. */
function withEigenvalues(values: readonly number[]): Matrix {
  const n = values.length;
  let s = diagonal(values);
  for (let step = 0; step < 3; step++) {
    const v = random(n, 1, 100 + step);
    const norm = v.data.reduce((sum, x) => sum + x * x, 0);
    const q = matrix(n, n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        q.data[i * n + j] = (i === j ? 1 : 0) - (2 * v.data[i] * v.data[j]) / norm;
      }
    }
    s = naive(naive(q, s), q);
  }
  return s;
}

describe('products', () => {
  it.each([
    [1, 1, 1],
    [3, 5, 7],
    [9, 300, 6],
    [4, 513, 13],
  ])('A B^T and A A^T agree with the triple loop at %i x %i, %i', (n, k, m) => {
    const a = random(n, k);
    const b = random(m, k, 1);
    expect(worst(timesTransposed(a, b), naive(a, transpose(b)))).toBeLessThan(1e-11);
    expect(worst(gram(a), naive(a, transpose(a)))).toBeLessThan(1e-11);
  });

  it('refuses operands that do not fit', () => {
    expect(() => timesTransposed(random(2, 3), random(2, 4))).toThrow(ShapeError);
    expect(() => matrix(2, 2, new Float64Array(3))).toThrow(ShapeError);
  });
});

describe('symmetricEigenvalues', () => {
  it.each([
    ['distinct', [-3, -1, 0.5, 2, 7]],
    ['repeated', [2, 2, 2, 5, 5, 5, 5]],
    ['zero among them', [0, 0, 0, 1, 4]],
    ['of very different size', [1e-8, 1e-3, 1, 1e4]],
    ['one', [-2]],
    ['of two', [1, 3]],
  ])('finds %s', (_, values) => {
    const largest = Math.max(...values.map(Math.abs));
    const found = symmetricEigenvalues(withEigenvalues(values));
    found.forEach((v, i) => {
      expect(Math.abs(v - values[i])).toBeLessThan(1e-14 * values.length * largest);
    });
  });

  it('handles diagonal, zero and empty matrices', () => {
    expect([...symmetricEigenvalues(diagonal([3, 1, 2]))]).toEqual([1, 2, 3]);
    expect([...symmetricEigenvalues(matrix(3, 3))]).toEqual([0, 0, 0]);
    expect([...symmetricEigenvalues(matrix(0, 0))]).toEqual([]);
  });

  it('finds 2 - 2 cos(k pi / (n + 1)) for the second difference', () => {
    const n = 200;
    const a = matrix(n, n);
    for (let i = 0; i < n; i++) {
      a.data[i * n + i] = 2;
      if (i > 0) a.data[i * n + i - 1] = a.data[(i - 1) * n + i] = -1;
    }
    symmetricEigenvalues(a).forEach((v, k) => {
      expect(Math.abs(v - 2 + 2 * Math.cos(((k + 1) * Math.PI) / (n + 1)))).toBeLessThan(1e-13);
    });
  });

  it('keeps trace and sum of squares of a dense matrix', () => {
    const a = random(150, 150);
    const s = matrix(
      150,
      150,
      a.data.map((v, k) => v + transpose(a).data[k]),
    );
    const values = symmetricEigenvalues(s);
    const trace = values.reduce((sum, v) => sum + v, 0);
    let expected = 0;
    for (let i = 0; i < 150; i++) expected += s.data[i * 151];
    expect(trace).toBeCloseTo(expected, 10);
    const squares = values.reduce((sum, v) => sum + v * v, 0);
    expect(squares / s.data.reduce((sum, v) => sum + v * v, 0)).toBeCloseTo(1, 12);
  });

  it('survives extreme scales', () => {
    const s = withEigenvalues([1, 2, 3]);
    for (const scale of [1e-200, 1e150]) {
      const values = symmetricEigenvalues(
        matrix(
          3,
          3,
          s.data.map((v) => v * scale),
        ),
      );
      values.forEach((v, i) => {
        expect(v / scale).toBeCloseTo(i + 1, 12);
      });
    }
  });

  it('refuses what is not square or not finite', () => {
    expect(() => symmetricEigenvalues(matrix(2, 3))).toThrow(ShapeError);
    expect(() => symmetricEigenvalues(diagonal([1, Number.NaN]))).toThrow(NumericError);
  });
});

describe('semidefiniteFactor', () => {
  it.each([
    [8, 8],
    [8, 3],
    [30, 17],
    [5, 0],
  ])('of a %i x %i matrix of rank %i reproduces it with that many rows', (n, rank) => {
    const s = gram(random(n, Math.max(rank, 1)));
    if (rank === 0) s.data.fill(0);
    const f = semidefiniteFactor(s);
    expect(f.rows).toBe(rank);
    expect(worst(gram(transpose(f)), s)).toBeLessThan(1e-13 * n * (1 + Math.max(...s.data)));
  });

  it('copes with a constant feature, a zero row and column', () => {
    const x = random(6, 40);
    x.data.fill(0, 2 * 40, 3 * 40);
    expect(semidefiniteFactor(gram(x)).rows).toBe(5);
  });
});
