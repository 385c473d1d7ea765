import { sameShape, sizeOf } from '../../core/host-tensor.ts';
import {
  ARITHMETIC,
  COMPARISON,
  FLOAT_UNARY,
  LOGICAL,
  NUMERIC_UNARY,
  type Op,
  type OpAttrs,
} from '../ir/ops.ts';
import { broadcastShapes } from '../ir/spec.ts';
import type { RewriteRule, RewriteRules, Rewriter } from './rewriter.ts';

const NONE = {};
type Elementwise = (typeof ARITHMETIC | typeof COMPARISON | typeof LOGICAL)[number] | 'select';
type Unary = (typeof FLOAT_UNARY | typeof NUMERIC_UNARY)[number];
type Rule = RewriteRule<Op>;

/** Unary functions that are folded on constants. */
const EVALUATE: Partial<Record<Unary, (x: number) => number>> = {
  neg: (x) => -x,
  abs: Math.abs,
  square: (x) => x * x,
  relu: (x) => Math.max(x, 0),
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  reciprocal: (x) => 1 / x,
  exp: Math.exp,
  log: Math.log,
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
};

const EVALUATE_BINARY: Partial<Record<Elementwise, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: Math.min,
  max: Math.max,
};

/** The operand without the repetition that an elementwise consumer would do by itself. */
function core(r: Rewriter, id: number): number {
  const spread = r.match(id, 'broadcast');
  if (spread !== undefined) return spread.inputs[0];
  const splat = r.match(id, 'splat');
  if (splat !== undefined && splat.shape.length > 0) {
    return r.splat(splat.attrs.value, [], splat.dtype);
  }
  // Leading axes of length 1 are what broadcasting adds by itself.
  const view = r.match(id, 'reshape');
  if (view !== undefined) {
    const source = r.shape(view.inputs[0]);
    const extra = view.shape.length - source.length;
    const added = view.shape.slice(0, Math.max(0, extra));
    if (extra > 0 && added.every((d) => d === 1) && sameShape(view.shape.slice(extra), source)) {
      return view.inputs[0];
    }
  }
  return id;
}

const shapeOf = (r: Rewriter, ids: readonly number[]) =>
  ids.map((id) => r.shape(id)).reduce(broadcastShapes);

/** `id` in the shape it is expected to have. */
function widen(r: Rewriter, id: number, shape: readonly number[]): number {
  return sameShape(r.shape(id), shape) ? id : r.emit('broadcast', [id], { shape });
}

/** Works on operands before they are repeated, and repeats the (smaller) result instead. */
function sinkBroadcasts(r: Rewriter, op: Elementwise, inputs: readonly number[]) {
  const cores = inputs.map((id) => core(r, id));
  if (cores.every((id, i) => id === inputs[i])) return undefined;
  const full = shapeOf(r, inputs);
  const small = shapeOf(r, cores);
  const lean = r.emit(op, cores, NONE);
  return sameShape(small, full) ? lean : r.emit('broadcast', [lean], { shape: full });
}

const withBroadcasts =
  (op: Elementwise, rule?: Rule): Rule =>
  (r, inputs, attrs) => {
    const folded = fold(r, op, inputs);
    if (folded !== undefined) return folded;
    return sinkBroadcasts(r, op, inputs) ?? rule?.(r, inputs, attrs);
  };

function fold(r: Rewriter, op: Elementwise, inputs: readonly number[]): number | undefined {
  const evaluate = EVALUATE_BINARY[op];
  if (evaluate === undefined || r.dtype(inputs[0]) !== 'float32') return undefined;
  const [a, b] = inputs.map((id) => r.uniform(id));
  if (a === undefined || b === undefined) return undefined;
  return r.splat(Math.fround(evaluate(a, b)), shapeOf(r, inputs), 'float32');
}

