import type { Op } from '../../ir/ops.ts';

/**
 * How a primitive becomes C.
 *
 * | kind | |
 * | --- | --- |
 * | `leaf` | there before the step runs |
 * | `view` | another way to walk over its operand: no code, unless a reshape cannot be one |
 * | `element` | one expression in a loop over its result |
 * | `reduce` | one accumulation in a loop over its operand |
 * | `join` | written by what makes its parts |
 * | `call` | a function of its own over contiguous operands |
 */
export type Kind = 'leaf' | 'view' | 'element' | 'reduce' | 'join' | 'call';

export const KIND = {
  input: 'leaf',
  const: 'leaf',
  splat: 'leaf',
  reshape: 'view',
  transpose: 'view',
  broadcast: 'view',
  slice: 'view',
  after: 'view',
  rankMean: 'view',
  exp: 'element',
  expm1: 'element',
  log: 'element',
  log1p: 'element',
  sqrt: 'element',
  rsqrt: 'element',
  reciprocal: 'element',
  sin: 'element',
  cos: 'element',
  tan: 'element',
  asin: 'element',
  acos: 'element',
  atan: 'element',
  sinh: 'element',
  cosh: 'element',
  tanh: 'element',
  asinh: 'element',
  acosh: 'element',
  atanh: 'element',
  erf: 'element',
  sigmoid: 'element',
  softplus: 'element',
  floor: 'element',
  ceil: 'element',
  round: 'element',
  neg: 'element',
  abs: 'element',
  sign: 'element',
  square: 'element',
  relu: 'element',
  add: 'element',
  sub: 'element',
  mul: 'element',
  div: 'element',
  mod: 'element',
  pow: 'element',
  min: 'element',
  max: 'element',
  eq: 'element',
  ne: 'element',
  lt: 'element',
  le: 'element',
  gt: 'element',
  ge: 'element',
  and: 'element',
  or: 'element',
  not: 'element',
  isNan: 'element',
  isInf: 'element',
  select: 'element',
  cast: 'element',
  pad: 'element',
  sum: 'reduce',
  prod: 'reduce',
  reduceMax: 'reduce',
  reduceMin: 'reduce',
  concat: 'join',
  matmul: 'call',
  gemm: 'call',
  conv2d: 'call',
  conv2dBias: 'call',
  conv2dInputGrad: 'call',
  conv2dWeightGrad: 'call',
  argMax: 'call',
  argMin: 'call',
  gather: 'call',
  gatherNd: 'call',
  scatterAddNd: 'call',
  cumsum: 'call',
  softmax: 'call',
  topkValues: 'call',
  topkIndices: 'call',
} as const satisfies { readonly [K in Op]: Kind };

/** The primitives of one kind. */
export type OpsOf<K extends Kind> = {
  [P in Op]: (typeof KIND)[P] extends K ? P : never;
}[Op];
