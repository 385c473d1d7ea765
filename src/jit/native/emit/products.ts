import { sizeOf } from '../../../core/host-tensor.ts';
import type { Node } from '../../ir/ops.ts';
import { FLOPS_WORTH_SHARING, type GemmCall } from '../gemm/gemm.ts';
import { broadcastStrides, isContiguous, type View } from '../plan/view.ts';
import { roundsOperands } from '../rounded.ts';
import type { CallEmitter, CallRule } from './call.ts';

type Product = Node<'matmul' | 'gemm'>;

/** Whether the matrices of a view lie column by column: as the transposed ones row by row. */
function liesTurned({ shape, strides }: View): boolean {
  const rank = shape.length;
  const [rows, cols] = [shape[rank - 2], shape[rank - 1]];
  const byRows =
    (cols === 1 || strides[rank - 1] === 1) && (rows === 1 || strides[rank - 2] === cols);
  return !byRows;
}

function callOf(c: CallEmitter, node: Product): GemmCall {
  const { transA, transB } = node.attrs;
  const a = c.shape(0);
  const [m, n] = node.shape.slice(-2);
  const k = a[a.length - (transA ? 2 : 1)];
  const rounds = c.precision === 'bfloat16' && roundsOperands(node.shape, k);
  return {
    m,
    n,
    k,
    transA: transA !== liesTurned(c.views[0]),
    transB: transB !== liesTurned(c.views[1]),
    batch: 1,
    accumulate: false,
    bias: 'none',
    precision: rounds ? 'bf16' : 'float32',
  };
}

const matmul: CallRule<'matmul'> = (c, node) => {
  const call = callOf(c, node);
  if (call.k === 0) return zeros(c, node);
  const leading = node.shape.slice(0, -2);
  const batch = sizeOf(leading);
  const [a, b, out] = [c.operand(0), c.operand(1), c.result()];
  if (batch === 1) return `  ${c.product(call, a, b, 'NULL', out)}`;
  // One right operand for all: the left ones are one tall matrix.
  if (!call.transA && sizeOf(c.shape(1).slice(0, -2)) === 1 && isContiguous(c.views[0])) {
    const rows = sizeOf(c.shape(0).slice(0, -1));
    if (rows === batch * call.m) {
      return `  ${c.product({ ...call, m: rows }, a, b, 'NULL', out)}`;
    }
  }
  const walk = (view: View) =>
    broadcastStrides(
      { ...view, shape: view.shape.slice(0, -2), strides: view.strides.slice(0, -2) },
      leading,
    );
  const [stepA, stepB] = [walk(c.views[0]), walk(c.views[1])];
  const at = (name: string, strides: readonly number[]) =>
    [name, ...strides.flatMap((s, i) => (s === 0 ? [] : [`b${i} * ${s}`]))].join(' + ');
  const size = call.m * call.n;
  const own = leading.map((_, i) => size * sizeOf(leading.slice(i + 1)));
  const flops = 2 * batch * call.m * call.n * call.k;
  const split = flops >= FLOPS_WORTH_SHARING ? leading.findIndex((d) => d > 1) : -1;
  const bounds = split < 0 ? [] : [c.share(leading[split])];
  const loops = leading.map((d, i) => {
    const [from, to] = i === split ? ['from', 'to'] : ['0', `${d}`];
    return `  for (long b${i} = ${from}; b${i} < ${to}; b${i}++)`;
  });
  const one = c.product(call, at(a, stepA), at(b, stepB), 'NULL', at(out, own), true);
  return [...bounds, ...loops, `    ${one}`].join('\n');
};

const zeros = (c: CallEmitter, node: Product) =>
  `  for (long i = 0; i < ${sizeOf(node.shape)}; i++) ${c.result()}[i] = 0.0f;`;

const gemm: CallRule<'gemm'> = (c, node) => {
  const call = callOf(c, node);
  const { m, n, k } = call;
  const shape = c.shape(2);
  const size = sizeOf(shape);
  const [a, b, out] = [c.operand(0), c.operand(1), c.result()];
  const addend = c.operand(2);
  const bias: GemmCall['bias'] =
    size === m * n
      ? 'full'
      : size === n && shape.at(-1) === n
        ? 'row'
        : size === m
          ? 'column'
          : 'none';
  if (bias !== 'none' && k > 0) return `  ${c.product({ ...call, bias }, a, b, addend, out)}`;
  // One number for all, or nothing to add it to.
  const [down, right] = [bias === 'column' || bias === 'full', bias === 'row' || bias === 'full'];
  const at = `${addend}[${down ? (right ? `i * ${n} + j` : 'i') : right ? 'j' : '0'}]`;
  const fill = `  for (long i = 0; i < ${m}; i++) for (long j = 0; j < ${n}; j++) ${out}[i * ${n} + j] = ${at};`;
  if (k === 0) return fill;
  return `${fill}\n  ${c.product({ ...call, accumulate: true }, a, b, 'NULL', out, true)}`;
};

export const PRODUCTS = { matmul, gemm };
