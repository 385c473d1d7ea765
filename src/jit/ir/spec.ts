import type { DType } from '../../core/host-tensor.ts';
import { sameShape, sizeOf } from '../../core/host-tensor.ts';
import {
  ARITHMETIC,
  COMPARISON,
  FLOAT_UNARY,
  LOGICAL,
  type Node,
  NUMERIC_UNARY,
  type Op,
  type OpAttrs,
  REDUCTION,
} from './ops.ts';
import {
  broadcastShapes,
  convSize,
  type Dims,
  Malformed,
  matmulShape,
  need,
  needAxis,
  needFloat,
  needImages,
  needIndices,
  type Operand,
  reducedShape,
} from './shapes.ts';

export { broadcastShapes, convSize, Malformed, reducedShape };

export interface Spec<K extends Op> {
  /** Number of operands; -1 for any number above zero. */
  readonly arity: number;
  /** Result type, or a throw of `Malformed` when operands and attributes do not fit. */
  infer(inputs: readonly Operand[], attrs: OpAttrs[K]): Operand;
  /** Floating-point operations of one execution; default: one per result element. */
  flops?(inputs: readonly Operand[], result: Operand): number;
}

const unary = (dtype?: DType): Spec<never> => ({
  arity: 1,
  infer: ([x]) => {
    need(dtype === undefined ? x.dtype !== 'bool' : x.dtype === dtype, `operand is ${x.dtype}`);
    return { shape: x.shape, dtype: x.dtype };
  },
});

const toBool = (operand?: DType): Spec<never> => ({
  arity: 1,
  infer: ([x]) => {
    need(operand === undefined || x.dtype === operand, `operand is ${x.dtype}`);
    return { shape: x.shape, dtype: 'bool' };
  },
});

const binary = (result?: DType, operand?: DType): Spec<never> => ({
  arity: 2,
  infer: ([a, b]) => {
    need(a.dtype === b.dtype, `operands are ${a.dtype} and ${b.dtype}`);
    need(operand === undefined || a.dtype === operand, `operands are ${a.dtype}`);
    need(result === 'bool' || a.dtype !== 'bool', 'arithmetic on bool');
    return { shape: broadcastShapes(a.shape, b.shape), dtype: result ?? a.dtype };
  },
});

const reduction: Spec<'sum'> = {
  arity: 1,
  infer: ([x], { axes, keepDims }) => {
    need(x.dtype !== 'bool', 'reduction of bool');
    for (const a of axes) needAxis(a, x.shape);
    need(new Set(axes).size === axes.length, `axes [${axes}] repeat`);
    return { shape: reducedShape(x.shape, axes, keepDims), dtype: x.dtype };
  },
  flops: ([x]) => sizeOf(x.shape),
};

const arg: Spec<'argMax'> = {
  arity: 1,
  infer: ([x], { axis }) => {
    needAxis(axis, x.shape);
    need(x.dtype !== 'bool', 'position of a bool');
    return { shape: x.shape.filter((_, i) => i !== axis), dtype: 'int32' };
  },
  flops: ([x]) => sizeOf(x.shape),
};

const topk = (indices: boolean) => ({
  arity: 1,
  infer: ([x]: readonly Operand[], { k }: { k: number }): Operand => {
    const last = x.shape.length - 1;
    need(last >= 0 && k >= 0 && k <= x.shape[last], `k = ${k} of shape [${x.shape}]`);
    need(x.dtype !== 'bool', 'ranking of bool');
    return { shape: [...x.shape.slice(0, last), k], dtype: indices ? 'int32' : x.dtype };
  },
});

const matmulFlops = (a: Operand, transA: boolean, result: Operand) =>
  2 * sizeOf(result.shape) * (transA ? a.shape.at(-2)! : a.shape.at(-1)!);

/** Multiply-adds of a convolution, from whichever operands hold output and weight. */
const convFlops = (out: Dims, weight: Dims) => 2 * sizeOf(out) * sizeOf(weight.slice(1));

const convolution: Spec<'conv2d'> = {
  arity: 2,
  infer: ([x, w], a) => {
    needImages(x, w);
    need(w.shape[0] % a.groups === 0, `${w.shape[0]} filters in ${a.groups} groups`);
    need(
      x.shape[1] === w.shape[1] * a.groups,
      `input [${x.shape}] has not the channels of weight [${w.shape}]`,
    );
    const h = convSize(x.shape[2], w.shape[2], a, 0);
    const width = convSize(x.shape[3], w.shape[3], a, 1);
    need(h > 0 && width > 0, `kernel [${w.shape}] larger than padded input [${x.shape}]`);
    return { shape: [x.shape[0], w.shape[0], h, width], dtype: 'float32' };
  },
  flops: ([, w], r) => convFlops(r.shape, w.shape),
};

