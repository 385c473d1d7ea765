import { sizeOf } from '../../../core/host-tensor.ts';
import type { Node } from '../../ir/ops.ts';
import { rowStrides } from '../plan/view.ts';
import type { CallEmitter, CallRule } from './call.ts';
import { literal, MEMORY_TYPE } from './elements.ts';

/** Elements of a softmax below which waiting for another thread costs what it saves. */
const ELEMENTS_WORTH_SHARING = 1 << 13;

/** What is read where an index points outside: nothing that could pass for a result. */
const outside = (node: Node) => literal(node.dtype === 'float32' ? Number.NaN : 0, node.dtype);

/** Before an axis, along it, and after it. */
function around(shape: readonly number[], axis: number) {
  const [outer, inner] = [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis + 1))];
  return { outer, length: shape[axis], inner };
}

const gather: CallRule<'gather'> = (c, node) => {
  const { outer, length, inner } = around(c.shape(0), node.attrs.axis);
  const count = sizeOf(c.shape(1));
  return `
  for (long o = 0; o < ${outer}; o++)
  for (long k = 0; k < ${count}; k++) {
    long i = ${c.operand(1)}[k];
    if (i < 0) i += ${length};
    const int there = i >= 0 && i < ${length};
    for (long j = 0; j < ${inner}; j++)
      ${c.result()}[(o * ${count} + k) * ${inner} + j] =
        there ? ${c.operand(0)}[(o * ${length} + i) * ${inner} + j] : ${outside(node)};
  }`;
};

/** Reads row `r` of an array of indices: `at` is the place it points to, `there` whether it exists. */
function place(indices: string, depth: number, indexed: readonly number[]): string {
  const strides = rowStrides(indexed);
  const lines = Array.from({ length: depth }, (_, d) => {
    const value = `${indices}[r * ${depth} + ${d}]`;
    return `
    { long i = ${value}; if (i < 0) i += ${indexed[d]};
      there &= i >= 0 && i < ${indexed[d]}; at += i * ${strides[d]}; }`;
  });
  return `    long at = 0; int there = 1;${lines.join('')}`;
}

const gatherNd: CallRule<'gatherNd'> = (c, node) => {
  const [shape, indices] = [c.shape(0), c.shape(1)];
  const depth = indices.at(-1)!;
  const inner = sizeOf(shape.slice(depth));
  return `
  for (long r = 0; r < ${sizeOf(indices.slice(0, -1))}; r++) {
${place(c.operand(1), depth, shape)}
    for (long j = 0; j < ${inner}; j++)
      ${c.result()}[r * ${inner} + j] = there ? ${c.operand(0)}[at + j] : ${outside(node)};
  }`;
};

const scatterAddNd: CallRule<'scatterAddNd'> = (c, node) => {
  const indices = c.shape(0);
  const depth = indices.at(-1)!;
  const inner = sizeOf(node.shape.slice(depth));
  const out = c.result();
  const rows = sizeOf(indices.slice(0, -1));
  const zero = `  for (long i = 0; i < ${sizeOf(node.shape)}; i++) ${out}[i] = 0;`;
  if (rows * inner === 0) return zero;
  return `${zero}
  for (long r = 0; r < ${rows}; r++) {
${place(c.operand(0), depth, node.shape)}
    if (there) for (long j = 0; j < ${inner}; j++) ${out}[at + j] += ${c.operand(1)}[r * ${inner} + j];
  }`;
};

/** Which element along an axis is the largest, or smallest; the first of equal ones. */
const extreme = (c: CallEmitter, node: Node<'argMax' | 'argMin'>): string => {
  const { outer, length, inner } = around(c.shape(0), node.attrs.axis);
  const better = node.op === 'argMax' ? '>' : '<';
  const x = c.operand(0);
  return `
  for (long o = 0; o < ${outer}; o++)
  for (long j = 0; j < ${inner}; j++) {
    long best = 0;
    for (long i = 1; i < ${length}; i++)
      if (${x}[(o * ${length} + i) * ${inner} + j] ${better} ${x}[(o * ${length} + best) * ${inner} + j]) best = i;
    ${c.result()}[o * ${inner} + j] = (int32_t)best;
  }`;
};

const cumsum: CallRule<'cumsum'> = (c, node) => {
  const { axis, exclusive, reverse } = node.attrs;
  const { outer, length, inner } = around(node.shape, axis);
  const type = node.dtype === 'int32' ? 'uint32_t' : 'float';
  const [x, out] = [c.operand(0), c.result()];
  const add = `sum += ${x}[at];`;
  const put = `${out}[at] = sum;`;
  return `
  for (long o = 0; o < ${outer}; o++)
  for (long j = 0; j < ${inner}; j++) {
    ${type} sum = 0;
    for (long s = 0; s < ${length}; s++) {
      const long at = (o * ${length} + ${reverse ? `${length - 1} - s` : 's'}) * ${inner} + j;
      ${exclusive ? `const ${type} own = ${x}[at]; ${put} sum += own;` : `${add} ${put}`}
    }
  }`;
};

const softmax: CallRule<'softmax'> = (c, node) => {
  const length = node.shape.at(-1)!;
  const rows = sizeOf(node.shape.slice(0, -1));
  const shared = rows > 1 && rows * length >= ELEMENTS_WORTH_SHARING;
  const [bounds, from, to] = shared ? [c.share(rows), 'from', 'to'] : ['', '0', rows];
  return `
${bounds}
  for (long r = ${from}; r < ${to}; r++) {
    const float *x = ${c.operand(0)} + r * ${length};
    float *y = ${c.result()} + r * ${length};
    float top = -INFINITY, sum = 0.0f;
#pragma omp simd reduction(g_max:top)
    for (long i = 0; i < ${length}; i++) top = g_max(top, x[i]);
#pragma omp simd reduction(+:sum)
    for (long i = 0; i < ${length}; i++) { const float e = g_exp(x[i] - top); y[i] = e; sum += e; }
    const float scale = 1.0f / sum;
#pragma omp simd
    for (long i = 0; i < ${length}; i++) y[i] *= scale;
  }`;
};

/** Inserts each element among the largest so far; of equal ones the first stands first. */
const topk = (c: CallEmitter, node: Node<'topkValues' | 'topkIndices'>): string => {
  const { k } = node.attrs;
  const length = c.shape(0).at(-1)!;
  const type = MEMORY_TYPE[c.dtype(0) as 'float32'];
  const indices = node.op === 'topkIndices';
  const kept = indices ? 'x[best[s - 1]]' : 'best[s - 1]';
  return `
  for (long r = 0; r < ${sizeOf(node.shape.slice(0, -1))}; r++) {
    const ${type} *x = ${c.operand(0)} + r * ${length};
    ${MEMORY_TYPE[node.dtype]} *best = ${c.result()} + r * ${k};
    for (long i = 0; i < ${length}; i++) {
      long s = i < ${k} ? i : ${k};
      if (s == ${k} && !(x[i] > ${kept})) continue;
      if (s == ${k}) s--;
      for (; s > 0 && x[i] > ${kept}; s--) best[s] = best[s - 1];
      best[s] = ${indices ? '(int32_t)i' : 'x[i]'};
    }
  }`;
};

export const INDEXING = {
  gather,
  gatherNd,
  scatterAddNd,
  argMax: extreme as CallRule<'argMax'>,
  argMin: extreme as CallRule<'argMin'>,
  cumsum,
  softmax,
  topkValues: topk as CallRule<'topkValues'>,
  topkIndices: topk as CallRule<'topkIndices'>,
};
