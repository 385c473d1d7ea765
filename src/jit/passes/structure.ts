import { sameShape, sizeOf } from '../../core/host-tensor.ts';
import type { OpAttrs } from '../ir/ops.ts';
import { reducedShape } from '../ir/spec.ts';
import type { RewriteRule, RewriteRules, Rewriter } from './rewriter.ts';

const NONE = {};
type Dims = readonly number[];

const reshape: RewriteRule<'reshape'> = (r, [x], { shape }) => {
  if (sameShape(r.shape(x), shape)) return x;
  const value = r.uniform(x);
  if (value !== undefined) return r.splat(value, shape, r.dtype(x));
  const inner = r.match(x, 'reshape');
  if (inner !== undefined) return r.emit('reshape', inner.inputs, { shape });
  const minus = r.match(x, 'neg');
  if (minus !== undefined) return r.emit('neg', [r.emit('reshape', minus.inputs, { shape })], NONE);
  const spread = r.match(x, 'broadcast');
  if (spread !== undefined && sizeOf(spread.shape) === sizeOf(r.shape(spread.inputs[0]))) {
    return r.emit('reshape', spread.inputs, { shape });
  }
  return undefined;
};

const transpose: RewriteRule<'transpose'> = (r, [x], { perm }) => {
  if (perm.every((p, i) => p === i)) return x;
  const shape = r.shape(x);
  const value = r.uniform(x);
  const permuted = perm.map((p) => shape[p]);
  if (value !== undefined) return r.splat(value, permuted, r.dtype(x));
  const inner = r.match(x, 'transpose');
  if (inner !== undefined) {
    return r.emit('transpose', inner.inputs, { perm: perm.map((p) => inner.attrs.perm[p]) });
  }
  const long = perm.filter((p) => shape[p] !== 1);
  const keepsOrder = long.every((p, i) => i === 0 || p > long[i - 1]);
  if (keepsOrder) return r.emit('reshape', [x], { shape: permuted });
  const minus = r.match(x, 'neg');
  if (minus !== undefined) {
    return r.emit('neg', [r.emit('transpose', minus.inputs, { perm })], NONE);
  }
  return undefined;
};

const broadcast: RewriteRule<'broadcast'> = (r, [x], { shape }) => {
  if (sameShape(r.shape(x), shape)) return x;
  const value = r.uniform(x);
  if (value !== undefined) return r.splat(value, shape, r.dtype(x));
  const inner = r.match(x, 'broadcast');
  if (inner !== undefined) return r.emit('broadcast', inner.inputs, { shape });
  if (sizeOf(r.shape(x)) === sizeOf(shape)) return r.emit('reshape', [x], { shape });
  return undefined;
};

/** A sum over repeated values is a product with how often they are repeated. */
function sumOfBroadcast(r: Rewriter, x: number, attrs: OpAttrs['sum']): number | undefined {
  const spread = r.match(x, 'broadcast');
  if (spread === undefined) return undefined;
  const full = spread.shape;
  const source = r.shape(spread.inputs[0]);
  const aligned = [...new Array(full.length - source.length).fill(1), ...source];
  const repeated = attrs.axes.filter((a) => aligned[a] === 1 && full[a] > 1);
  if (repeated.length === 0) return undefined;
  const count = sizeOf(repeated.map((a) => full[a]));
  const rest = full.map((d, i) => (repeated.includes(i) ? 1 : d));
  const lean = r.emit('broadcast', [r.emit('reshape', spread.inputs, { shape: aligned })], {
    shape: rest,
  });
  const total = r.emit('sum', [lean], attrs);
  return r.emit('mul', [total, r.splat(count, [], r.dtype(x))], NONE);
}

const sum: RewriteRule<'sum'> = (r, [x], attrs) => {
  const { axes, keepDims } = attrs;
  const shape = r.shape(x);
  const result = reducedShape(shape, axes, keepDims);
  if (axes.every((a) => shape[a] === 1)) return r.emit('reshape', [x], { shape: result });
  const value = r.uniform(x);
  if (value !== undefined) {
    return r.splat(value * sizeOf(axes.map((a) => shape[a])), result, r.dtype(x));
  }
  const minus = r.match(x, 'neg');
  if (minus !== undefined) return r.emit('neg', [r.emit('sum', minus.inputs, attrs)], NONE);
  const product = r.match(x, 'mul');
  if (product !== undefined) {
    for (const [i, j] of [
      [0, 1],
      [1, 0],
    ]) {
      if (r.uniform(product.inputs[i]) === undefined) continue;
      const total = r.emit('sum', [product.inputs[j]], attrs);
      return r.emit('mul', [total, product.inputs[i]], NONE);
    }
  }
  return sumOfBroadcast(r, x, attrs);
};

