import { sameShape } from '../../core/host-tensor.ts';
import type { Graph, Node } from '../ir/ops.ts';
import { countUses, rewriteNodes } from './rewriter.ts';

/** A convolution takes the bias of its filters along: a pass over the images is saved. */
export function fuseConv(graph: Graph): Graph {
  const uses = countUses(graph);
  const parts = (node: Node<'add'>): { conv: Node<'conv2d'>; bias: number } | undefined => {
    for (const [i, bias] of [node.inputs, [...node.inputs].reverse()]) {
      const conv = graph.nodes[i];
      if (conv.op !== 'conv2d' || uses[conv.id] !== 1) continue;
      const { shape } = graph.nodes[bias];
      const perFilter = [1, conv.shape[1], 1, 1].slice(4 - shape.length);
      if (shape.length >= 3 && shape.length <= 4 && sameShape(shape, perFilter)) {
        return { conv, bias };
      }
    }
    return undefined;
  };
  return rewriteNodes(graph, (r, node, map) => {
    const found = node.op === 'add' ? parts(node) : undefined;
    if (found === undefined) return undefined;
    const { conv, bias } = found;
    const vector = r.emit('reshape', [map[bias]], { shape: [conv.shape[1]] });
    return r.emit('conv2dBias', [map[conv.inputs[0]], map[conv.inputs[1]], vector], conv.attrs);
  });
}
