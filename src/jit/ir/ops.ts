import type { DType, HostData } from '../../core/host-tensor.ts';

/**
 * The intermediate representation: about seventy primitive operations with static shapes. Every
 * TensorFlow.js kernel is recorded as one or a few of them (`trace/`), every executor implements
 * exactly these (`onnx/`). Shapes are NCHW where a layout matters; weights are OIHW.
 */

/** Elementwise, one float32 operand, same shape out. */
export const FLOAT_UNARY = [
  'exp',
  'expm1',
  'log',
  'log1p',
  'sqrt',
  'rsqrt',
  'reciprocal',
  'sin',
  'cos',
  'tan',
  'asin',
  'acos',
  'atan',
  'sinh',
  'cosh',
  'tanh',
  'asinh',
  'acosh',
  'atanh',
  'erf',
  'sigmoid',
  'softplus',
  'floor',
  'ceil',
  'round',
] as const;

/** Elementwise, one numeric operand, same shape and type out. */
export const NUMERIC_UNARY = ['neg', 'abs', 'sign', 'square', 'relu'] as const;

/** Elementwise with NumPy broadcasting, same type out. `mod` takes the sign of the divisor. */
export const ARITHMETIC = ['add', 'sub', 'mul', 'div', 'mod', 'pow', 'min', 'max'] as const;

/** Elementwise with NumPy broadcasting, bool out. */
export const COMPARISON = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const;

/** bool × bool → bool. */
export const LOGICAL = ['and', 'or'] as const;

/** Reductions over `axes`; reduced axes stay with length 1 when `keepDims`. */
export const REDUCTION = ['sum', 'prod', 'reduceMax', 'reduceMin'] as const;

export type FloatUnary = (typeof FLOAT_UNARY)[number];
export type NumericUnary = (typeof NUMERIC_UNARY)[number];
export type Arithmetic = (typeof ARITHMETIC)[number];
export type Comparison = (typeof COMPARISON)[number];
export type Logical = (typeof LOGICAL)[number];
export type Reduction = (typeof REDUCTION)[number];

interface None {
  readonly [key: string]: never;
}
type Dims = readonly number[];
/** Padding of two spatial axes: [top, left, bottom, right]. */
export type Pads2d = readonly [number, number, number, number];

export interface ConvAttrs {
  readonly strides: readonly [number, number];
  readonly pads: Pads2d;
  readonly dilations: readonly [number, number];
  readonly groups: number;
}

/** The attributes of each primitive; the keys of this interface are the primitives. */
export type OpAttrs = Record<
  FloatUnary | NumericUnary | Arithmetic | Comparison | Logical | 'not' | 'isNan' | 'isInf',
  None
> &
  Record<Reduction, { readonly axes: Dims; readonly keepDims: boolean }> & {
    /** The `index`-th argument of the graph. */
    input: { readonly index: number; readonly shape: Dims; readonly dtype: DType };
    /** A literal array. */
    const: { readonly data: HostData; readonly shape: Dims; readonly dtype: DType };
    /** A constant with one value everywhere. */
    splat: { readonly value: number; readonly shape: Dims; readonly dtype: DType };
    /** (condition, a, b), broadcast together. */
    select: None;
    /** (x, y): x, but not before y has been computed. What depends on it is not merged with what depends on x. */
    after: None;
    /** The mean of x over the ranks of a training on several processes; x itself on one. */
    rankMean: None;
    cast: { readonly dtype: DType };
    /** [..., m, k] × [..., k, n], leading axes broadcast. */
    matmul: { readonly transA: boolean; readonly transB: boolean };
    /** op(a)·op(b) + c with 2-D operands, c broadcast to [m, n]; made by passes only. */
    gemm: { readonly transA: boolean; readonly transB: boolean };
    /** x [N,C,H,W], weight [O,C/groups,kh,kw]. */
    conv2d: ConvAttrs;
    /** conv2d plus one number per filter, [O]; made by passes only. */
    conv2dBias: ConvAttrs;
    /** The adjoint of conv2d in x: (dy [N,O,h,w], weight) → [N,C,H,W]. */
    conv2dInputGrad: ConvAttrs & { readonly inputSize: readonly [number, number] };
    /** The adjoint of conv2d in the weight: (x, dy) → [O,C/groups,kh,kw]. */
    conv2dWeightGrad: ConvAttrs & { readonly kernel: readonly [number, number] };
    reshape: { readonly shape: Dims };
    transpose: { readonly perm: Dims };
    broadcast: { readonly shape: Dims };
    /** Elements begin, begin+stride, …, `size` of them per axis; strides may be negative. */
    slice: { readonly begin: Dims; readonly size: Dims; readonly strides: Dims };
    pad: { readonly before: Dims; readonly after: Dims; readonly value: number };
    concat: { readonly axis: number };
    argMax: { readonly axis: number };
    argMin: { readonly axis: number };
    /** (x, indices int32): indices select along `axis`. */
    gather: { readonly axis: number };
    /** (x, indices int32 [..., k]): indices select along the first k axes. */
    gatherNd: None;
    /** (indices int32 [..., k], updates): zeros of `shape` with updates added. */
    scatterAddNd: { readonly shape: Dims };
    cumsum: { readonly axis: number; readonly exclusive: boolean; readonly reverse: boolean };
    softmax: None;
    /** The k largest along the last axis, in descending order. */
    topkValues: { readonly k: number };
    topkIndices: { readonly k: number };
  };

export type Op = keyof OpAttrs;

interface NodeOf<K extends Op> {
  readonly id: number;
  readonly op: K;
  readonly inputs: readonly number[];
  readonly attrs: OpAttrs[K];
  readonly shape: Dims;
  readonly dtype: DType;
}

/** One operation with one result. `inputs` are ids of earlier nodes. */
export type Node<K extends Op = Op> = { [P in K]: NodeOf<P> }[K];

/** Nodes in topological order, node `i` having id `i`. */
export interface Graph {
  readonly nodes: readonly Node[];
  /** Ids of the `input` nodes, by argument position. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}
