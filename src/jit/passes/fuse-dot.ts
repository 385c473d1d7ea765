import { sameShape, sizeOf } from '../../core/host-tensor.ts';
import type { Graph, Node } from '../ir/ops.ts';
import type { Rewriter } from './rewriter.ts';
import { countUses, rewriteNodes } from './rewriter.ts';

/** Below this many terms the two reshapes cost more than the pass over memory they save. */
const MIN_TERMS = 4096;

/**
 * A sum of products over all elements is an inner product: one pass over the operands in place of
 * a pass that writes the products and one that adds them.
 */
export function fuseDot(graph: Graph): Graph {
  const uses = countUses(graph);
  const factors = (node: Node<'sum'>): readonly number[] | undefined => {
    const product = graph.nodes[node.inputs[0]];
    if (sizeOf(node.shape) !== 1 || sizeOf(product.shape) < MIN_TERMS) return undefined;
    if (uses[product.id] !== 1 || product.dtype !== 'float32') return undefined;
    if (product.op === 'square') return [product.inputs[0], product.inputs[0]];
    if (product.op !== 'mul') return undefined;
    const full = product.inputs.every((i) => sameShape(graph.nodes[i].shape, product.shape));
    return full ? product.inputs : undefined;
  };
  return rewriteNodes(graph, (r, node, map) => {
    if (node.op !== 'sum') return undefined;
    const pair = factors(node);
    return pair && innerProduct(r, map[pair[0]], map[pair[1]], node.shape);
  });
}

function innerProduct(r: Rewriter, a: number, b: number, shape: readonly number[]): number {
  const row = (id: number) => r.emit('reshape', [id], { shape: [1, sizeOf(r.shape(id))] });
  const product = r.emit('matmul', [row(a), row(b)], { transA: false, transB: true });
  return r.emit('reshape', [product], { shape });
}
