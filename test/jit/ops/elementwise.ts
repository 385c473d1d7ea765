import fc from 'fast-check';
import { type Tensor, tf } from '../../../src/jit/index.ts';
import {
  bools,
  broadcastable,
  type Entry,
  entry,
  type Fill,
  floats,
  ints,
  shape,
} from '../sample.ts';

type Unary = (x: Tensor) => Tensor;
type Binary = (a: Tensor, b: Tensor) => Tensor;

const unary = (name: string, fill: Fill, f: Unary, options: Partial<Entry> = {}) =>
  entry(
    name,
    { shape: shape() },
    ({ shape: s, seed }) => ({ args: [floats(s, fill, seed)], f }),
    options,
  );

const binary = (name: string, fills: [Fill, Fill], f: Binary, options: Partial<Entry> = {}) =>
  entry(
    name,
    { shapes: broadcastable(2) },
    ({ shapes, seed }) => ({
      args: shapes.map((s, i) => floats(s, fills[i], seed + i)),
      f,
    }),
    options,
  );

/** On int32 operands in [−6, 7), the second never zero when `divides`. */
const integer = (name: string, f: Binary, divides = false) =>
  entry(
    `${name} int32`,
    { shapes: broadcastable(2) },
    ({ shapes: [p, q], seed }) => {
      const a = ints(p, -6, 7, seed);
      const b = ints(q, -6, 7, seed + 1);
      const data = divides ? b.data.map((v) => v || 3) : b.data;
      return { args: [a, { ...b, data }], f };
    },
    { order: 0 },
  );

const logical = (name: string, f: Binary) =>
  entry(
    name,
    { shapes: broadcastable(2) },
    ({ shapes, seed }) => ({ args: shapes.map((s, i) => bools(s, seed + i)), f }),
    { order: 0 },
  );

/** Small whole numbers, so that equality happens; as float32 and as int32. */
const comparison = (name: string, f: Binary) =>
  entry(
    name,
    { shapes: broadcastable(2), float: fc.boolean() },
    ({ shapes, float, seed }) => ({
      args: shapes.map((s, i) => ints(s, -2, 3, seed + i)),
      f: (a: Tensor, b: Tensor) => (float ? f(a.toFloat(), b.toFloat()) : f(a, b)),
    }),
    { order: 0 },
  );

const special = (name: string, f: Unary) =>
  entry(
    name,
    { shape: shape(1, 3) },
    ({ shape: s, seed }) => {
      const x = floats(s, 'real', seed);
      const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0];
      const data = x.data.map((v, i) => (i % 2 === 0 ? odd[(i / 2) % odd.length] : v));
      return { args: [{ ...x, data }], f };
    },
    { order: 0 },
  );

/** erf by its Taylor series, exact to float64 for the range of `real`. */
function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 80; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

export const UNARY: Entry[] = [
  unary('abs', 'real', tf.abs),
  unary('neg', 'real', tf.neg),
  unary('sign', 'real', tf.sign),
  unary('square', 'real', tf.square),
  unary('relu', 'real', tf.relu),
  unary('relu6', 'offGrid', (x) => tf.relu6(x.mul(3.5))),
  unary('exp', 'real', tf.exp),
  unary('expm1', 'real', tf.expm1),
  unary('log', 'positive', tf.log),
  unary('log1p', 'unit', tf.log1p, { slack: 10 }),
  unary('sqrt', 'positive', tf.sqrt),
  unary('rsqrt', 'positive', tf.rsqrt),
  unary('reciprocal', 'positive', tf.reciprocal),
  unary('sin', 'real', tf.sin),
  unary('cos', 'real', tf.cos),
  unary('tan', 'unit', tf.tan),
  unary('asin', 'unit', tf.asin),
  unary('acos', 'unit', tf.acos),
  unary('atan', 'real', tf.atan),
  unary('sinh', 'real', tf.sinh),
  unary('cosh', 'real', tf.cosh),
  unary('tanh', 'real', tf.tanh),
  unary('asinh', 'real', tf.asinh),
  unary('acosh', 'aboveOne', tf.acosh),
  unary('atanh', 'unit', tf.atanh),
  // TensorFlow.js' erf is a rational approximation with an error of 1.5e-7.
  unary('erf', 'real', tf.erf, { reference: erf }),
  unary('sigmoid', 'real', tf.sigmoid),
  unary('logSigmoid', 'real', tf.logSigmoid),
  unary('softplus', 'real', tf.softplus),
  unary('floor', 'between', tf.floor),
  unary('ceil', 'between', tf.ceil),
  unary('round', 'between', tf.round),
  unary('elu', 'real', tf.elu),
  unary('selu', 'real', tf.selu),
  unary('leakyRelu', 'real', (x) => tf.leakyRelu(x, 0.2)),
  unary('step', 'real', (x) => tf.step(x, 0.3)),
  unary('step at 0', 'real', (x) => tf.step(x)),
  unary('clipByValue', 'offGrid', (x) => tf.clipByValue(x, -0.9, 0.6)),
  unary('clone', 'real', tf.clone),
  unary('zerosLike', 'real', (x) => tf.zerosLike(x).add(x)),
  unary('onesLike', 'real', (x) => tf.onesLike(x).mul(x)),
  unary('fill', 'real', (x) => tf.fill(x.shape, 0.7).mul(x)),
  unary('linspace', 'real', (x) => x.flatten().mul(tf.linspace(-1, 2, x.size))),
  unary('range', 'real', (x) => x.flatten().mul(tf.range(1, 1 + 0.5 * x.size, 0.5))),
  unary('masks do not stop differentiation', 'real', (x) =>
    tf.where(tf.logicalNot(tf.any(x.greater(5))).logicalAnd(x.isFinite()), x.square(), x),
  ),
  special('isNaN', tf.isNaN),
  special('isInf', tf.isInf),
  special('isFinite', tf.isFinite),
];

