import type { Graph, Node, Op } from '../ir/ops.ts';

/** Bytes from which a tensor matters for the memory of a step. */
const LARGE = 2 ** 20;

/** Ops that only look at the memory of their operand. */
const VIEWS: ReadonlySet<Op> = new Set<Op>(['reshape', 'after']);
const GIVEN: ReadonlySet<Op> = new Set<Op>(['input', 'const']);

/**
 * The nodes that make or consume large tensors, in the order in which the function was written down.
 * That order releases soon: a gradient of a weight comes right after the gradient that it is formed
 * of. ONNX Runtime for itself goes depth first from the results, and forms all gradients of weights
 * at the end, with everything they need still in memory.
 */
export function largeNodes({ nodes }: Graph): Node[] {
  const large = nodes.map((node) => 4 * node.shape.reduce((a, b) => a * b, 1) >= LARGE);
  return nodes.filter(
    ({ id, op, inputs }) =>
      !GIVEN.has(op) && !VIEWS.has(op) && (large[id] || inputs.some((i) => large[i])),
  );
}
