import type { Node } from '../ir/ops.ts';
import type { Emitter } from './emitter.ts';

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

export function gemm(e: Emitter, node: Node<'gemm'>): string {
  return product(e, node, [e.operand(node, 0), e.operand(node, 1), e.operand(node, 2)]);
}

export function matmul(e: Emitter, node: Node<'matmul'>): string {
  const operands = [e.operand(node, 0), e.operand(node, 1)];
  const shapes = [e.shapeOf(node, 0), e.shapeOf(node, 1)];
  // A sum of no terms: the WebGPU provider divides by their number.
  if (shapes.some((shape) => shape.includes(0))) {
    return e.op('Expand', [e.scalar(0, node.dtype), e.ints(node.shape)]);
  }
  const [transA, transB] = [node.attrs.transA ? 1 : 0, node.attrs.transB ? 1 : 0];
  if (shapes.every((shape) => shape.length === 2)) return product(e, node, operands);
  if (transA + transB === 0) return e.op('MatMul', operands);
  if (e.dialect.portable) return e.op('MatMul', turnedOperands(e, node, operands));
  return e.op('FusedMatMul', operands, { transA, transB }, 'com.microsoft');
}

/** a·bᵀ for each of a batch: [N, m, k] and [N, n, k] to [N, m, n]. */
export function timesTransposed(e: Emitter, a: string, b: string): string {
  if (e.dialect.portable) return e.op('MatMul', [a, e.op('Transpose', [b], { perm: [0, 2, 1] })]);
  return e.op('FusedMatMul', [a, b], { transA: 0, transB: 1 }, 'com.microsoft');
}
