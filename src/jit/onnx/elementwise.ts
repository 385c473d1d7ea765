import type { Arithmetic, Comparison, FloatUnary, Logical, NumericUnary } from '../ir/ops.ts';
import type { Emitter } from './emitter.ts';
import type { LoweringRules } from './lower.ts';

/** Primitives that are one ONNX operator of the same meaning. */
const direct = (type: string) => (e: Emitter, node: { inputs: readonly number[] }) =>
  e.op(
    type,
    node.inputs.map((i) => e.name(i)),
  );

export const ELEMENTWISE_LOWERING: LoweringRules<
  | FloatUnary
  | NumericUnary
  | Arithmetic
  | Comparison
  | Logical
  | 'not'
  | 'isNan'
  | 'isInf'
  | 'select'
  | 'cast'
  | 'softmax'
> = {
  exp: direct('Exp'),
  log: direct('Log'),
  sqrt: direct('Sqrt'),
  reciprocal: direct('Reciprocal'),
  sin: direct('Sin'),
  cos: direct('Cos'),
  tan: direct('Tan'),
  asin: direct('Asin'),
  acos: direct('Acos'),
  atan: direct('Atan'),
  sinh: direct('Sinh'),
  cosh: direct('Cosh'),
  tanh: direct('Tanh'),
  asinh: direct('Asinh'),
  acosh: direct('Acosh'),
  atanh: direct('Atanh'),
  erf: direct('Erf'),
  // ONNX Runtime's Sigmoid is 0 below −18, where a logarithm or its gradient then fails; this keeps
  // its digits, at the same cost.
  sigmoid: (e, node) => {
    const grown = e.op('Exp', [e.op('Neg', [e.operand(node, 0)])]);
    return e.op('Reciprocal', [e.op('Add', [grown, e.scalar(1)])]);
  },
  // ONNX Runtime's Softplus takes two scalar branches, four times as long as this. What rounding
  // loses of e in u = 1 + e, e − (u − 1), is added to the logarithm: small values keep their digits.
  softplus: (e, node) => {
    const x = e.operand(node, 0);
    const small = e.op('Exp', [e.op('Neg', [e.op('Abs', [x])])]);
    const u = e.op('Add', [small, e.scalar(1)]);
    const lost = e.op('Sub', [small, e.op('Sub', [u, e.scalar(1)])]);
    return e.op('Add', [e.op('Relu', [x]), e.op('Add', [e.op('Log', [u]), lost])]);
  },
  floor: direct('Floor'),
  ceil: direct('Ceil'),
  round: direct('Round'),
  neg: direct('Neg'),
  abs: direct('Abs'),
  sign: direct('Sign'),
  relu: direct('Relu'),
  add: direct('Add'),
  sub: direct('Sub'),
  mul: direct('Mul'),
  div: direct('Div'),
  pow: direct('Pow'),
  min: direct('Min'),
  max: direct('Max'),
  eq: direct('Equal'),
  lt: direct('Less'),
  le: direct('LessOrEqual'),
  gt: direct('Greater'),
  ge: direct('GreaterOrEqual'),
  and: direct('And'),
  or: direct('Or'),
  not: direct('Not'),
  isNan: direct('IsNaN'),
  isInf: direct('IsInf'),
  select: (e, node) => {
    const [c, a, b] = node.inputs.map((i) => e.name(i));
    if (node.dtype !== 'bool') return e.op('Where', [c, a, b]);
    // ONNX Runtime has no Where for bool on the CPU.
    const taken = e.op('And', [c, a]);
    return e.op('Or', [taken, e.op('And', [e.op('Not', [c]), b])]);
  },
  ne: (e, node) => e.op('Not', [e.op('Equal', [e.operand(node, 0), e.operand(node, 1)])]),
  square: (e, node) => e.op('Mul', [e.operand(node, 0), e.operand(node, 0)]),
  rsqrt: (e, node) => e.op('Reciprocal', [e.op('Sqrt', [e.operand(node, 0)])]),
  // eˣ − 1 = 2·sinh(x/2)·e^{x/2} keeps its digits near zero; below −30 it is −1 in float32.
  expm1: (e, node) => {
    const x = e.op('Max', [e.operand(node, 0), e.scalar(-30)]);
    const half = e.op('Mul', [x, e.scalar(0.5)]);
    const twice = e.op('Mul', [e.op('Sinh', [half]), e.scalar(2)]);
    return e.op('Mul', [twice, e.op('Exp', [half])]);
  },
  // With u = 1 + x rounded, log(u)·x/(u−1) undoes the rounding (Kahan); x itself where u = 1.
  log1p: (e, node) => {
    const x = e.operand(node, 0);
    const u = e.op('Add', [x, e.scalar(1)]);
    const ratio = e.op('Div', [x, e.op('Sub', [u, e.scalar(1)])]);
    const precise = e.op('Mul', [e.op('Log', [u]), ratio]);
    return e.op('Where', [e.op('Equal', [u, e.scalar(1)]), x, precise]);
  },
  // ONNX' fmod takes the sign of the dividend; where that is not the divisor's, one divisor more.
  mod: (e, node) => {
    const divisor = e.operand(node, 1);
    const zero = e.scalar(0, node.dtype);
    const rest = e.op('Mod', [e.operand(node, 0), divisor], { fmod: 1 });
    const crossed = e.op('Xor', [e.op('Less', [rest, zero]), e.op('Less', [divisor, zero])]);
    const turned = e.op('And', [crossed, e.op('Not', [e.op('Equal', [rest, zero])])]);
    return e.op('Where', [turned, e.op('Add', [rest, divisor]), rest]);
  },
  cast: (e, node) => {
    const to = { float32: 1, int32: 6, bool: 9 }[node.dtype];
    return e.op('Cast', [e.operand(node, 0)], { to });
  },
  softmax: (e, node) => e.op('Softmax', [e.operand(node, 0)], { axis: -1 }),
};