const unary =
  (op: Unary): Rule =>
  (r, [x]) => {
    const value = r.uniform(x);
    const evaluate = EVALUATE[op];
    if (value !== undefined && evaluate !== undefined && r.dtype(x) === 'float32') {
      return r.splat(Math.fround(evaluate(value)), r.shape(x), 'float32');
    }
    const spread = r.match(x, 'broadcast');
    if (spread !== undefined) {
      return r.emit('broadcast', [r.emit(op, spread.inputs, NONE)], spread.attrs);
    }
    const inner = r.match(x, 'neg');
    if (inner !== undefined) {
      if (op === 'neg') return inner.inputs[0];
      if (op === 'square' || op === 'abs') return r.emit(op, inner.inputs, NONE);
    }
    return undefined;
  };

const negated = (r: Rewriter, id: number) => r.match(id, 'neg')?.inputs[0];

const add: Rule = (r, inputs) => {
  const [a, b] = inputs;
  const shape = shapeOf(r, inputs);
  if (r.uniform(b) === 0) return widen(r, a, shape);
  if (r.uniform(a) === 0) return widen(r, b, shape);
  const [minusA, minusB] = [negated(r, a), negated(r, b)];
  if (minusB !== undefined) return r.emit('sub', [a, minusB], NONE);
  if (minusA !== undefined) return r.emit('sub', [b, minusA], NONE);
  return leakySlope(r, a, b) ?? leakySlope(r, b, a);
};

/**
 * mask·(1 − a) + a, the slope of a leaky ReLU with 0 ≤ a ≤ 1, is max(mask, a) where the mask is 0 or
 * 1: a pass over memory less, and exactly 1 where it should be.
 */
function leakySlope(r: Rewriter, scaled: number, offset: number): number | undefined {
  const a = r.uniform(offset);
  const product = r.match(scaled, 'mul');
  if (a === undefined || a < 0 || a > 1 || product === undefined) return undefined;
  const [mask, factor] = product.inputs;
  const c = r.uniform(factor);
  if (c === undefined || Math.abs(a + c - 1) > 1e-7) return undefined;
  const truth = r.match(mask, 'cast')?.inputs[0];
  if (truth === undefined || r.dtype(truth) !== 'bool') return undefined;
  return r.emit('max', [mask, r.splat(a, [], 'float32')], NONE);
}

const sub: Rule = (r, inputs) => {
  const [a, b] = inputs;
  const shape = shapeOf(r, inputs);
  if (r.uniform(b) === 0) return widen(r, a, shape);
  if (r.uniform(a) === 0) return widen(r, r.emit('neg', [b], NONE), shape);
  const minusB = negated(r, b);
  if (minusB !== undefined) return r.emit('add', [a, minusB], NONE);
  return undefined;
};

/** x·c for a constant c: identities, and one product where there were two. */
function scale(r: Rewriter, x: number, c: number, shape: readonly number[]): number | undefined {
  if (c === 1) return widen(r, x, shape);
  // Exact for finite x; an infinite or NaN operand would have shown where it arose.
  if (c === 0) return r.splat(0, shape, r.dtype(x));
  if (r.dtype(x) !== 'float32') return undefined;
  if (c === -1) return widen(r, r.emit('neg', [x], NONE), shape);
  const minus = negated(r, x);
  if (minus !== undefined) return r.emit('mul', [minus, r.splat(-c, [], 'float32')], NONE);
  const inner = r.match(x, 'mul');
  if (inner === undefined) return undefined;
  for (const [i, j] of [
    [0, 1],
    [1, 0],
  ]) {
    const factor = r.uniform(inner.inputs[i]);
    if (factor === undefined) continue;
    const both = r.splat(Math.fround(factor * c), [], 'float32');
    return widen(r, r.emit('mul', [inner.inputs[j], both], NONE), shape);
  }
  return undefined;
}

