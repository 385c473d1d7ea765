import type { DType } from '../../../core/host-tensor.ts';
import type { GraphBuilder } from '../../ir/builder.ts';
import type { Arithmetic, Comparison, FloatUnary, Logical, NumericUnary } from '../../ir/ops.ts';
import type { TraceRule } from '../rules.ts';

const NONE = {};

/** float32 in, float32 out; integers are converted first, as TensorFlow.js does. */
const floatUnary =
  (op: FloatUnary): TraceRule =>
  (b, { x }) =>
    b.add(op, [asFloat(b, x)], NONE);

const numericUnary =
  (op: NumericUnary): TraceRule =>
  (b, { x }) =>
    b.add(op, [asNumber(b, x)], NONE);

const arithmetic =
  (op: Arithmetic): TraceRule =>
  (b, { a, b: c }) =>
    b.add(op, [asNumber(b, a), asNumber(b, c)], NONE);

const comparison =
  (op: Comparison): TraceRule =>
  (b, { a, b: c }) =>
    b.add(op, [asNumber(b, a), asNumber(b, c)], NONE);

const logical =
  (op: Logical): TraceRule =>
  (b, { a, b: c }) =>
    b.add(op, [cast(b, a, 'bool'), cast(b, c, 'bool')], NONE);

export function cast(b: GraphBuilder, x: number, dtype: DType): number {
  return b.nodes[x].dtype === dtype ? x : b.add('cast', [x], { dtype });
}

export const asFloat = (b: GraphBuilder, x: number) => cast(b, x, 'float32');

const asNumber = (b: GraphBuilder, x: number) =>
  b.nodes[x].dtype === 'bool' ? cast(b, x, 'int32') : x;

/** A constant of the type of `like`, to be broadcast against it. */
const literal = (b: GraphBuilder, like: number, value: number) =>
  b.splat(value, [], b.nodes[like].dtype);

export function leakyRelu(b: GraphBuilder, x: number, alpha: number): number {
  const positive = b.add('relu', [x], NONE);
  const negative = b.add('min', [x, literal(b, x, 0)], NONE);
  return b.add('add', [positive, b.add('mul', [negative, alpha], NONE)], NONE);
}

const SELU_ALPHA = 1.7580993408473768;
const SELU_SCALE = 1.0507009873554805;

/** scale·x above zero, alpha·(eˣ−1) below: elu and selu. */
function expLinear(b: GraphBuilder, x: number, scale: number, alpha: number): number {
  const below = b.add('expm1', [b.add('min', [x, b.splat(0)], NONE)], NONE);
  const above = b.add('relu', [x], NONE);
  return b.add(
    'add',
    [b.add('mul', [above, b.splat(scale)], NONE), b.add('mul', [below, b.splat(alpha)], NONE)],
    NONE,
  );
}

export const elu = (b: GraphBuilder, x: number) => expLinear(b, x, 1, 1);

export function clip(b: GraphBuilder, x: number, low: number, high: number): number {
  return b.add('min', [b.add('max', [x, literal(b, x, low)], NONE), literal(b, x, high)], NONE);
}

/** The angle of (x, y): the arctangent of the quotient, turned by π in the left half-plane. */
function atan2(b: GraphBuilder, y: number, x: number): number {
  const zero = b.splat(0);
  const principal = b.add('atan', [b.add('div', [y, x], NONE)], NONE);
  const above = b.add('ge', [y, zero], NONE);
  const turn = b.add('select', [above, b.splat(Math.PI), b.splat(-Math.PI)], NONE);
  const left = b.add('add', [principal, turn], NONE);
  const sided = b.add('select', [b.add('lt', [x, zero], NONE), left, principal], NONE);
  const origin = b.add('mul', [b.add('sign', [y], NONE), b.splat(Math.PI / 2)], NONE);
  return b.add('select', [b.add('eq', [x, zero], NONE), origin, sided], NONE);
}

