import { sizeOf } from '../../core/host-tensor.ts';
import type { Node, Reduction } from '../ir/ops.ts';
import type { Emitter } from './emitter.ts';
import type { LoweringRules } from './lower.ts';
import { splitPiece } from './split.ts';

const reduce = (type: string) => (e: Emitter, node: Node<Reduction>) => {
  const x = e.operand(node, 0);
  const { axes, keepDims } = node.attrs;
  // No axes means "all" to ONNX and "none" here.
  if (axes.length === 0) return x;
  return e.op(type, [x, e.ints(axes)], { keepdims: keepDims ? 1 : 0 });
};

const arg = (type: string) => (e: Emitter, node: Node<'argMax' | 'argMin'>) => {
  const found = e.op(type, [e.operand(node, 0)], { axis: node.attrs.axis, keepdims: 0 });
  return e.op('Cast', [found], { to: 6 });
};

function topk(e: Emitter, node: Node<'topkValues' | 'topkIndices'>): string[] {
  return e.multi('TopK', [e.operand(node, 0), e.ints([node.attrs.k])], 2);
}

/**
 * A product of matrices. ONNX Runtime packs a transposed left operand slowly: for large products
 * (weight gradients) a Transpose before a plain one is a sixth faster in all.
 */
function gemm(e: Emitter, node: Node<'matmul' | 'gemm'>, operands: readonly string[]): string {
  const { transA, transB } = node.attrs;
  const [m, n] = node.shape;
  const k = e.shapeOf(node, 0)[transA ? 0 : 1];
  if (transA && m * n * k >= 2 ** 21) {
    const [a, ...rest] = operands;
    const turned = e.transposed(a);
    return e.op('Gemm', [turned, ...rest], { transA: 0, transB: transB ? 1 : 0 });
  }
  return e.op('Gemm', operands, { transA: transA ? 1 : 0, transB: transB ? 1 : 0 });
}

/** The operands of a batched product with the last two axes of those turned that are to be. */
function turnedOperands(e: Emitter, node: Node<'matmul'>, operands: readonly string[]): string[] {
  const { transA, transB } = node.attrs;
  return operands.map((name, i) => {
    if (!(i === 0 ? transA : transB)) return name;
    const axes = e.shapeOf(node, i).map((_, axis) => axis);
    const perm = [...axes.slice(0, -2), axes[axes.length - 1], axes[axes.length - 2]];
    return e.op('Transpose', [name], { perm });
  });
}

const ZERO = BigInt64Array.of(0n);

/** Beyond any axis length: "to the very start" for a slice that runs backwards. */
const BEFORE_START = -(2 ** 31);

export const STRUCTURE_LOWERING: LoweringRules<
  | Reduction
  | 'input'
  | 'const'
  | 'splat'
  | 'matmul'
  | 'gemm'
  | 'reshape'
  | 'transpose'
  | 'broadcast'
  | 'slice'
  | 'pad'
  | 'concat'
  | 'argMax'
  | 'argMin'
  | 'gather'
  | 'gatherNd'
  | 'scatterAddNd'
  | 'cumsum'
  | 'topkValues'
  | 'topkIndices'
  | 'after'
  | 'rankMean'