const each = <const N extends readonly Op[]>(names: N, spec: Spec<never>) =>
  Object.fromEntries(names.map((n) => [n, spec])) as unknown as { [K in N[number]]: Spec<K> };

/**
 * The one table of what each primitive takes and gives. The builder derives every shape from it
 * and the verifier checks every graph against it after every pass.
 */
export const SPEC: { readonly [K in Op]: Spec<K> } = {
  ...each(FLOAT_UNARY, unary('float32')),
  ...each(NUMERIC_UNARY, unary()),
  ...each(ARITHMETIC, binary()),
  ...each(COMPARISON, binary('bool')),
  ...each(LOGICAL, binary('bool', 'bool')),
  ...each(REDUCTION, reduction as Spec<never>),
  not: toBool('bool'),
  isNan: toBool('float32'),
  isInf: toBool('float32'),
  input: { arity: 0, infer: (_, a) => ({ shape: a.shape, dtype: a.dtype }), flops: () => 0 },
  const: {
    arity: 0,
    infer: (_, a) => {
      need(a.data.length === sizeOf(a.shape), `${a.data.length} values for [${a.shape}]`);
      return { shape: a.shape, dtype: a.dtype };
    },
    flops: () => 0,
  },
  splat: { arity: 0, infer: (_, a) => ({ shape: a.shape, dtype: a.dtype }), flops: () => 0 },
  select: {
    arity: 3,
    infer: ([c, a, b]) => {
      need(c.dtype === 'bool', `condition is ${c.dtype}`);
      need(a.dtype === b.dtype, `branches are ${a.dtype} and ${b.dtype}`);
      const shape = broadcastShapes(c.shape, broadcastShapes(a.shape, b.shape));
      return { shape, dtype: a.dtype };
    },
  },
  cast: { arity: 1, infer: ([x], { dtype }) => ({ shape: x.shape, dtype }) },
  matmul: {
    arity: 2,
    infer: ([a, b], { transA, transB }) => {
      need(a.dtype === 'float32' && b.dtype === 'float32', `matmul of ${a.dtype}, ${b.dtype}`);
      return { shape: matmulShape(a.shape, b.shape, transA, transB), dtype: 'float32' };
    },
  },
  gemm: {
    arity: 3,
    infer: ([a, b, c], { transA, transB }) => {
      need(a.shape.length === 2 && b.shape.length === 2, 'gemm takes matrices');
      needFloat(a, b, c);
      const shape = matmulShape(a.shape, b.shape, transA, transB);
      need(
        sameShape(broadcastShapes(shape, c.shape), shape),
        `addend [${c.shape}] does not broadcast to [${shape}]`,
      );
      return { shape, dtype: 'float32' };
    },
  },
  conv2d: convolution,
  conv2dBias: {
    arity: 3,
    infer: ([x, w, b], a) => {
      needFloat(b);
      need(sameShape(b.shape, [w.shape[0]]), `bias [${b.shape}] of ${w.shape[0]} filters`);
      return convolution.infer([x, w], a);
    },
    flops: convolution.flops,
  },
  conv2dInputGrad: {
    arity: 2,
    infer: ([dy, w], a) => {
      const [h, width] = a.inputSize;
      needImages(dy, w);
      need(dy.shape[1] === w.shape[0], `dy [${dy.shape}] against weight [${w.shape}]`);
      need(
        convSize(h, w.shape[2], a, 0) === dy.shape[2] &&
          convSize(width, w.shape[3], a, 1) === dy.shape[3],
        `dy [${dy.shape}] does not come from an input of ${h}×${width}`,
      );
      return { shape: [dy.shape[0], w.shape[1] * a.groups, h, width], dtype: 'float32' };
    },
    flops: ([dy, w]) => convFlops(dy.shape, w.shape),
  },
  conv2dWeightGrad: {
    arity: 2,
    infer: ([x, dy], a) => {
      const [kh, kw] = a.kernel;
      needImages(x, dy);
      need(
        x.shape[1] % a.groups === 0 && dy.shape[1] % a.groups === 0,
        `channels of [${x.shape}] and [${dy.shape}] in ${a.groups} groups`,
      );
      need(x.shape[0] === dy.shape[0], `x [${x.shape}] against dy [${dy.shape}]`);
      need(
        convSize(x.shape[2], kh, a, 0) === dy.shape[2] &&
          convSize(x.shape[3], kw, a, 1) === dy.shape[3],
        `dy [${dy.shape}] does not come from x [${x.shape}]`,
      );
      return { shape: [dy.shape[1], x.shape[1] / a.groups, kh, kw], dtype: 'float32' };
    },
    flops: ([, dy], r) => convFlops(dy.shape, r.shape),
  },
  reshape: {
    arity: 1,
    infer: ([x], { shape }) => {
      need(sizeOf(x.shape) === sizeOf(shape), `[${x.shape}] to [${shape}]`);
      return { shape, dtype: x.dtype };
    },
    flops: () => 0,
  },
  transpose: {
    arity: 1,
    infer: ([x], { perm }) => {
      need(
        perm.length === x.shape.length && [...perm].sort((a, b) => a - b).every((p, i) => p === i),
        `permutation [${perm}] of [${x.shape}]`,
      );
      return { shape: perm.map((p) => x.shape[p]), dtype: x.dtype };
    },
    flops: () => 0,
  },
  broadcast: {
    arity: 1,
    infer: ([x], { shape }) => {
      need(sameShape(broadcastShapes(x.shape, shape), shape), `[${x.shape}] to [${shape}]`);
      return { shape, dtype: x.dtype };
    },
    flops: () => 0,
  },
  slice: {
    arity: 1,
    infer: ([x], { begin, size, strides }) => {
      need(begin.length === x.shape.length, `slice of rank ${begin.length} of [${x.shape}]`);
      for (let i = 0; i < begin.length; i++) {
        const last = begin[i] + (size[i] - 1) * strides[i];
        need(
          size[i] === 0 ||
            (begin[i] >= 0 && begin[i] < x.shape[i] && last >= 0 && last < x.shape[i]),
          `slice [${begin}] + [${size}]·[${strides}] leaves [${x.shape}]`,
        );
      }
      return { shape: size, dtype: x.dtype };
    },
    flops: () => 0,
  },
  pad: {
    arity: 1,
    infer: ([x], { before, after }) => {
      need(
        before.length === x.shape.length && after.length === x.shape.length,
        `pads [${before}] and [${after}] of [${x.shape}]`,
      );
      need(
        [...before, ...after].every((p) => p >= 0),
        `pads [${before}] and [${after}]`,
      );
      return { shape: x.shape.map((d, i) => d + before[i] + after[i]), dtype: x.dtype };
    },
    flops: () => 0,
  },
  concat: {
    arity: -1,
    infer: (xs, { axis }) => {
      needAxis(axis, xs[0].shape);
      const shape = [...xs[0].shape];
      shape[axis] = 0;
      for (const x of xs) {
        need(
          x.dtype === xs[0].dtype &&
            x.shape.length === shape.length &&
            x.shape.every((d, i) => i === axis || d === shape[i]),
          `concat of [${xs[0].shape}] and [${x.shape}] along ${axis}`,
        );
        shape[axis] += x.shape[axis];
      }
      return { shape, dtype: xs[0].dtype };
    },
    flops: () => 0,
  },
  ...each(['argMax', 'argMin'], arg as Spec<never>),
  gather: {
    arity: 2,
    infer: ([x, i], { axis }) => {
      needAxis(axis, x.shape);
      need(i.dtype === 'int32', `indices are ${i.dtype}`);
      return {
        shape: [...x.shape.slice(0, axis), ...i.shape, ...x.shape.slice(axis + 1)],
        dtype: x.dtype,
      };
    },
    flops: () => 0,
  },
  gatherNd: {
    arity: 2,
    infer: ([x, i]) => {
      needIndices(i, x.shape);
      return { shape: [...i.shape.slice(0, -1), ...x.shape.slice(i.shape.at(-1))], dtype: x.dtype };
    },
    flops: () => 0,
  },
  scatterAddNd: {
    arity: 2,
    infer: ([i, u], { shape }) => {
      needIndices(i, shape);
      const expected = [...i.shape.slice(0, -1), ...shape.slice(i.shape.at(-1))];
      need(sameShape(u.shape, expected), `updates [${u.shape}], expected [${expected}]`);
      return { shape, dtype: u.dtype };
    },
  },
  cumsum: {
    arity: 1,
    infer: ([x], { axis }) => {
      needAxis(axis, x.shape);
      need(x.dtype !== 'bool', 'sum of bool');
      return { shape: x.shape, dtype: x.dtype };
    },
  },
  after: {
    arity: 2,
    infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
    flops: () => 0,
  },
  rankMean: {
    arity: 1,
    infer: ([x]) => {
      needFloat(x);
      return { shape: x.shape, dtype: 'float32' };
    },
    flops: () => 0,
  },
  softmax: {
    arity: 1,
    infer: ([x]) => {
      needAxis(x.shape.length - 1, x.shape);
      needFloat(x);
      return { shape: x.shape, dtype: 'float32' };
    },
    flops: (_, r) => 5 * sizeOf(r.shape),
  },
  topkValues: topk(false),
  topkIndices: topk(true),
};

/** Floating-point operations of one execution of `node`, counting a multiply-add as two. */
export function flopsOf(node: Node, operands: readonly Operand[]): number {
  if (node.op === 'matmul' || node.op === 'gemm') {
    return matmulFlops(operands[0], node.attrs.transA, node);
  }
  return SPEC[node.op].flops?.(operands, node) ?? sizeOf(node.shape);
}
