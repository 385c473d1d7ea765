import type { Graph, Node, Op } from '../ir/ops.ts';
import { CONV_LOWERING } from './conv.ts';
import { DIALECTS, type Dialect, STANDARD } from './dialect.ts';
import { ELEMENTWISE_LOWERING } from './elementwise.ts';
import { Emitter, type PortNames } from './emitter.ts';
import { largeNodes } from './schedule.ts';
import { STRUCTURE_LOWERING } from './structure.ts';

/** Emits the ONNX nodes of one primitive and returns the name of its result. */
export type LoweringRule<K extends Op> = (e: Emitter, node: Node<K>) => string;
export type LoweringRules<K extends Op> = { readonly [P in K]: LoweringRule<P> };

/** Every primitive has a rule: one that is missing here does not compile. */
const RULES: LoweringRules<Op> = {
  ...ELEMENTWISE_LOWERING,
  ...STRUCTURE_LOWERING,
  ...CONV_LOWERING,
};

export interface OnnxModel {
  readonly bytes: Uint8Array;
  /** ONNX nodes that will be executed. */
  readonly nodeCount: number;
}

/**
 * Says a graph in ONNX: inputs `in0…`, outputs `out0…`, opset 21. With `ports` it is a model for any
 * runtime: operators of the standard alone, inputs and outputs by the names given.
 */
export function lowerToOnnx(
  graph: Graph,
  name: string,
  ports?: PortNames,
  dialect: Dialect = ports === undefined ? DIALECTS.cpu : STANDARD,
): OnnxModel {
  const emitter = new Emitter(graph, dialect);
  for (const node of graph.nodes) {
    const rule = RULES[node.op] as LoweringRule<Op>;
    emitter.bind(node, rule(emitter, node));
  }
  // A model for other runtimes is left to their order. The sequence costs a fifth more nodes, which
  // only pays where something is computed again to save memory.
  if (ports === undefined && graph.nodes.some(({ op }) => op === 'after')) {
    emitter.inSequence(largeNodes(graph).map(({ id }) => emitter.name(id)));
  }
  return { bytes: emitter.finish(name, ports), nodeCount: emitter.nodeCount };
}