export const ELEMENTWISE_RULES: Record<string, TraceRule> = {
  Abs: numericUnary('abs'),
  Neg: numericUnary('neg'),
  Sign: numericUnary('sign'),
  Square: numericUnary('square'),
  Relu: numericUnary('relu'),
  Exp: floatUnary('exp'),
  Expm1: floatUnary('expm1'),
  Log: floatUnary('log'),
  Log1p: floatUnary('log1p'),
  Sqrt: floatUnary('sqrt'),
  Rsqrt: floatUnary('rsqrt'),
  Reciprocal: floatUnary('reciprocal'),
  Sin: floatUnary('sin'),
  Cos: floatUnary('cos'),
  Tan: floatUnary('tan'),
  Asin: floatUnary('asin'),
  Acos: floatUnary('acos'),
  Atan: floatUnary('atan'),
  Sinh: floatUnary('sinh'),
  Cosh: floatUnary('cosh'),
  Tanh: floatUnary('tanh'),
  Asinh: floatUnary('asinh'),
  Acosh: floatUnary('acosh'),
  Atanh: floatUnary('atanh'),
  Erf: floatUnary('erf'),
  Sigmoid: floatUnary('sigmoid'),
  Softplus: floatUnary('softplus'),
  Floor: floatUnary('floor'),
  Ceil: floatUnary('ceil'),
  Round: floatUnary('round'),
  Add: arithmetic('add'),
  Sub: arithmetic('sub'),
  Multiply: arithmetic('mul'),
  RealDiv: arithmetic('div'),
  Mod: arithmetic('mod'),
  Pow: arithmetic('pow'),
  Minimum: arithmetic('min'),
  Maximum: arithmetic('max'),
  Atan2: (b, { a, b: c }) => atan2(b, asFloat(b, a), asFloat(b, c)),
  Equal: comparison('eq'),
  NotEqual: comparison('ne'),
  Less: comparison('lt'),
  LessEqual: comparison('le'),
  Greater: comparison('gt'),
  GreaterEqual: comparison('ge'),
  LogicalAnd: logical('and'),
  LogicalOr: logical('or'),
  LogicalNot: (b, { x }) => b.add('not', [cast(b, x, 'bool')], NONE),
  IsNan: (b, { x }) => b.add('isNan', [asFloat(b, x)], NONE),
  IsInf: (b, { x }) => b.add('isInf', [asFloat(b, x)], NONE),
  IsFinite: (b, { x }) => {
    const f = asFloat(b, x);
    const bad = b.add('or', [b.add('isNan', [f], NONE), b.add('isInf', [f], NONE)], NONE);
    return b.add('not', [bad], NONE);
  },
  AddN: (b, inputs) => Object.values(inputs).reduce((s, x) => b.add('add', [s, x], NONE)),
  SquaredDifference: (b, { a, b: c }) =>
    b.add('square', [b.add('sub', [asNumber(b, a), asNumber(b, c)], NONE)], NONE),
  FloorDiv: (b, { a, b: c }) => {
    const quotient = b.add('div', [asFloat(b, a), asFloat(b, c)], NONE);
    return cast(b, b.add('floor', [quotient], NONE), 'int32');
  },
  Step: (b, { x }, { alpha }) => {
    const f = asFloat(b, x);
    const positive = b.add('gt', [f, b.splat(0)], NONE);
    if (alpha === 0) return cast(b, positive, 'float32');
    return b.add('select', [positive, b.splat(1), b.splat(alpha)], NONE);
  },
  Relu6: (b, { x }) => clip(b, x, 0, 6),
  LeakyRelu: (b, { x }, { alpha }) => leakyRelu(b, asFloat(b, x), b.splat(alpha)),
  Prelu: (b, { x, alpha }) => leakyRelu(b, x, alpha),
  Elu: (b, { x }) => elu(b, x),
  Selu: (b, { x }) => expLinear(b, x, SELU_SCALE, SELU_ALPHA),
  ClipByValue: (b, { x }, { clipValueMin, clipValueMax }) => clip(b, x, clipValueMin, clipValueMax),
  Cast: (b, { x }, { dtype }) => {
    if (dtype === 'bool') {
      const zero = literal(b, x, 0);
      return b.nodes[x].dtype === 'bool' ? x : b.add('ne', [x, zero], NONE);
    }
    return cast(b, x, dtype);
  },
  Select: (b, { condition, t, e }) => {
    const c = cast(b, condition, 'bool');
    // TensorFlow.js lets a rank-1 condition select whole rows.
    const rank = b.shape(t).length;
    const shape = b.shape(c);
    const rows = shape.length === 1 && rank > 1;
    const aligned = rows
      ? b.add('reshape', [c], { shape: [shape[0], ...new Array(rank - 1).fill(1)] })
      : c;
    return b.add('select', [aligned, t, e], NONE);
  },
  ZerosLike: (b, { x }) => b.splat(0, b.shape(x), b.nodes[x].dtype),
  OnesLike: (b, { x }) => b.splat(1, b.shape(x), b.nodes[x].dtype),
  Fill: (b, _, { shape, value, dtype }) => b.splat(value, shape, dtype ?? 'float32'),
};
