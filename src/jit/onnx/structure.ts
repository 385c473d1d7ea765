import { sizeOf } from '../../core/host-tensor.ts';
import type { Node, Reduction } from '../ir/ops.ts';
import type { Emitter } from './emitter.ts';
import type { LoweringRules } from './lower.ts';
import { gemm, matmul } from './products.ts';
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

const ZERO = BigInt64Array.of(0n);

interface Cut {
  readonly axis: number;
  readonly begin: number;
  readonly size: number;
  readonly stride: number;
  /** Of the axis. */
  readonly length: number;
}

function slice(e: Emitter, x: string, cuts: readonly Cut[]): string {
  const inside = ({ begin, stride, length }: Cut) => stride < 0 && begin !== length - 1;
  if (!e.dialect.backwardFromAnywhere && cuts.some(inside)) {
    // First what lies up to the beginnings, then backwards from its end.
    const forward = cuts.filter(inside).map(
      (cut): Cut => ({
        ...cut,
        begin: 0,
        size: cut.begin + 1,
        stride: 1,
      }),
    );
    const backward = cuts.map((cut) => (inside(cut) ? { ...cut, length: cut.begin + 1 } : cut));
    return slice(e, slice(e, x, forward), backward);
  }
  const ends = cuts.map(({ begin, size, stride }) => {
    const end = begin + size * stride;
    return end < 0 ? BEFORE_START : end;
  });
  return e.op('Slice', [
    x,
    e.ints(cuts.map(({ begin }) => begin)),
    e.ints(ends),
    e.ints(cuts.map(({ axis }) => axis)),
    e.ints(cuts.map(({ stride }) => stride)),
  ]);
}

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
  matmul,
  gemm,
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
    const cuts = axes.map((axis): Cut => {
      const range = { axis, begin: begin[axis], size: size[axis], stride: strides[axis] };
      return { ...range, length: shape[axis] };
    });
    return slice(e, e.operand(node, 0), cuts);
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
    e.concat(
      node.inputs.map((i) => e.name(i)),
      node.attrs.axis,
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
