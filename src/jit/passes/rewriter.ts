import { createHash } from 'node:crypto';
import { type DType, sizeOf } from '../../core/host-tensor.ts';
import { GraphBuilder } from '../ir/builder.ts';
import { describeAttrs } from '../ir/hash.ts';
import type { Graph, Node, Op, OpAttrs } from '../ir/ops.ts';
import { eliminateDeadCode } from './dead-code.ts';

/** Says one operation better, or not (`undefined`); new nodes go through the rewriter again. */
export type RewriteRule<K extends Op> = (
  r: Rewriter,
  inputs: readonly number[],
  attrs: OpAttrs[K],
) => number | undefined;

export type RewriteRules = { readonly [K in Op]?: RewriteRule<K> };

/**
 * Rebuilds a graph node by node: every new node is first offered to the rules, then looked up
 * among those that exist (common subexpressions), and only then appended.
 */
export class Rewriter {
  private readonly builder = new GraphBuilder();
  private readonly existing = new Map<string, number>();
  private readonly rules: RewriteRules;
  private readonly inputIds: number[] = [];

  constructor(rules: RewriteRules) {
    this.rules = rules;
  }

  emit<K extends Op>(op: K, inputs: readonly number[], attrs: OpAttrs[K]): number {
    const better = this.rules[op]?.(this, inputs, attrs);
    if (better !== undefined) return better;
    const key = nodeKey(op, inputs, attrs);
    let id = this.existing.get(key);
    if (id === undefined) {
      id = this.builder.add(op, inputs, attrs);
      this.existing.set(key, id);
      if (op === 'input') this.inputIds[(attrs as OpAttrs['input']).index] = id;
    }
    return id;
  }

  node(id: number): Node {
    return this.builder.nodes[id];
  }

  /** The node, if it is of the given operation. */
  match<K extends Op>(id: number, op: K): Node<K> | undefined {
    const node = this.builder.nodes[id];
    return node.op === op ? (node as Node<K>) : undefined;
  }

  shape(id: number): readonly number[] {
    return this.builder.nodes[id].shape;
  }

  dtype(id: number): DType {
    return this.builder.nodes[id].dtype;
  }

  /** The value of a constant that is the same everywhere. */
  uniform(id: number): number | undefined {
    return this.match(id, 'splat')?.attrs.value;
  }

  splat(value: number, shape: readonly number[], dtype: DType): number {
    return this.emit('splat', [], { value, shape, dtype });
  }

  finish(outputs: readonly number[]): Graph {
    return eliminateDeadCode({ nodes: this.builder.nodes, inputs: this.inputIds, outputs });
  }
}

/** Runs every node of a graph through the rules. */
export function rewrite(graph: Graph, rules: RewriteRules): Graph {
  // What has no elements has no value: nothing needs to be computed for it.
  const empty = (r: Rewriter, { op, shape, dtype }: Node) =>
    op !== 'input' && sizeOf(shape) === 0 ? r.splat(0, shape, dtype) : undefined;
  return rewriteNodes(graph, empty, rules);
}

/**
 * Rebuilds a graph, saying some nodes in another way: `replace` gets each node of the old graph
 * with the map from old to new ids, and returns the new id or `undefined` to keep the node.
 */
export function rewriteNodes(
  graph: Graph,
  replace: (r: Rewriter, node: Node, map: readonly number[]) => number | undefined,
  rules: RewriteRules = {},
): Graph {
  const r = new Rewriter(rules);
  const map: number[] = [];
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((i) => map[i]);
    map[node.id] = replace(r, node, map) ?? r.emit(node.op, inputs, node.attrs as never);
  }
  return r.finish(graph.outputs.map((id) => map[id]));
}

/** How often each node is used, as an operand or an output. */
export function countUses(graph: Graph): Uint32Array {
  const uses = new Uint32Array(graph.nodes.length);
  for (const node of graph.nodes) for (const i of node.inputs) uses[i]++;
  for (const id of graph.outputs) uses[id]++;
  return uses;
}

function nodeKey<K extends Op>(op: K, inputs: readonly number[], attrs: OpAttrs[K]): string {
  if (op !== 'const') return `${op} ${inputs} ${describeAttrs(attrs)}`;
  const { data, shape, dtype } = attrs as OpAttrs['const'];
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return `const ${dtype}[${shape}] ${createHash('sha1').update(bytes).digest('base64')}`;
}
