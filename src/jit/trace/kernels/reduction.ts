import { sizeOf } from '../../../core/host-tensor.ts';
import type { GraphBuilder } from '../../ir/builder.ts';
import type { Reduction } from '../../ir/ops.ts';
import { tf } from '../../tf.ts';
import type { TraceRule } from '../rules.ts';
import { asFloat, cast } from './elementwise.ts';

const NONE = {};

export function parseAxes(b: GraphBuilder, x: number, axis: number | number[]): number[] {
  return tf.util.parseAxisParam(axis, [...b.shape(x)]);
}

export function reduce(
  b: GraphBuilder,
  op: Reduction,
  x: number,
  axes: readonly number[],
  keepDims: boolean,
): number {
  return b.add(op, [x], { axes, keepDims });
}

const reduction =
  (op: Reduction, axisName = 'axis'): TraceRule =>
  (b, { x }, attrs) => {
    const operand = cast(b, x, b.nodes[x].dtype === 'bool' ? 'int32' : b.nodes[x].dtype);
    return reduce(b, op, operand, parseAxes(b, operand, attrs[axisName]), attrs.keepDims ?? false);
  };

/** any = max, all = min over {0, 1}. */
const boolReduction =
  (op: 'reduceMax' | 'reduceMin'): TraceRule =>
  (b, { x }, { axis, keepDims }) => {
    const ones = cast(b, x, 'int32');
    return cast(b, reduce(b, op, ones, parseAxes(b, x, axis), keepDims ?? false), 'bool');
  };

const arg =
  (op: 'argMax' | 'argMin'): TraceRule =>
  (b, { x }, { axis }) =>
    b.add(op, [x], { axis: parseAxes(b, x, axis)[0] });

export const REDUCTION_RULES: Record<string, TraceRule> = {
  Sum: reduction('sum'),
  Prod: reduction('prod'),
  Max: reduction('reduceMax', 'reductionIndices'),
  Min: reduction('reduceMin'),
  Any: boolReduction('reduceMax'),
  All: boolReduction('reduceMin'),
  ArgMax: arg('argMax'),
  ArgMin: arg('argMin'),
  Mean: (b, { x }, { axis, keepDims }) => {
    const f = asFloat(b, x);
    const axes = parseAxes(b, f, axis);
    const count = sizeOf(axes.map((a) => b.shape(f)[a]));
    const total = reduce(b, 'sum', f, axes, keepDims ?? false);
    return b.add('mul', [total, b.splat(1 / count)], NONE);
  },
};