const mul: Rule = (r, inputs) => {
  const [a, b] = inputs;
  const shape = shapeOf(r, inputs);
  const [ca, cb] = [r.uniform(a), r.uniform(b)];
  if (cb !== undefined) return scale(r, a, cb, shape);
  if (ca !== undefined) return scale(r, b, ca, shape);
  const [minusA, minusB] = [negated(r, a), negated(r, b)];
  if (minusA !== undefined && minusB !== undefined) return r.emit('mul', [minusA, minusB], NONE);
  // A sign moves outward, where a sum may absorb it.
  if (minusA !== undefined) return r.emit('neg', [r.emit('mul', [minusA, b], NONE)], NONE);
  if (minusB !== undefined) return r.emit('neg', [r.emit('mul', [a, minusB], NONE)], NONE);
  if (a === b) return r.emit('square', [a], NONE);
  return undefined;
};

const div: Rule = (r, inputs) => {
  const [a, b] = inputs;
  if (r.dtype(a) !== 'float32') return undefined;
  const shape = shapeOf(r, inputs);
  const divisor = r.uniform(b);
  if (divisor !== undefined && divisor !== 0) {
    return r.emit('mul', [a, r.splat(Math.fround(1 / divisor), [], 'float32')], NONE);
  }
  if (r.uniform(a) === 0) return r.splat(0, shape, 'float32');
  // One reciprocal per distinct divisor and products for the rest: divisions are slow.
  if (2 * sizeOf(r.shape(b)) <= sizeOf(shape)) {
    return r.emit('mul', [a, r.emit('reciprocal', [b], NONE)], NONE);
  }
  const minus = negated(r, a);
  if (minus !== undefined) return r.emit('neg', [r.emit('div', [minus, b], NONE)], NONE);
  return undefined;
};

const pow: Rule = (r, [x, e]) => {
  if (r.dtype(x) !== 'float32') return undefined;
  switch (r.uniform(e)) {
    case 0:
      return r.splat(1, r.shape(x), 'float32');
    case 1:
      return x;
    case 2:
      return r.emit('square', [x], NONE);
    case 3:
      return r.emit('mul', [r.emit('square', [x], NONE), x], NONE);
    case 1.5:
      return r.emit('mul', [x, r.emit('sqrt', [x], NONE)], NONE);
    case 0.5:
      return r.emit('sqrt', [x], NONE);
    case -0.5:
      return r.emit('rsqrt', [x], NONE);
    case -1:
      return r.emit('reciprocal', [x], NONE);
    default:
      return undefined;
  }
};

const select: Rule = (r, inputs) => {
  const [c, a, b] = inputs;
  const condition = r.uniform(c);
  if (condition !== undefined) return widen(r, condition !== 0 ? a : b, shapeOf(r, inputs));
  return a === b ? widen(r, a, shapeOf(r, inputs)) : undefined;
};

const cast: RewriteRule<'cast'> = (r, [x], { dtype }) => {
  if (r.dtype(x) === dtype) return x;
  const value = r.uniform(x);
  if (value !== undefined) return r.splat(castValue(value, dtype), r.shape(x), dtype);
  const spread = r.match(x, 'broadcast');
  if (spread === undefined) return undefined;
  return r.emit('broadcast', [r.emit('cast', spread.inputs, { dtype })], spread.attrs);
};

function castValue(value: number, dtype: OpAttrs['cast']['dtype']): number {
  if (dtype === 'bool') return value === 0 ? 0 : 1;
  return dtype === 'int32' ? Math.trunc(value) : Math.fround(value);
}

const SPECIAL: Partial<Record<Elementwise, Rule>> = { add, sub, mul, div, pow, select };

export const ALGEBRA: RewriteRules = Object.fromEntries([
  ...[...ARITHMETIC, ...COMPARISON, ...LOGICAL, 'select' as const].map((op) => [
    op,
    withBroadcasts(op, SPECIAL[op]),
  ]),
  ...[...FLOAT_UNARY, ...NUMERIC_UNARY].map((op) => [op, unary(op)]),
  ['cast', cast],
]);
