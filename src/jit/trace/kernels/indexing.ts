import { sizeOf } from '../../../core/host-tensor.ts';
import type { GraphBuilder } from '../../ir/builder.ts';
import { tf } from '../../tf.ts';
import { traceError } from '../caller.ts';
import type { TraceRule } from '../rules.ts';
import { cast } from './elementwise.ts';
import { reshape } from './shape.ts';

const NONE = {};

const range = (b: GraphBuilder, n: number, step = 1) =>
  b.const(
    Int32Array.from({ length: n }, (_, i) => i * step),
    [n],
    'int32',
  );

/** Rows of a batch gather from their own row: flatten, offset the indices, gather once. */
function gatherBatched(b: GraphBuilder, x: number, indices: number, batchDims: number): number {
  const shape = b.shape(x);
  const batch = sizeOf(shape.slice(0, batchDims));
  const axisLength = shape[batchDims];
  const rest = shape.slice(batchDims + 1);
  const inner = b.shape(indices).slice(batchDims);
  const flat = reshape(b, x, [batch * axisLength, ...rest]);
  const rows = reshape(b, indices, [batch, sizeOf(inner)]);
  const offset = reshape(b, range(b, batch, axisLength), [batch, 1]);
  const picked = b.add('gather', [flat, b.add('add', [rows, offset], NONE)], { axis: 0 });
  return reshape(b, picked, [...shape.slice(0, batchDims), ...inner, ...rest]);
}

export const INDEXING_RULES: Record<string, TraceRule> = {
  GatherV2: (b, { x, indices }, { axis, batchDims }) => {
    const at = tf.util.parseAxisParam(axis, [...b.shape(x)])[0];
    const ids = cast(b, indices, 'int32');
    const batch = batchDims < 0 ? batchDims + b.shape(indices).length : batchDims;
    if (batch === 0) return b.add('gather', [x, ids], { axis: at });
    if (at !== batch) throw traceError('gather', 'is traced for axis = batchDims only');
    return gatherBatched(b, x, ids, batch);
  },
  GatherNd: (b, { params, indices }) =>
    b.add('gatherNd', [params, cast(b, indices, 'int32')], NONE),
  ScatterNd: (b, { indices, updates }, { shape }) =>
    b.add('scatterAddNd', [cast(b, indices, 'int32'), updates], { shape }),
  UnsortedSegmentSum: (b, { x, segmentIds }, { numSegments }) => {
    const shape = b.shape(x);
    const ids = b.shape(segmentIds);
    const index = reshape(b, cast(b, segmentIds, 'int32'), [...ids, 1]);
    return b.add('scatterAddNd', [index, x], {
      shape: [numSegments, ...shape.slice(ids.length)],
    });
  },
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
