import { BF16_PREAMBLE, multiplyPairs, needsBf16, toPairs } from './bf16.ts';
import { emitDot } from './dot.ts';
import { detectIsa, type Isa } from './isa.ts';
import type { Bias } from './micro.ts';
import { type Emitted, type Product, signature, tiled } from './tiled.ts';
import { vectorPreamble } from './vector.ts';

/** A product of matrices whose sizes are known when it is compiled; everything is row-major. */
export interface GemmCall {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** a is [k, m] instead of [m, k]. */
  readonly transA: boolean;
  /** b is [n, k] instead of [k, n]. */
  readonly transB: boolean;
  /** Products one after another; a, b, the result and a full bias advance from one to the next. */
  readonly batch: number;
  /** Adds to what is in the result. */
  readonly accumulate: boolean;
  /** What is added: nothing, [n] to every row, [m] to every column, or [m, n] (of each product). */
  readonly bias: Bias;
  /**
   * `bf16`: operands are rounded to bfloat16 (8 bits of mantissa) and their products added in
   * float32; where `supportsBf16` says so. Default: `float32`.
   */
  readonly precision?: 'float32' | 'bf16';
}

/** A C function `static void NAME(const float *a, const float *b, const float *c, float *out, float *scratch)`. */
export interface GeneratedKernel {
  readonly name: string;
  /** Its definition, with what it needs; complete and safe to put beside other kernels. */
  readonly source: string;
  /** Floats that `scratch` must have, of each thread; 0: it may be NULL. */
  readonly scratch: number;
  /**
   * Whether it is worth sharing: `NAME_part`, with `long me, long all` as further arguments, computes
   * the share of thread `me` of `all`, which meets those of the others nowhere. The sums of an
   * element are the same however many there are.
   */
  readonly divisible: boolean;
}

/** A product with fewer is done before another thread has heard of it. */
export const FLOPS_WORTH_SHARING = 1_000_000;
/** Columns up to which vectors along k beat half-empty ones along the columns. */
const FEW_COLUMNS = 4;

/**
 * A kernel for one product. Two calls with equal sizes have the same name and source. Sums run in
 * a fixed order; `c` is not read without a bias and `out` not without `accumulate`; the result must
 * not overlap an operand, but may be the full bias itself.
 */
export function gemmKernel(call: GemmCall, isa: Isa = detectIsa()): GeneratedKernel {
  const name = nameOf(call, isa);
  const { source, scratch, pieces } = oneProduct(`${name}_one`, normalise(call), isa);
  const preamble = vectorPreamble(isa) + (call.precision === 'bf16' ? BF16_PREAMBLE : '');
  const { m, n, k, batch, bias } = call;
  const cStep = bias === 'full' ? m * n : 0;
  const body =
    batch === 1
      ? `${name}_one(a, b, c, out, scratch, me, all);`
      : `for (long i = 0; i < ${batch}; i++) ${name}_one(a + i * ${m * k}, b + i * ${k * n}, c + i * ${cStep}, out + i * ${m * n}, scratch, me, all);`;
  return {
    name,
    scratch,
    divisible: pieces > 1 && 2 * batch * m * n * k >= FLOPS_WORTH_SHARING,
    source: once(name, `${preamble}${source}${parted(name, 'a, b, c, out', body)}`),
  };
}

/** C of `NAME_part` with the given body, and of `NAME`, which is all of it. */
export function parted(name: string, operands: string, body: string): string {
  const [a, b, c, out] = operands.split(', ');
  const list = `const float *${a}, const float *${b}, const float *${c}, float *${out}, float *scratch`;
  return `static void ${name}_part(${list}, long me, long all) {
  ${body}
}
static void ${name}(${list}) { ${name}_part(${operands}, scratch, 0, 1); }
`;
}

/** The source of a kernel, so that it may come twice: alone and with another kernel that uses it. */
export const once = (name: string, source: string) =>
  `#ifndef DEFINED_${name}\n#define DEFINED_${name}\n${source}#endif\n`;

