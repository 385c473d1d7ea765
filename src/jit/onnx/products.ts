import type { Node } from '../ir/ops.ts';
import type { Emitter } from './emitter.ts';
import { productOf } from './half.ts';

/**
 * A product of matrices. ONNX Runtime packs a transposed left operand slowly: for large products
 * (weight gradients) a Transpose before a plain one is a sixth faster in all.
 */
function product(e: Emitter, node: Node<'matmul' | 'gemm'>, operands: readonly string[]): string {
  const { transA, transB } = node.attrs;
  const [m, n] = node.shape;
  const k = e.shapeOf(node, 0)[transA ? 0 : 1];
  if (transA && m * n * k >= 2 ** 21) {
    const [a, ...rest] = operands;
    const turned = e.transposed(a);
    return e.op('Gemm', [turned, ...rest], { transA: 0, transB: transB ? 1 : 0 });
  }
  return e.op('Gemm', operands, { transA: transA ? 1 : 0, transB: transB ? 1 : 0 });
}

/** The operands of a batched product with the last two axes of those turned that are to be. */
function turnedOperands(e: Emitter, node: Node<'matmul'>, operands: readonly string[]): string[] {
  const { transA, transB } = node.attrs;
  return operands.map((name, i) => {
    if (!(i === 0 ? transA : transB)) return name;
    const axes = e.shapeOf(node, i).map((_, axis) => axis);
    const perm = [...axes.slice(0, -2), axes[axes.length - 1], axes[axes.length - 2]];
    return e.op('Transpose', [name], { perm });
  });
}

/** How many products an element of a product of matrices is a sum of. */
const termsOf = (e: Emitter, node: Node<'matmul' | 'gemm'>) =>
  e.shapeOf(node, 0).at(node.attrs.transA ? -2 : -1) as number;

export function gemm(e: Emitter, node: Node<'gemm'>): string {
  const p = productOf(e, node, termsOf(e, node));
  const addend = e.operand(node, 2);
  if (p.exact) return product(e, node, [p.first, p.second, addend]);
  return e.op('Add', [p.result(product(e, node, [p.first, p.second])), addend]);
}

export function matmul(e: Emitter, node: Node<'matmul'>): string {
  const shapes = [e.shapeOf(node, 0), e.shapeOf(node, 1)];
  // A sum of no terms: the WebGPU provider divides by their number.
  if (shapes.some((shape) => shape.includes(0))) {
    return e.op('Expand', [e.scalar(0, node.dtype), e.ints(node.shape)]);
  }
  const p = productOf(e, node, termsOf(e, node));
  return p.result(ofMatrices(e, node, [p.first, p.second]));
}

function ofMatrices(e: Emitter, node: Node<'matmul'>, operands: readonly string[]): string {
  const [transA, transB] = [node.attrs.transA ? 1 : 0, node.attrs.transB ? 1 : 0];
  if (e.shapeOf(node, 0).length === 2 && e.shapeOf(node, 1).length === 2) {
    return product(e, node, operands);
  }
  if (transA + transB === 0) return e.op('MatMul', operands);
  if (e.dialect.portable) return e.op('MatMul', turnedOperands(e, node, operands));
  return e.op('FusedMatMul', operands, { transA, transB }, 'com.microsoft');
}

/** a·bᵀ for each of a batch: [N, m, k] and [N, n, k] to [N, m, n]. */
export function timesTransposed(e: Emitter, a: string, b: string): string {
  if (e.dialect.portable) return e.op('MatMul', [a, e.op('Transpose', [b], { perm: [0, 2, 1] })]);
  return e.op('FusedMatMul', [a, b], { transA: 0, transB: 1 }, 'com.microsoft');
}
