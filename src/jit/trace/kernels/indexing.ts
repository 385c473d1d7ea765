import { sizeOf } from '../../../core/host-tensor.ts';
import type { GraphBuilder } from '../../ir/builder.ts';
import { tf } from '../../tf.ts';
import type { TraceRule } from '../rules.ts';
import { cast } from './elementwise.ts';
import { reshape, transpose } from './shape.ts';

const NONE = {};

const range = (b: GraphBuilder, n: number, step = 1) =>
  b.const(
    Int32Array.from({ length: n }, (_, i) => i * step),
    [n],
    'int32',
  );

/**
 * Rows of a batch gather from their own row: the gathered axis comes right after the batch, both
 * are merged, the indices offset, and all is gathered at once. The picked axes then go back to
 * where the axis was.
 */
function gatherBatched(
  b: GraphBuilder,
  x: number,
  indices: number,
  axis: number,
  batchDims: number,
): number {
  const dims = b.shape(x).map((_, i) => i);
  const between = dims.slice(batchDims, axis);
  const order = [...dims.slice(0, batchDims), axis, ...between, ...dims.slice(axis + 1)];
  const moved = transpose(b, x, order);
  const shape = b.shape(moved);
  const batch = sizeOf(shape.slice(0, batchDims));
  const axisLength = shape[batchDims];
  const rest = shape.slice(batchDims + 1);
  const inner = b.shape(indices).slice(batchDims);
  const flat = reshape(b, moved, [batch * axisLength, ...rest]);
  const rows = reshape(b, indices, [batch, sizeOf(inner)]);
  const offset = reshape(b, range(b, batch, axisLength), [batch, 1]);
  const picked = b.add('gather', [flat, b.add('add', [rows, offset], NONE)], { axis: 0 });
  const full = reshape(b, picked, [...shape.slice(0, batchDims), ...inner, ...rest]);
  const [k, m] = [inner.length, between.length];
  const perm = b.shape(full).map((_, i) => {
    if (i < batchDims || i >= batchDims + m + k) return i;
    return i < batchDims + m ? i + k : i - m;
  });
  return transpose(b, full, perm);
}

/** Sums rows of `x` by segment; ids outside [0, numSegments) are dropped, as in the kernel. */
function segmentSum(b: GraphBuilder, x: number, segmentIds: number, numSegments: number): number {
  const shape = b.shape(x);
  const idShape = b.shape(segmentIds);
  const ids = cast(b, segmentIds, 'int32');
  const zero = b.splat(0, [], 'int32');
  const clipped = b.add(
    'min',
    [b.add('max', [ids, zero], NONE), b.splat(numSegments - 1, [], 'int32')],
    NONE,
  );
  const aligned = [...idShape, ...new Array(shape.length - idShape.length).fill(1)];
  const valid = reshape(b, b.add('eq', [ids, clipped], NONE), aligned);
  const kept = b.add('select', [valid, x, b.splat(0, [], b.nodes[x].dtype)], NONE);
  const index = reshape(b, clipped, [...idShape, 1]);
  return b.add('scatterAddNd', [index, kept], {
    shape: [numSegments, ...shape.slice(idShape.length)],
  });
}

export const INDEXING_RULES: Record<string, TraceRule> = {
  GatherV2: (b, { x, indices }, { axis, batchDims }) => {
    const at = tf.util.parseAxisParam(axis, [...b.shape(x)])[0];
    const ids = cast(b, indices, 'int32');
    const batch = batchDims < 0 ? batchDims + b.shape(indices).length : batchDims;
    if (batch === 0) return b.add('gather', [x, ids], { axis: at });
    return gatherBatched(b, x, ids, at, batch);
  },
  GatherNd: (b, { params, indices }) =>
    b.add('gatherNd', [params, cast(b, indices, 'int32')], NONE),
  ScatterNd: (b, { indices, updates }, { shape }) =>
    b.add('scatterAddNd', [cast(b, indices, 'int32'), updates], { shape }),
  UnsortedSegmentSum: (b, { x, segmentIds }, { numSegments }) =>
    segmentSum(b, x, segmentIds, numSegments),
  OneHot: (b, { indices }, { depth, onValue, offValue, dtype }) => {
    const type = dtype ?? 'int32';
    const spread = reshape(b, cast(b, indices, 'int32'), [...b.shape(indices), 1]);
    const hit = b.add('eq', [spread, range(b, depth)], NONE);
    return b.add('select', [hit, b.splat(onValue, [], type), b.splat(offValue, [], type)], NONE);
  },
  Range: (b, _, { start, stop, step, dtype }) => {
    const n = Math.max(0, Math.ceil((stop - start) / step));
    const values = Array.from({ length: n }, (_, i) => start + i * step);
    return dtype === 'int32'
      ? b.const(Int32Array.from(values), [n], 'int32')
      : b.const(Float32Array.from(values), [n], 'float32');
  },
  LinSpace: (b, _, { start, stop, num }) => {
    const step = num > 1 ? (stop - start) / (num - 1) : 0;
    return b.const(
      Float32Array.from({ length: num }, (_, i) => start + i * step),
      [num],
      'float32',
    );
  },
};