const slice: RewriteRule<'slice'> = (r, [x], attrs) => {
  const { begin, size, strides } = attrs;
  const shape = r.shape(x);
  if (sameShape(size, shape) && strides.every((s) => s === 1)) return x;
  const value = r.uniform(x);
  if (value !== undefined) return r.splat(value, size, r.dtype(x));
  const inner = r.match(x, 'slice');
  if (inner !== undefined) {
    return r.emit('slice', inner.inputs, {
      begin: begin.map((at, i) => inner.attrs.begin[i] + at * inner.attrs.strides[i]),
      size,
      strides: strides.map((s, i) => s * inner.attrs.strides[i]),
    });
  }
  return sliceOfConcat(r, x, attrs);
};

/** A slice that lies within one part of a concatenation needs that part only. */
function sliceOfConcat(r: Rewriter, x: number, { begin, size, strides }: OpAttrs['slice']) {
  const joined = r.match(x, 'concat');
  if (joined === undefined) return undefined;
  const { axis } = joined.attrs;
  let offset = 0;
  for (const part of joined.inputs) {
    const length = r.shape(part)[axis];
    const first = begin[axis] - offset;
    const last = first + (size[axis] - 1) * strides[axis];
    if (first >= 0 && first < length && last >= 0 && last < length) {
      return r.emit('slice', [part], {
        begin: begin.map((b, i) => (i === axis ? first : b)),
        size,
        strides,
      });
    }
    offset += length;
  }
  return undefined;
}

const pad: RewriteRule<'pad'> = (r, [x], { before, after, value }) => {
  if (before.every((p) => p === 0) && after.every((p) => p === 0)) return x;
  if (r.uniform(x) !== value && sizeOf(r.shape(x)) > 0) return undefined;
  const shape = r.shape(x).map((d, i) => d + before[i] + after[i]);
  return r.splat(value, shape, r.dtype(x));
};

const concat: RewriteRule<'concat'> = (r, inputs, { axis }) => {
  const parts = inputs.filter((id) => r.shape(id)[axis] > 0);
  if (parts.length === 0) return inputs[0];
  if (parts.length === 1) return parts[0];
  const value = r.uniform(parts[0]);
  if (value !== undefined && parts.every((p) => r.uniform(p) === value)) {
    const shape = r.shape(parts[0]);
    const total = parts.reduce((n, p) => n + r.shape(p)[axis], 0);
    return r.splat(value, withAxis(shape, axis, total), r.dtype(parts[0]));
  }
  return undefined;
};

const withAxis = (shape: Dims, axis: number, d: number) =>
  shape.map((v, i) => (i === axis ? d : v));

/** A transpose of the last two axes is a flag of the product. */
function absorbTranspose(r: Rewriter, id: number): number | undefined {
  const t = r.match(id, 'transpose');
  if (t === undefined) return undefined;
  const { perm } = t.attrs;
  const n = perm.length;
  const swapsLast = perm[n - 1] === n - 2 && perm[n - 2] === n - 1;
  return swapsLast && perm.slice(0, -2).every((p, i) => p === i) ? t.inputs[0] : undefined;
}

const matmul: RewriteRule<'matmul'> = (r, [a, b], attrs) => {
  const plainA = absorbTranspose(r, a);
  if (plainA !== undefined)
    return r.emit('matmul', [plainA, b], { ...attrs, transA: !attrs.transA });
  const plainB = absorbTranspose(r, b);
  if (plainB !== undefined)
    return r.emit('matmul', [a, plainB], { ...attrs, transB: !attrs.transB });
  for (const [i, id] of [a, b].entries()) {
    const minus = r.match(id, 'neg')?.inputs[0];
    if (minus === undefined) continue;
    const operands = i === 0 ? [minus, b] : [a, minus];
    return r.emit('neg', [r.emit('matmul', operands, attrs)], NONE);
  }
  const depth = r.shape(a).at(attrs.transA ? -2 : -1);
  if (depth === 1 && r.shape(a).length === 2 && r.shape(b).length === 2) {
    // An outer product: broadcasting does it without packing.
    const column = r.emit('reshape', [a], { shape: [sizeOf(r.shape(a)), 1] });
    const row = r.emit('reshape', [b], { shape: [1, sizeOf(r.shape(b))] });
    return r.emit('mul', [column, row], NONE);
  }
  if (r.uniform(a) === 0 || r.uniform(b) === 0) {
    const m = r.shape(a).at(attrs.transA ? -1 : -2)!;
    const n = r.shape(b).at(attrs.transB ? -2 : -1)!;
    if (r.shape(a).length === 2 && r.shape(b).length === 2) return r.splat(0, [m, n], 'float32');
  }
  return undefined;
};

export const STRUCTURE: RewriteRules = {
  reshape,
  transpose,
  broadcast,
  sum,
  slice,
  pad,
  concat,
  matmul,
};
