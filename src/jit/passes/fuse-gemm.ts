import { sameShape } from '../../core/host-tensor.ts';
import type { Graph, Node } from '../ir/ops.ts';
import { broadcastShapes } from '../ir/spec.ts';
import { eliminateDeadCode } from './dead-code.ts';

/**
 * a·b + c in one operation: the bias of a layer, or the sum of two products (then the second
 * accumulates onto the first and a pass over memory is saved).
 */
export function fuseGemm(graph: Graph): Graph {
  const uses = new Uint32Array(graph.nodes.length);
  for (const node of graph.nodes) for (const i of node.inputs) uses[i]++;
  for (const id of graph.outputs) uses[id]++;

  const fusable = (node: Node): node is Node<'matmul'> =>
    node.op === 'matmul' &&
    uses[node.id] === 1 &&
    node.inputs.every((i) => graph.nodes[i].shape.length === 2);

  // Which operand of each addition is the product to fuse.
  const productOf = new Map<number, number>();
  const taken = new Set<number>();
  for (const node of graph.nodes) {
    if (node.op !== 'add') continue;
    for (const [i, j] of [
      [0, 1],
      [1, 0],
    ]) {
      const product = graph.nodes[node.inputs[i]];
      const addend = graph.nodes[node.inputs[j]];
      if (!fusable(product) || taken.has(product.id)) continue;
      if (addend.shape.length > 2) continue;
      if (!sameShape(broadcastShapes(product.shape, addend.shape), product.shape)) continue;
      productOf.set(node.id, i);
      taken.add(product.id);
      break;
    }
  }
  const nodes = graph.nodes.map((node) => {
    const i = productOf.get(node.id);
    if (i === undefined) return node;
    const product = graph.nodes[node.inputs[i]] as Node<'matmul'>;
    const inputs = [...product.inputs, node.inputs[1 - i]];
    return { ...node, op: 'gemm', inputs, attrs: product.attrs } as Node;
  });
  return eliminateDeadCode({ ...graph, nodes });
}
