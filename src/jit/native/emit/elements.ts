import type { DType } from '../../../core/host-tensor.ts';
import type { Node } from '../../ir/ops.ts';
import type { OpsOf } from '../plan/kinds.ts';

type ElementOp = OpsOf<'element'>;

/** The value of one element, from the values of one element of each operand. */
type ElementRule<K extends ElementOp> = (
  args: readonly string[],
  node: Node<K>,
  /** Type of the first operand. */
  from: DType,
) => string;

/** C types of elements in memory; in registers a bool is an int. */
export const MEMORY_TYPE = { float32: 'float', int32: 'int32_t', bool: 'uint8_t' } as const;
export const VALUE_TYPE = { float32: 'float', int32: 'int32_t', bool: 'int32_t' } as const;

/** A number as a C literal of the given type. */
export function literal(value: number, dtype: DType): string {
  if (dtype === 'bool') return value === 0 ? '0' : '1';
  if (dtype === 'int32') return value === -(2 ** 31) ? 'INT32_MIN' : `${Math.trunc(value)}`;
  const v = Math.fround(value);
  if (Number.isNaN(v)) return 'NAN';
  if (!Number.isFinite(v)) return v < 0 ? '-INFINITY' : 'INFINITY';
  if (Object.is(v, -0)) return '-0.0f';
  const text = String(v);
  return `${/[.e]/.test(text) ? text : `${text}.0`}f`;
}

const call = (name: string) => (args: readonly string[]) => `${name}(${args.join(', ')})`;
const infix =
  (operator: string) =>
  ([a, b]: readonly string[]) =>
    `${a} ${operator} ${b}`;
const isInt = (node: { readonly dtype: DType }) => node.dtype === 'int32';

/** Integers wrap around, which only unsigned ones may do in C. */
const wrapping =
  (operator: string): ElementRule<'add' | 'sub' | 'mul'> =>
  ([a, b], node) =>
    isInt(node) ? `(int32_t)((uint32_t)${a} ${operator} (uint32_t)${b})` : `${a} ${operator} ${b}`;

const either =
  (float: string, int: string): ElementRule<'mod' | 'pow' | 'min' | 'max'> =>
  ([a, b], node) =>
    `${isInt(node) ? int : float}(${a}, ${b})`;

export const ELEMENTS: { readonly [K in ElementOp]: ElementRule<K> } = {
  exp: call('g_exp'),
  expm1: call('g_expm1'),
  log: call('g_log'),
  log1p: call('g_log1p'),
  sqrt: call('__builtin_sqrtf'),
  rsqrt: ([x]) => `1.0f / __builtin_sqrtf(${x})`,
  reciprocal: ([x]) => `1.0f / ${x}`,
  sin: call('sinf'),
  cos: call('cosf'),
  tan: call('tanf'),
  asin: call('asinf'),
  acos: call('acosf'),
  atan: call('atanf'),
  sinh: call('sinhf'),
  cosh: call('coshf'),
  tanh: call('g_tanh'),
  asinh: call('asinhf'),
  acosh: call('acoshf'),
  atanh: call('atanhf'),
  erf: call('erff'),
  sigmoid: call('g_sigmoid'),
  softplus: call('g_softplus'),
  floor: call('__builtin_floorf'),
  ceil: call('__builtin_ceilf'),
  round: call('__builtin_rintf'),
  neg: ([x], node) => (isInt(node) ? `(int32_t)(0u - (uint32_t)${x})` : `- ${x}`),
  abs: ([x], node) =>
    isInt(node) ? `(${x} < 0 ? (int32_t)(0u - (uint32_t)${x}) : ${x})` : `__builtin_fabsf(${x})`,
  sign: ([x], node) =>
    isInt(node) ? `(${x} > 0) - (${x} < 0)` : `(float)((${x} > 0.0f) - (${x} < 0.0f))`,
  square: ([x], node) =>
    isInt(node) ? `(int32_t)((uint32_t)${x} * (uint32_t)${x})` : `${x} * ${x}`,
  relu: ([x], node) => (isInt(node) ? `(${x} > 0 ? ${x} : 0)` : `(!(${x} <= 0.0f) ? ${x} : 0.0f)`),
  add: wrapping('+'),
  sub: wrapping('-'),
  mul: wrapping('*'),
  div: ([a, b], node) => (isInt(node) ? `g_idiv(${a}, ${b})` : `${a} / ${b}`),
  mod: either('g_mod', 'g_imod'),
  pow: either('powf', 'g_ipow'),
  min: either('g_min', 'g_imin'),
  max: either('g_max', 'g_imax'),
  eq: infix('=='),
  ne: infix('!='),
  lt: infix('<'),
  le: infix('<='),
  gt: infix('>'),
  ge: infix('>='),
  and: infix('&'),
  or: infix('|'),
  not: ([x]) => `${x} ^ 1`,
  isNan: ([x]) => `${x} != ${x}`,
  isInf: ([x]) => `__builtin_fabsf(${x}) == INFINITY`,
  select: ([c, a, b]) => `(${c} ? ${a} : ${b})`,
  cast: ([x], { dtype }, from) => {
    if (dtype === from) return x;
    return dtype === 'bool' ? `${x} != 0` : `(${MEMORY_TYPE[dtype]})${x}`;
  },
  // The condition that chooses between operand and padding belongs to the access.
  pad: ([x]) => x,
};

/** The code of an element of a node. */
export function element(node: Node, args: readonly string[], from: DType): string {
  const rule = ELEMENTS[node.op as ElementOp] as ElementRule<ElementOp>;
  return rule(args, node as Node<ElementOp>, from);
}
