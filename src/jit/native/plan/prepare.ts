import { sizeOf } from '../../../core/host-tensor.ts';
import type { Graph, Node } from '../../ir/ops.ts';
import { verify } from '../../ir/verify.ts';
import { type Rewriter, rewriteNodes } from '../../passes/rewriter.ts';

/**
 * Says what a compiled loop does better than a product of matrices: one with zeros, which second
 * derivatives leave behind, and an inner product.
 */
export function prepare(graph: Graph): Graph {
  const lean = rewriteNodes(graph, (r, node, map) => {
    if (node.op !== 'matmul' && node.op !== 'gemm') return undefined;
    return withoutZeros(r, node, map) ?? innerProduct(r, node, map);
  });
  verify(lean, 'prepare');
  return lean;
}

function withoutZeros(
  r: Rewriter,
  node: Node<'matmul' | 'gemm'>,
  map: readonly number[],
): number | undefined {
  if (![0, 1].some((i) => r.uniform(map[node.inputs[i]]) === 0)) return undefined;
  if (node.op === 'matmul') return r.splat(0, node.shape, 'float32');
  return r.emit('broadcast', [map[node.inputs[2]]], { shape: node.shape });
}

function innerProduct(
  r: Rewriter,
  node: Node<'matmul' | 'gemm'>,
  map: readonly number[],
): number | undefined {
  if (node.op !== 'matmul' || sizeOf(node.shape) !== 1) return undefined;
  const [a, b] = node.inputs.map((i) => {
    const shape = [sizeOf(r.shape(map[i]))];
    return r.emit('reshape', [map[i]], { shape });
  });
  const product = a === b ? r.emit('square', [a], {}) : r.emit('mul', [a, b], {});
  const total = r.emit('sum', [product], { axes: [0], keepDims: false });
  return r.emit('reshape', [total], { shape: node.shape });
}
