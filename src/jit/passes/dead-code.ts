import type { Graph, Node } from '../ir/ops.ts';

/** Keeps what the outputs need, and the inputs, in order and renumbered. */
export function eliminateDeadCode(graph: Graph): Graph {
  const live = new Uint8Array(graph.nodes.length);
  for (const id of graph.outputs) live[id] = 1;
  for (const id of graph.inputs) live[id] = 1;
  for (let id = graph.nodes.length - 1; id >= 0; id--) {
    if (live[id]) for (const i of graph.nodes[id].inputs) live[i] = 1;
  }
  const renumbered = new Map<number, number>();
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    if (!live[node.id]) continue;
    renumbered.set(node.id, nodes.length);
    const inputs = node.inputs.map((i) => renumbered.get(i)!);
    nodes.push({ ...node, id: nodes.length, inputs } as Node);
  }
  const at = (id: number) => renumbered.get(id)!;
  return { nodes, inputs: graph.inputs.map(at), outputs: graph.outputs.map(at) };
}
