import { ConfigError } from '../../../core/errors.ts';
import { BF16_PREAMBLE, multiplyPairs, supportsBf16, toPairs } from './bf16.ts';
import { emitDot } from './dot.ts';
import { detectIsa, type Isa } from './isa.ts';
import { type Bias, emitMicro, type MicroKernel } from './micro.ts';
import { type Packing, pack } from './pack.ts';
import { cutColumns, cutEvenly } from './tiles.ts';
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
  /** Floats that `scratch` must have; 0: it may be NULL. */
  readonly scratch: number;
}

/** Products per sum before it is put down: longer ones would leave the cache. */
const LONGEST_SUM = 1024;
/** Rows of b that are read where they lie while all of them fit the second cache level. */
const READ_IN_PLACE = 192 * 1024;
/** With fewer rows, copying b costs more than it saves. */
const ROWS_WORTH_PACKING = 32;
/** Columns up to which vectors along k beat half-empty ones along the columns. */
const FEW_COLUMNS = 4;

/**
 * A kernel for one product. Two calls with equal sizes have the same name and source. Sums run in
 * a fixed order; `c` is not read without a bias and `out` not without `accumulate`; the result must
 * not overlap an operand, but may be the full bias itself.
 */
export function gemmKernel(call: GemmCall, isa: Isa = detectIsa()): GeneratedKernel {
  const name = nameOf(call, isa);
  const { source, scratch } = oneProduct(`${name}_one`, normalise(call), isa);
  const preamble = vectorPreamble(isa) + (call.precision === 'bf16' ? BF16_PREAMBLE : '');
  const { m, n, k, batch, bias } = call;
  const cStep = bias === 'full' ? m * n : 0;
  const body =
    batch === 1
      ? `${name}_one(a, b, c, out, scratch);`
      : `for (long i = 0; i < ${batch}; i++) ${name}_one(a + i * ${m * k}, b + i * ${k * n}, c + i * ${cStep}, out + i * ${m * n}, scratch);`;
  return {
    name,
    scratch,
    source: once(
      name,
      `${preamble}${source}static void ${name}(const float *a, const float *b, const float *c, float *out, float *scratch) {
  ${body}
}
`,
    ),
  };
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

type Product = Omit<GemmCall, 'batch'> & {
  /** Exchange a and b in the call. */
  readonly swapped: boolean;
};

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

function oneProduct(
  name: string,
  product: Product,
  isa: Isa,
): { readonly source: string; readonly scratch: number } {
  const { n, transA, swapped } = product;
  const few = n <= FEW_COLUMNS && !transA && product.k >= 2 * isa.width;
  const emit = product.precision === 'bf16' ? paired : few ? fewColumns : tiled;
  const { source, scratch } = emit(name, product, isa);
  const [first, second] = swapped ? ['b', 'a'] : ['a', 'b'];
  return {
    scratch,
    source: `${source}static void ${name}(const float *${first}, const float *${second}, const float *c, float *out, float *scratch) {
  ${name}_body(a, b, c, out, scratch);
}
`,
  };
}

const signature = (name: string) =>
  `static void ${name}_body(const float *a, const float *b, const float *c, float *out, float *scratch)`;

function fewColumns(name: string, product: Product, isa: Isa) {
  const { n, k, transB } = product;
  const dot = emitDot({ ...product, name: `${name}_dot` }, isa);
  const turn = `for (long p = 0; p < ${k}; p++)
    for (long j = 0; j < ${n}; j++) scratch[j * ${k} + p] = b[p * ${n} + j];
  `;
  return {
    scratch: transB ? 0 : n * k,
    source: `${dot}${signature(name)} {
  ${transB ? '' : turn}${name}_dot(a, ${transB ? 'b' : 'scratch'}, c, out);
}
`,
  };
}

/** Rounds both operands to pairs of bfloat16 numbers, each pair in the place of one float. */
function paired(name: string, product: Product, isa: Isa) {
  if (isa.name !== 'avx512' || !supportsBf16()) {
    throw new ConfigError(
      "gemmKernel: precision 'bf16' needs a processor with AVX512-BF16; use 'float32'",
    );
  }
  const { m, n, k, transA, transB } = product;
  const pairs = Math.ceil(k / 2);
  const inner = tiled(`${name}_pairs`, { ...product, k: pairs }, isa, multiplyPairs);
  const whole = (floats: number) => Math.ceil(floats / isa.width) * isa.width;
  const [atB, rest] = [whole(m * pairs), whole(m * pairs) + whole(n * pairs)];
  const [a, b] = [
    toPairs('a', 'scratch', { k, other: m, alongRows: !transA }),
    toPairs('b', `scratch + ${atB}`, { k, other: n, alongRows: transB }),
  ];
  return {
    scratch: rest + inner.scratch,
    source: `${inner.source}${signature(name)} {
  ${a}
  ${b}
  ${name}_pairs_body(scratch, scratch + ${atB}, c, out, scratch + ${rest});
}
`,
  };
}

function tiled(name: string, product: Product, isa: Isa, multiply?: MicroKernel['multiply']) {
  const { m, n, k, transA, transB } = product;
  const { width } = isa;
  const packing: Packing = transB
    ? 'transpose'
    : Math.min(k, LONGEST_SUM) * n > READ_IN_PLACE && m >= ROWS_WORTH_PACKING
      ? 'copy'
      : 'none';
  const blocks = cutEvenly(k, LONGEST_SUM);
  const split = blocks.length > 1 || blocks[0].count > 1;
  const panels = cutColumns(n, isa, m);
  const parts: string[] = [];
  const body: string[] = [];
  // Sums that are put down in between begin with what is added and go on from the result.
  if (split) body.push(...begin(product));
  const [bias, accumulate] = split
    ? (['none', true] as const)
    : ([product.bias, product.accumulate] as const);
  const cStep = { none: [0, 0], row: [0, 1], column: [1, 0], full: [n, 1] }[bias];

  for (const block of blocks) {
    const inner: string[] = [];
    for (const panel of panels) {
      inner.push(
        `for (long q = 0; q < ${panel.count}; q++) {`,
        `  const long j = ${panel.start} + q * ${panel.vectors * width};`,
        ...pack(packing, panel, block.size, product, isa).map((line) => `  ${line}`),
      );
      const [aRow, aColumn] = transA ? [1, m] : [k, 1];
      for (const { start, size, count } of cutEvenly(m, isa.rows[panel.vectors - 1])) {
        const kernel: MicroKernel = {
          name: `${name}_${size}x${panel.vectors}_${panel.tail}`,
          rows: size,
          vectors: panel.vectors,
          tail: panel.tail,
          k: split ? 'k' : k,
          aRow,
          aColumn,
          bRow: packing === 'none' ? n : panel.vectors * width,
          outRow: n,
          bPadded: packing !== 'none',
          bias,
          accumulate,
          multiply,
        };
        const source = emitMicro(kernel, isa);
        if (!parts.includes(source)) parts.push(source);
        const a = `a + i * ${aRow} + p * ${aColumn}`;
        const b = packing === 'none' ? `b + p * ${n} + j` : 'scratch';
        const length = split ? `, ${block.size}` : '';
        inner.push(
          `  for (long i = ${start}; i < ${start + size * count}; i += ${size})`,
          `    ${kernel.name}(${a}, ${b}, c + i * ${cStep[0]} + j * ${cStep[1]}, out + i * ${n} + j${length});`,
        );
      }
      inner.push('}');
    }
    body.push(
      `for (long p = ${block.start}; p < ${block.start + block.size * block.count}; p += ${block.size}) {`,
      ...inner.map((line) => `  ${line}`),
      '}',
    );
  }
  const widest = Math.max(...panels.map((panel) => panel.vectors)) * width;
  const deepest = Math.max(...blocks.map((block) => block.size));
  return {
    scratch: packing === 'none' ? 0 : widest * deepest,
    source: `${parts.join('')}${signature(name)} {
  ${body.join('\n  ')}
}
`,
  };
}

function begin({ m, n, bias, accumulate }: Product): string[] {
  if (accumulate && bias === 'none') return [];
  const value = { none: '0', row: 'c[j]', column: 'c[i]', full: `c[i * ${n} + j]` }[bias];
  return [
    `for (long i = 0; i < ${m}; i++)`,
    `  for (long j = 0; j < ${n}; j++) out[i * ${n} + j] ${accumulate ? '+=' : '='} ${value};`,
  ];
}
