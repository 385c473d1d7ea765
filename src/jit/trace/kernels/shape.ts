import type { GraphBuilder } from '../../ir/builder.ts';
import { tf } from '../../tf.ts';
import { AFTER } from '../after.ts';
import { traceError } from '../caller.ts';
import { RANK_MEAN } from '../rank-mean.ts';
import type { TraceRule } from '../rules.ts';

type Dims = readonly number[];

export const reshape = (b: GraphBuilder, x: number, shape: Dims) =>
  b.add('reshape', [x], { shape });

export const transpose = (b: GraphBuilder, x: number, perm: Dims) =>
  b.add('transpose', [x], { perm });

/** `size` elements from `begin`, `stride` apart, along one axis; everything along the others. */
export function sliceAxis(
  b: GraphBuilder,
  x: number,
  axis: number,
  begin: number,
  size: number,
  stride = 1,
): number {
  const shape = b.shape(x);
  return b.add('slice', [x], {
    begin: shape.map((_, i) => (i === axis ? begin : 0)),
    size: shape.map((d, i) => (i === axis ? size : d)),
    strides: shape.map((_, i) => (i === axis ? stride : 1)),
  });
}

export function pad(b: GraphBuilder, x: number, before: Dims, after: Dims, value = 0): number {
  if (before.every((p) => p === 0) && after.every((p) => p === 0)) return x;
  return b.add('pad', [x], { before, after, value });
}

export function reverse(b: GraphBuilder, x: number, axes: Dims): number {
  const shape = b.shape(x);
  return b.add('slice', [x], {
    begin: shape.map((d, i) => (axes.includes(i) ? d - 1 : 0)),
    size: shape,
    strides: shape.map((_, i) => (axes.includes(i) ? -1 : 1)),
  });
}

/** Repetition along each axis, as insert-axis, broadcast, merge. */
export function tile(b: GraphBuilder, x: number, reps: Dims): number {
  const shape = b.shape(x);
  if (shape.every((d, i) => d === 1 || reps[i] === 1)) {
    return b.add('broadcast', [x], { shape: shape.map((d, i) => d * reps[i]) });
  }
  const split = shape.flatMap((d, i) => (reps[i] === 1 ? [d] : [1, d]));
  const repeated = shape.flatMap((d, i) => (reps[i] === 1 ? [d] : [reps[i], d]));
  const spread = b.add('broadcast', [reshape(b, x, split)], { shape: repeated });
  return reshape(
    b,
    spread,
    shape.map((d, i) => d * reps[i]),
  );
}

/** A mirror image at both ends of one axis; `offset` 1 leaves the edge itself out. */
function mirrorAxis(b: GraphBuilder, x: number, axis: number, pads: Dims, offset: number): number {
  const [before, after] = pads;
  const length = b.shape(x)[axis];
  const parts = [x];
  if (before > 0) parts.unshift(sliceAxis(b, x, axis, before - 1 + offset, before, -1));
  if (after > 0) parts.push(sliceAxis(b, x, axis, length - 1 - offset, after, -1));
  return parts.length === 1 ? x : b.add('concat', parts, { axis });
}

/** [blocks…, N/∏blocks, …] interleaved into space and back: the two ND kernels are inverse. */
function blockToSpace(b: GraphBuilder, x: number, block: Dims, crops: readonly Dims[]): number {
  const shape = b.shape(x);
  const n = block.length;
  const batch = shape[0] / block.reduce((p, d) => p * d, 1);
  const spatial = shape.slice(1, n + 1);
  const rest = shape.slice(n + 1);
  const open = reshape(b, x, [...block, batch, ...spatial, ...rest]);
  const perm = [
    n,
    ...block.flatMap((_, i) => [n + 1 + i, i]),
    ...rest.map((_, i) => 2 * n + 1 + i),
  ];
  const full = spatial.map((d, i) => d * block[i]);
  const merged = reshape(b, transpose(b, open, perm), [batch, ...full, ...rest]);
  return b.add('slice', [merged], {
    begin: [0, ...crops.map(([c]) => c), ...rest.map(() => 0)],
    size: [batch, ...full.map((d, i) => d - crops[i][0] - crops[i][1]), ...rest],
    strides: new Array(1 + n + rest.length).fill(1),
  });
}

function spaceToBlock(b: GraphBuilder, x: number, block: Dims, pads: readonly Dims[]): number {
  const n = block.length;
  const rest = b.shape(x).slice(n + 1);
  const zeros = rest.map(() => 0);
  const padded = pad(
    b,
    x,
    [0, ...pads.map(([p]) => p), ...zeros],
    [0, ...pads.map(([, p]) => p), ...zeros],
  );
  const [batch, ...spatial] = b.shape(padded).slice(0, n + 1);
  const cells = spatial.map((d, i) => d / block[i]);
  const open = reshape(b, padded, [batch, ...cells.flatMap((d, i) => [d, block[i]]), ...rest]);
  const perm = [
    ...block.map((_, i) => 2 + 2 * i),
    0,
    ...block.map((_, i) => 1 + 2 * i),
    ...rest.map((_, i) => 2 * n + 1 + i),
  ];
  const volume = block.reduce((p, d) => p * d, 1);
  return reshape(b, transpose(b, open, perm), [batch * volume, ...cells, ...rest]);
}