export const CASTS: Entry[] = [
  unary('cast to int32', 'between', (x) => x.mul(3).toInt(), { order: 0 }),
  unary('cast to bool', 'between', (x) => tf.floor(x).toBool(), { order: 0 }),
  unary('cast to float32', 'real', (x) => x.greater(0).toFloat().add(x.greater(0).toInt()), {
    order: 0,
  }),
];

export const BINARY: Entry[] = [
  binary('add', ['real', 'real'], tf.add),
  binary('sub', ['real', 'real'], tf.sub),
  binary('mul', ['real', 'real'], tf.mul),
  binary('div', ['real', 'positive'], tf.div),
  binary('divNoNan', ['real', 'positive'], tf.divNoNan),
  binary('pow', ['positive', 'real'], tf.pow),
  binary('maximum', ['grid', 'offGrid'], tf.maximum),
  binary('minimum', ['grid', 'offGrid'], tf.minimum),
  binary('atan2', ['real', 'real'], tf.atan2),
  binary('squaredDifference', ['real', 'real'], tf.squaredDifference),
  // Away from where the quotient is whole.
  binary('mod', ['grid', 'real'], (a, b) => tf.mod(b.floor().add(0.5).mul(b).add(a.mul(0)), b), {
    fixed: [0],
  }),
  binary(
    'mod of a small by a large',
    ['real', 'positive'],
    (a, b) => tf.mod(a.mul(1e-3), b.mul(500)),
    {
      order: 0,
    },
  ),
  binary('floorDiv', ['real', 'positive'], tf.floorDiv, { order: 0 }),
  binary('prelu', ['real', 'real'], (x, alpha) => tf.prelu(x, alpha)),
  ...[0, 0.5, 1, 2, 3, -0.5, -1, 2.5].map((p) =>
    unary(`pow ${p}`, 'positive', (x) => tf.pow(x, p)),
  ),
  integer('add', tf.add),
  integer('sub', tf.sub),
  integer('mul', tf.mul),
  integer('div', tf.div, true),
  integer('mod', tf.mod, true),
  integer('maximum', tf.maximum),
  integer('minimum', tf.minimum),
  integer('squaredDifference', tf.squaredDifference),
  integer('neg, abs, sign, square, relu', (a, b) =>
    tf.neg(tf.abs(a)).add(tf.sign(b)).add(tf.square(a)).add(tf.relu(b).toInt()),
  ),
  comparison('equal', tf.equal),
  comparison('notEqual', tf.notEqual),
  comparison('less', tf.less),
  comparison('lessEqual', tf.lessEqual),
  comparison('greater', tf.greater),
  comparison('greaterEqual', tf.greaterEqual),
  logical('logicalAnd', tf.logicalAnd),
  logical('logicalOr', tf.logicalOr),
  logical('logicalXor', tf.logicalXor),
  logical('logicalNot', (a, b) => tf.logicalNot(a).logicalAnd(b)),
];

export const NARY: Entry[] = [
  entry('addN', { shape: shape() }, ({ shape: s, seed }) => ({
    args: [0, 1, 2].map((i) => floats(s, 'real', seed + i)),
    f: (...xs: Tensor[]) => tf.addN(xs),
  })),
  entry('where', { shapes: broadcastable(3) }, ({ shapes: [c, a, b], seed }) => ({
    args: [bools(c, seed), floats(a, 'real', seed), floats(b, 'real', seed + 1)],
    f: (cond: Tensor, t: Tensor, e: Tensor) => tf.where(cond, t, e),
  })),
  entry(
    'where int32 and bool',
    { shapes: broadcastable(3) },
    ({ shapes: [c, a, b], seed }) => ({
      args: [bools(c, seed), ints(a, -5, 5, seed), ints(b, -5, 5, seed), bools(a, seed + 7)],
      f: (cond: Tensor, t: Tensor, e: Tensor, p: Tensor) => [
        tf.where(cond, t, e),
        tf.where(cond, p, tf.logicalNot(p)),
      ],
    }),
    { order: 0 },
  ),
];

export const ELEMENTWISE = [...UNARY, ...CASTS, ...BINARY, ...NARY];
