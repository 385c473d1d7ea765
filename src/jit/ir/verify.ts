import { GibbsError } from '../../core/errors.ts';
import { sameShape } from '../../core/host-tensor.ts';
import type { Graph } from './ops.ts';
import { Malformed, SPEC } from './spec.ts';

/**
 * Checks a graph against the table of the IR: topological order, arity, operand types, recorded
 * shapes. Run after every pass, so that a faulty pass is named where it errs.
 * @throws GibbsError naming the pass and the node.
 */
export function verify(graph: Graph, after: string): void {
  const fail: (id: number, why: string) => never = (id, why) => {
    const node = graph.nodes[id];
    throw new GibbsError('internal', `IR: after ${after}: node ${id} (${node?.op}): ${why}`);
  };
  graph.nodes.forEach((node, id) => {
    if (node.id !== id) fail(id, `has id ${node.id}`);
    for (const i of node.inputs) if (!(i >= 0 && i < id)) fail(id, `uses node ${i} before it`);
    const spec = SPEC[node.op] as (typeof SPEC)[typeof node.op] | undefined;
    if (spec === undefined) fail(id, 'is no operation of the IR');
    if (spec.arity >= 0 ? node.inputs.length !== spec.arity : node.inputs.length === 0) {
      fail(
        id,
        `has ${node.inputs.length} operands, expected ${spec.arity < 0 ? 'some' : spec.arity}`,
      );
    }
    try {
      const result = spec.infer(
        node.inputs.map((i) => graph.nodes[i]),
        node.attrs as never,
      );
      if (!sameShape(result.shape, node.shape) || result.dtype !== node.dtype) {
        fail(id, `is ${node.dtype}[${node.shape}], should be ${result.dtype}[${result.shape}]`);
      }
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      fail(id, error.message);
    }
  });
  graph.inputs.forEach((id, index) => {
    const node = graph.nodes[id];
    if (node?.op !== 'input' || node.attrs.index !== index) fail(id, `is not input ${index}`);
  });
  for (const node of graph.nodes) {
    if (node.op === 'input' && graph.inputs[node.attrs.index] !== node.id) {
      fail(node.id, 'is an input that the graph does not list');
    }
  }
  for (const id of graph.outputs) {
    if (!(id >= 0 && id < graph.nodes.length)) fail(id, 'is an output but not a node');
  }
}
