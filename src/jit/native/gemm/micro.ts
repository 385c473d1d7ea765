import type { Isa } from './isa.ts';
import { vectorType } from './vector.ts';

export type Bias = 'none' | 'row' | 'column' | 'full';

/** One tile of the result: `rows` × `vectors` sums held in registers over the whole of `k`. */
export interface MicroKernel {
  readonly name: string;
  readonly rows: number;
  readonly vectors: number;
  /** Floats in the last vector of a row. */
  readonly tail: number;
  /** Constant number of products per sum, or `'k'`: an argument. */
  readonly k: number | 'k';
  /** Distances in floats, here and below: between rows and columns of op(a), rows of b. */
  readonly aRow: number;
  readonly aColumn: number;
  readonly bRow: number;
  readonly outRow: number;
  /** Distance between the vectors of a row of the result; their width, when left out. */
  readonly outVector?: number;
  /** True when rows of b are padded to whole vectors, so that they can be read in full. */
  readonly bPadded: boolean;
  readonly bias: Bias;
  readonly accumulate: boolean;
  /** The statement that adds products to a sum; of float32 numbers when left out. */
  readonly multiply?: (sum: string, x: string, b: string) => string;
}

/**
 * C of one tile. The sums are variables of their own: compilers keep those in registers, and
 * arrays of them in memory. They are added in the order of `k`.
 */
export function emitMicro(kernel: MicroKernel, isa: Isa): string {
  const { name, rows, vectors, tail, k, bias } = kernel;
  const multiply = kernel.multiply ?? ((sum, x, b) => `${sum} += ${x} * ${b};`);
  const v = vectorType(isa);
  const { width } = isa;
  const whole = (j: number) => j < vectors - 1 || tail === width;
  const load = (pointer: string, j: number, padded = false) =>
    padded || whole(j) ? `${v}_load(${pointer})` : `${v}_load_first(${pointer}, ${tail})`;
  const place = (i: number, j: number) => i * kernel.outRow + j * (kernel.outVector ?? width);
  const out = (i: number, j: number) => `out + ${place(i, j)}`;
  const each = (fn: (i: number, j: number) => string) =>
    range(rows).flatMap((i) => range(vectors).map((j) => fn(i, j)));

  const loop = [
    ...range(vectors).map((j) => `${v} b${j} = ${load(`b + ${j * width}`, j, kernel.bPadded)};`),
    ...range(rows).map((i) => {
      const sums = range(vectors).map((j) => multiply(`s${i}_${j}`, 'x', `b${j}`));
      return `{ ${v} x = ${v}_splat(a[${i * kernel.aRow}]); ${sums.join(' ')} }`;
    }),
    `a += ${kernel.aColumn}; b += ${kernel.bRow};`,
  ];
  const finish: string[] = [];
  if (bias === 'row') {
    finish.push(...range(vectors).map((j) => `${v} c${j} = ${load(`c + ${j * width}`, j)};`));
  }
  finish.push(
    ...each((i, j) => {
      const terms = [`s${i}_${j}`];
      if (bias === 'row') terms.push(`c${j}`);
      if (bias === 'column') terms.push(`${v}_splat(c[${i}])`);
      if (bias === 'full') terms.push(load(`c + ${place(i, j)}`, j));
      if (kernel.accumulate) terms.push(load(out(i, j), j));
      const value = terms.join(' + ');
      return whole(j)
        ? `${v}_store(${out(i, j)}, ${value});`
        : `${v}_store_first(${out(i, j)}, ${value}, ${tail});`;
    }),
  );
  const length = k === 'k' ? ', long k' : '';
  return `GIBBS_KERNEL void ${name}(const float *a, const float *b, const float *c, float *out${length}) {
  ${each((i, j) => `${v} s${i}_${j} = {0};`).join('\n  ')}
  for (long p = 0; p < ${k}; p++) {
    ${loop.join('\n    ')}
  }
  ${finish.join('\n  ')}
}
`;
}

export const range = (n: number) => Array.from({ length: n }, (_, i) => i);
