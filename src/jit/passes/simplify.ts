import type { Graph } from '../ir/ops.ts';
import { ALGEBRA } from './algebra.ts';
import { rewrite } from './rewriter.ts';
import { STRUCTURE } from './structure.ts';

const RULES = { ...ALGEBRA, ...STRUCTURE };

/**
 * Algebra on exact zeros, ones and constants; broadcasts pushed below elementwise work; reshapes,
 * transposes and slices merged; common subexpressions shared.
 */
export function simplify(graph: Graph): Graph {
  return rewrite(graph, RULES);
}
