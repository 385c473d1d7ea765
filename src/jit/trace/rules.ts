import type { GraphBuilder } from '../ir/builder.ts';
import { CONV_RULES } from './kernels/conv.ts';
import { EINSUM_RULES } from './kernels/einsum.ts';
import { ELEMENTWISE_RULES } from './kernels/elementwise.ts';
import { INDEXING_RULES } from './kernels/indexing.ts';
import { MATMUL_RULES } from './kernels/matmul.ts';
import { NORMALISATION_RULES } from './kernels/normalisation.ts';
import { POOL_RULES } from './kernels/pool.ts';
import { REDUCTION_RULES } from './kernels/reduction.ts';
import { RESIZE_RULES } from './kernels/resize.ts';
import { SHAPE_RULES } from './kernels/shape.ts';

/** Node ids of a kernel's operands, by the names TensorFlow.js gives them. */
export type TraceInputs = Record<string, number>;

/** How one TensorFlow.js kernel is said in primitives; returns the node(s) of its result(s). */
export type TraceRule = (
  b: GraphBuilder,
  inputs: TraceInputs,
  // biome-ignore lint/suspicious/noExplicitAny: attribute types differ per kernel
  attrs: any,
) => number | number[];

/** Every TensorFlow.js kernel that can be traced. */
export const TRACE_RULES: { readonly [kernel: string]: TraceRule | undefined } = {
  ...ELEMENTWISE_RULES,
  ...REDUCTION_RULES,
  ...SHAPE_RULES,
  ...MATMUL_RULES,
  ...EINSUM_RULES,
  ...NORMALISATION_RULES,
  ...CONV_RULES,
  ...POOL_RULES,
  ...RESIZE_RULES,
  ...INDEXING_RULES,
};