function nameOf(call: GemmCall, isa: Isa): string {
  const { m, n, k, transA, transB, batch, accumulate, bias } = call;
  const form = `${transA ? 't' : 'n'}${transB ? 't' : 'n'}`;
  const kind = call.precision === 'bf16' ? 'bf16' : isa.name;
  const tags = `${bias === 'none' ? '' : `_${bias}`}${accumulate ? '_acc' : ''}`;
  return `gemm_${kind}_${form}_${m}x${n}x${k}${batch === 1 ? '' : `_b${batch}`}${tags}`;
}

/** A vector is its own transpose, and a column times a matrix is a row times its transpose. */
function normalise({ batch: _, ...call }: GemmCall): Product {
  const { m, n, k } = call;
  const transA = call.transA && m > 1 && k > 1;
  const transB = n === 1 ? true : call.transB && k > 1;
  const swap = (n === 1 && transA) || (m === 1 && n > 1 && transB && k >= 64);
  if (!swap) return { ...call, transA, transB, swapped: false };
  const bias = { none: 'none', row: 'column', column: 'row', full: 'full' } as const;
  return {
    ...call,
    m: n,
    n: m,
    transA: false,
    transB: m === 1,
    bias: bias[call.bias],
    swapped: true,
  };
}

function oneProduct(name: string, product: Product, isa: Isa): Emitted {
  const { n, transA, swapped } = product;
  const few = n <= FEW_COLUMNS && !transA && product.k >= 2 * isa.width;
  const emit = product.precision === 'bf16' ? paired : few ? fewColumns : tiled;
  const { source, scratch, pieces } = emit(name, product, isa);
  const [first, second] = swapped ? ['b', 'a'] : ['a', 'b'];
  return {
    scratch,
    pieces,
    source: `${source}static void ${name}(const float *${first}, const float *${second}, const float *c, float *out, float *scratch, long me, long all) {
  ${name}_body(a, b, c, out, scratch, me, all);
}
`,
  };
}

function fewColumns(name: string, product: Product, isa: Isa) {
  const { n, k, transB } = product;
  const dot = emitDot({ ...product, name: `${name}_dot` }, isa);
  const turn = `for (long p = 0; p < ${k}; p++)
    for (long j = 0; j < ${n}; j++) scratch[j * ${k} + p] = b[p * ${n} + j];
  `;
  return {
    scratch: transB ? 0 : n * k,
    pieces: dot.pieces,
    source: `${dot.source}${signature(name)} {
  ${transB ? '' : turn}${name}_dot(a, ${transB ? 'b' : 'scratch'}, c, out, me, all);
}
`,
  };
}

/** Rounds both operands to pairs of bfloat16 numbers, each pair in the place of one float. */
function paired(name: string, product: Product, isa: Isa) {
  needsBf16('gemmKernel', isa);
  const { m, n, k, transA, transB } = product;
  const pairs = Math.ceil(k / 2);
  const inner = tiled(`${name}_pairs`, { ...product, k: pairs }, isa, multiplyPairs);
  const whole = (floats: number) => Math.ceil(floats / isa.width) * isa.width;
  const [atB, rest] = [whole(m * pairs), whole(m * pairs) + whole(n * pairs)];
  const [a, b] = [
    toPairs('a', 'scratch', { k, other: m, alongRows: !transA }),
    toPairs('b', `scratch + ${atB}`, { k, other: n, alongRows: transB }),
  ];
  // Threads would have to wait for the rounded operands.
  return {
    scratch: rest + inner.scratch,
    pieces: 1,
    source: `${inner.source}${signature(name)} {
  if (me > 0) return;
  ${a}
  ${b}
  ${name}_pairs_body(scratch, scratch + ${atB}, c, out, scratch + ${rest}, 0, 1);
}
`,
  };
}