export const SHAPE_RULES: Record<string, TraceRule> = {
  Identity: (_, { x }) => x,
  [AFTER]: (b, { x, y }) => b.add('after', [x, y], {}),
  [RANK_MEAN]: (b, { x }) => b.add('rankMean', [x], {}),
  Reshape: (b, { x }, { shape }) =>
    reshape(b, x, tf.util.inferFromImplicitShape(shape, tf.util.sizeFromShape([...b.shape(x)]))),
  ExpandDims: (b, { input }, { dim }) => {
    const shape = [...b.shape(input)];
    shape.splice(dim < 0 ? dim + shape.length + 1 : dim, 0, 1);
    return reshape(b, input, shape);
  },
  Transpose: (b, { x }, { perm }) => transpose(b, x, perm),
  Tile: (b, { x }, { reps }) => tile(b, x, reps),
  Concat: (b, inputs, { axis }) => {
    const parts = Object.values(inputs);
    const positive = tf.util.parseAxisParam(axis, [...b.shape(parts[0])])[0];
    return b.add('concat', parts, { axis: positive });
  },
  Pack: (b, inputs, { axis }) => {
    const parts = Object.values(inputs);
    const shape = [...b.shape(parts[0])];
    const at = axis < 0 ? axis + shape.length + 1 : axis;
    shape.splice(at, 0, 1);
    return b.add(
      'concat',
      parts.map((p) => reshape(b, p, shape)),
      { axis: at },
    );
  },
  Unpack: (b, { value }, { axis }) => {
    const shape = b.shape(value);
    const at = axis < 0 ? axis + shape.length : axis;
    const item = shape.filter((_, i) => i !== at);
    return Array.from({ length: shape[at] }, (_, i) =>
      reshape(b, sliceAxis(b, value, at, i, 1), item),
    );
  },
  SplitV: (b, { x }, { numOrSizeSplits, axis }) => {
    const shape = b.shape(x);
    const at = tf.util.parseAxisParam(axis, [...shape])[0];
    const sizes = tf.backend_util.prepareSplitSize({ shape } as tf.Tensor, numOrSizeSplits, at);
    let begin = 0;
    return sizes.map((size) => {
      const part = sliceAxis(b, x, at, begin, size);
      begin += size;
      return part;
    });
  },
  Slice: (b, { x }, { begin, size }) => {
    const like = { shape: b.shape(x), rank: b.shape(x).length } as tf.Tensor;
    const [starts, sizes] = tf.slice_util.parseSliceParams(like, begin, size);
    return b.add('slice', [x], { begin: starts, size: sizes, strides: starts.map(() => 1) });
  },
  StridedSlice: (b, { x }, attrs) => {
    const info = tf.slice_util.sliceInfo(
      [...b.shape(x)],
      attrs.begin,
      attrs.end,
      attrs.strides,
      attrs.beginMask,
      attrs.endMask,
      attrs.ellipsisMask,
      attrs.newAxisMask,
      attrs.shrinkAxisMask,
    );
    const size = tf.slice_util.computeOutShape(info.begin, info.end, info.strides);
    const part = b.add('slice', [x], { begin: info.begin, size, strides: info.strides });
    return reshape(b, part, info.finalShape);
  },
  Reverse: (b, { x }, { dims }) => {
    const shape = [...b.shape(x)];
    return shape.length === 0 ? x : reverse(b, x, tf.util.parseAxisParam(dims, shape));
  },
  PadV2: (b, { x }, { paddings, constantValue }) =>
    pad(
      b,
      x,
      paddings.map((p: Dims) => p[0]),
      paddings.map((p: Dims) => p[1]),
      constantValue,
    ),
  MirrorPad: (b, { x }, { paddings, mode }) =>
    (paddings as Dims[]).reduce(
      (node, pads, axis) => mirrorAxis(b, node, axis, pads, mode === 'reflect' ? 1 : 0),
      x,
    ),
  BatchToSpaceND: (b, { x }, { blockShape, crops }) => blockToSpace(b, x, blockShape, crops),
  SpaceToBatchND: (b, { x }, { blockShape, paddings }) => spaceToBlock(b, x, blockShape, paddings),
  DepthToSpace: (b, { x }, { blockSize: s, dataFormat }) => {
    if (dataFormat !== 'NHWC') throw traceError('DepthToSpace', 'is traced for NHWC only');
    const [n, h, w, c] = b.shape(x);
    const open = reshape(b, x, [n, h, w, s, s, c / (s * s)]);
    const moved = transpose(b, open, [0, 1, 3, 2, 4, 5]);
    return reshape(b, moved, [n, h * s, w * s, c / (s * s)]);
  },
};