> = {
  input: (_, node) => `in${node.attrs.index}`,
  const: (e, node) => e.literal(node.dtype, node.shape, node.attrs.data),
  splat: (e, node) => {
    const { value, shape } = node.attrs;
    const scalar = e.scalar(value, node.dtype);
    if (shape.length === 0) return scalar;
    return e.op('Expand', [scalar, e.ints(shape)]);
  },
  sum: reduce('ReduceSum'),
  prod: reduce('ReduceProd'),
  reduceMax: reduce('ReduceMax'),
  reduceMin: reduce('ReduceMin'),
  argMax: arg('ArgMax'),
  argMin: arg('ArgMin'),
  matmul: (e, node) => {
    const operands = [e.operand(node, 0), e.operand(node, 1)];
    const [transA, transB] = [node.attrs.transA ? 1 : 0, node.attrs.transB ? 1 : 0];
    if (e.shapeOf(node, 0).length === 2 && e.shapeOf(node, 1).length === 2) {
      return gemm(e, node, operands);
    }
    if (transA + transB === 0) return e.op('MatMul', operands);
    if (e.portable) return e.op('MatMul', turnedOperands(e, node, operands));
    return e.op('FusedMatMul', operands, { transA, transB }, 'com.microsoft');
  },
  gemm: (e, node) => gemm(e, node, [e.operand(node, 0), e.operand(node, 1), e.operand(node, 2)]),
  reshape: (e, node) => e.reshape(e.operand(node, 0), node.shape),
  transpose: (e, node) => e.op('Transpose', [e.operand(node, 0)], { perm: node.attrs.perm }),
  broadcast: (e, node) => e.op('Expand', [e.operand(node, 0), e.ints(node.shape)]),
  slice: (e, node) => {
    const group = e.splits.get(node.id);
    if (group !== undefined) return splitPiece(e, node, group);
    const shape = e.shapeOf(node, 0);
    const { begin, size, strides } = node.attrs;
    // A merged slice without elements may begin anywhere, which ONNX would count from the end.
    if (sizeOf(size) === 0) return e.op('Expand', [e.scalar(0, node.dtype), e.ints(size)]);
    const axes = shape.flatMap((d, i) =>
      begin[i] === 0 && size[i] === d && strides[i] === 1 ? [] : [i],
    );
    if (axes.length === 0) return e.operand(node, 0);
    const ends = axes.map((i) => {
      const end = begin[i] + size[i] * strides[i];
      return end < 0 ? BEFORE_START : end;
    });
    return e.op('Slice', [
      e.operand(node, 0),
      e.ints(axes.map((i) => begin[i])),
      e.ints(ends),
      e.ints(axes),
      e.ints(axes.map((i) => strides[i])),
    ]);
  },
  pad: (e, node) => {
    const { before, after, value } = node.attrs;
    if (before.length === 0) return e.operand(node, 0);
    return e.op('Pad', [
      e.operand(node, 0),
      e.ints([...before, ...after]),
      e.scalar(value, node.dtype),
    ]);
  },
  concat: (e, node) =>
    e.op(
      'Concat',
      node.inputs.map((i) => e.name(i)),
      { axis: node.attrs.axis },
    ),
  gather: (e, node) =>
    e.op('Gather', [e.operand(node, 0), e.operand(node, 1)], { axis: node.attrs.axis }),
  gatherNd: (e, node) => {
    const indices = e.op('Cast', [e.operand(node, 1)], { to: 7 });
    return e.op('GatherND', [e.operand(node, 0), indices]);
  },
  scatterAddNd: (e, node) => {
    const indices = e.op('Cast', [e.operand(node, 0)], { to: 7 });
    const zeros = e.op('Expand', [e.scalar(0, node.dtype), e.ints(node.shape)]);
    if (sizeOf(e.shapeOf(node, 1)) === 0) return zeros;
    return e.op('ScatterND', [zeros, indices, e.operand(node, 1)], { reduction: 'add' });
  },
  cumsum: (e, node) => {
    const { axis, exclusive, reverse } = node.attrs;
    return e.op('CumSum', [e.operand(node, 0), e.scalar(axis, 'int32')], {
      exclusive: exclusive ? 1 : 0,
      reverse: reverse ? 1 : 0,
    });
  },
  // A view of x whose shape needs y: its number of elements times zero, added to what is known.
  after: (e, node) => {
    const zero = e.op('Mul', [e.op('Size', [e.operand(node, 1)]), e.literal('int64', [], ZERO)]);
    const shape = e.op('Add', [e.ints(node.shape), zero]);
    return e.op(
      'Reshape',
      [e.operand(node, 0), shape],
      node.shape.includes(0) ? { allowzero: 1 } : {},
    );
  },
  // Where a graph is cut at these (ir/cut.ts), none is left to be lowered.
  rankMean: (e, node) => e.operand(node, 0),
  topkValues: (e, node) => topk(e, node)[0],
  topkIndices: (e, node) => e.op('Cast', [topk(e, node)[1]], { to: 6 }),
};
