import { sameShape } from '../../core/host-tensor.ts';
import type { Graph, Node } from '../ir/ops.ts';
import { broadcastShapes } from '../ir/spec.ts';
import { countUses, rewriteNodes } from './rewriter.ts';

/**
 * a·b + c in one operation: the bias of a layer, or the sum of two products (then the second
 * accumulates onto the first and a pass over memory is saved).
 */
export function fuseGemm(graph: Graph): Graph {
  const uses = countUses(graph);
  const taken = new Set<number>();
  /** The product to fuse into an addition, if one of its operands is one. */
  const productOf = (node: Node<'add'>): { product: Node<'matmul'>; addend: Node } | undefined => {
    for (const [i, j] of [
      [0, 1],
      [1, 0],
    ]) {
      const product = graph.nodes[node.inputs[i]];
      const addend = graph.nodes[node.inputs[j]];
      if (product.op !== 'matmul' || uses[product.id] !== 1 || taken.has(product.id)) continue;
      if (product.inputs.some((k) => graph.nodes[k].shape.length !== 2)) continue;
      if (addend.shape.length > 2) continue;
      if (!sameShape(broadcastShapes(product.shape, addend.shape), product.shape)) continue;
      taken.add(product.id);
      return { product, addend };
    }
    return undefined;
  };
  return rewriteNodes(graph, (r, node, map) => {
    if (node.op !== 'add') return undefined;
    const found = productOf(node);
    if (found === undefined) return undefined;
    const { product, addend } = found;
    const operands = [map[product.inputs[0]], map[product.inputs[1]], map[addend.id]];
    return r.emit('gemm', operands, product.attrs);
  });
}
