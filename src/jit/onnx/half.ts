import { sizeOf } from '../../core/host-tensor.ts';
import type { Node } from '../ir/ops.ts';
import { flopsOf } from '../ir/spec.ts';
import type { Emitter } from './emitter.ts';
import { ONNX_TYPE } from './proto.ts';

/** How one product of matrices or convolution takes its operands and gives its result. */
export interface Product {
  readonly first: string;
  readonly second: string;
  /** Nothing is rounded: both are the operands themselves. */
  readonly exact: boolean;
  /** A zero of the operands' type. */
  zero(): string;
  /** Their product, or a piece of it, in float32. */
  result(name: string): string;
}

/**
 * Operations per element of operands and result, from which a product is worth rounding for: scaling
 * and rounding pass over each element a few times. By estimate; not measured on a graphics card.
 */
const WORTH_ROUNDING = 128;

/** Binary logarithm of how many terms of less than 4 add up to less than 2¹⁵. */
const MOST_TERMS = 13;

/** What is smaller is not scaled up further, what is larger not down: their product stays finite. */
const [SMALLEST, LARGEST] = [2 ** -60, 2 ** 60];

/**
 * The operands of a node that multiplies its first two, and what becomes of the product: as they are
 * in float32, rounded to float16 where the dialect says so and the product is worth it. `terms`: how
 * many products each element of the result is a sum of, at most.
 *
 * float16 has 11 bits and the range of 6e-8 to 65504: gradients would fall below it. Micikevicius et
 * al. (ICLR 2018, arXiv:1710.03740, section 3.2) multiply the loss, so that all gradients lie higher,
 * and skip steps that overflow. Here every operand has a scale of its own, as in training with 8 bits
 * (Micikevicius et al. 2022, arXiv:2209.05433): it is divided by the power of two at or below its
 * largest element, and the product multiplied by both. That is loss scaling done per operand and anew
 * in each step. Nothing overflows, no step is left out, no state is kept, and what is differentiated
 * (several losses, gradients of gradients) knows nothing of it. A scaled loss reaches the inner gradient
 * of a penalty too late: there, small gradients are lost before they are multiplied. It costs two
 * readings of each operand for its extremes and one pass to scale.
 *
 * Providers may add in float16: the scales keep every partial sum of up to 2¹³ terms below 2¹⁵; where
 * there are more, the second operand is made smaller still.
 */
export function productOf(e: Emitter, node: Node, terms: number): Product {
  const [first, second] = [e.operand(node, 0), e.operand(node, 1)];
  const { products } = e.dialect;
  if (products === 'float32' || !isWorthRounding(e, node)) {
    return { first, second, exact: true, zero: () => e.scalar(0), result: (name) => name };
  }
  const keep = (name: string) =>
    products === 'float16' ? name : e.op('Cast', [name], { to: ONNX_TYPE.float32 });
  const half = (name: string) => keep(e.op('Cast', [name], { to: ONNX_TYPE.float16 }));
  const room = 2 ** Math.min(0, MOST_TERMS - Math.ceil(Math.log2(terms)));
  const units = [0, 1].map((i) => unitOf(e, e.operand(node, i), e.shapeOf(node, i)));
  const scaled = (name: string, unit: string, size: number) =>
    e.once(`half ${name} ${size}`, () =>
      half(e.op('Mul', [name, e.op('Div', [e.scalar(size), unit])])),
    );
  return {
    first: scaled(first, units[0], 1),
    second: scaled(second, units[1], room),
    exact: false,
    zero: () =>
      products === 'float16' ? e.literal('float16', [], Uint16Array.of(0)) : e.scalar(0),
    result: (name) => {
      const wide = e.op('Cast', [products === 'float16' ? name : half(name)], {
        to: ONNX_TYPE.float32,
      });
      const unit = e.once(`units ${units} ${room}`, () => {
        const both = e.op('Mul', units);
        return room === 1 ? both : e.op('Mul', [both, e.scalar(1 / room)]);
      });
      return e.op('Mul', [wide, unit]);
    },
  };
}

function isWorthRounding(e: Emitter, node: Node): boolean {
  const operands = node.inputs.map((i) => e.graph.nodes[i]);
  const elements = [...operands.slice(0, 2), node].reduce((n, { shape }) => n + sizeOf(shape), 0);
  return elements > 0 && flopsOf(node, operands) >= WORTH_ROUNDING * elements;
}

/**
 * The power of two at or below the largest |x|. With q = (2²³ + 1)·m rounded to float32,
 * q − (1 − 2⁻²⁴)·q is that of m, its unit in the first place (Rump 2009, SIAM J. Sci. Comput. 31(5)):
 * no logarithm, whose last bits differ between devices.
 */
function unitOf(e: Emitter, x: string, shape: readonly number[]): string {
  return e.once(`unit ${x}`, () => {
    const size = e.op('Max', [
      extreme(e, 'ReduceMax', x, shape),
      e.op('Neg', [extreme(e, 'ReduceMin', x, shape)]),
    ]);
    const m = e.op('Clip', [size, e.scalar(SMALLEST), e.scalar(LARGEST)]);
    const q = e.op('Mul', [m, e.scalar(2 ** 23 + 1)]);
    return e.op('Sub', [q, e.op('Mul', [q, e.scalar(1 - 2 ** -24)])]);
  });
}

/** Of all elements, in two steps: a device computes many results side by side, one on one thread. */
function extreme(e: Emitter, type: string, x: string, shape: readonly number[]): string {
  const half = Math.sqrt(sizeOf(shape));
  let kept = 0;
  for (let rows = 1; kept < shape.length && rows * shape[kept] <= 4 * half; kept++) {
    rows *= shape[kept];
  }
  const rest = shape.map((_, axis) => axis).slice(kept);
  const rows = rest.length === 0 ? x : e.op(type, [x, e.ints(rest)], { keepdims: 0 });
  if (kept === 0) return rows;
  return e.op(type, [rows, e.ints(Array.from({ length: kept }, (_, i) => i))], { keepdims: 0 });
}
