import { sizeOf } from '../../core/host-tensor.ts';
import { describeAttrs } from './hash.ts';
import type { Graph, Node } from './ops.ts';
import { flopsOf } from './spec.ts';

const BYTES = { float32: 4, int32: 4, bool: 1 } as const;
const SHORT = { float32: 'f32', int32: 'i32', bool: 'bool' } as const;

/** What a graph costs to run once. */
export interface GraphCost {
  readonly nodes: number;
  readonly flops: number;
  /** Bytes of all results, as if each were written to memory. */
  readonly bytes: number;
}

export function costOf(graph: Graph): GraphCost {
  let flops = 0;
  let bytes = 0;
  for (const node of graph.nodes) {
    flops += nodeFlops(graph, node);
    if (node.op !== 'input' && node.op !== 'const') bytes += nodeBytes(node);
  }
  return { nodes: graph.nodes.length, flops, bytes };
}

const nodeBytes = (node: Node) => sizeOf(node.shape) * BYTES[node.dtype];

const nodeFlops = (graph: Graph, node: Node) =>
  flopsOf(
    node,
    node.inputs.map((i) => graph.nodes[i]),
  );

export function quantity(n: number, unit: string): string {
  const prefixes = ['', 'k', 'M', 'G', 'T'];
  let scaled = n;
  let p = 0;
  while (scaled >= 999.5 && p < prefixes.length - 1) {
    scaled /= 1000;
    p++;
  }
  const digits = p === 0 || scaled >= 99.5 ? 0 : 1;
  return `${scaled.toFixed(digits)} ${prefixes[p]}${unit}`;
}

function attributes(node: Node): string {
  switch (node.op) {
    case 'input':
      return `argument ${node.attrs.index}`;
    case 'const': {
      const head = Array.from(node.attrs.data.subarray(0, 4), (v) => Number(v.toPrecision(4)));
      return `${head.join(', ')}${node.attrs.data.length > 4 ? ', …' : ''}`;
    }
    case 'splat':
      return String(node.attrs.value);
    case 'matmul':
    case 'gemm':
      return [node.attrs.transA ? 'aᵀ' : '', node.attrs.transB ? 'bᵀ' : '']
        .filter(Boolean)
        .join(' ');
    default: {
      const { shape: _, ...rest } = node.attrs as { shape?: unknown };
      const text = describeAttrs(rest);
      return text === '{}' ? '' : text.slice(1, -1).replaceAll('"', '');
    }
  }
}

/** A graph as a listing: one line a node, with shape, cost and attributes. */
export function printGraph(graph: Graph): string {
  const lines = graph.nodes.map((node) => {
    const call = `%${node.id} = ${node.op}(${node.inputs.map((i) => `%${i}`).join(', ')})`;
    const type = `${SHORT[node.dtype]}[${node.shape.join(',')}]`;
    const flops = nodeFlops(graph, node);
    const cost = `${quantity(flops, 'FLOP').padStart(10)} ${quantity(nodeBytes(node), 'B').padStart(8)}`;
    return `${call.padEnd(34)} ${type.padEnd(18)} ${cost}  ${attributes(node)}`.trimEnd();
  });
  const outputs = graph.outputs.map((id) => `%${id}`).join(', ');
  return [...lines, `return ${outputs}`].join('\n');
}

/** One line per kind of operation: how many, and what they cost, dearest first. */
export function printSummary(graph: Graph): string {
  const kinds = new Map<string, { count: number; flops: number; bytes: number }>();
  for (const node of graph.nodes) {
    const kind = kinds.get(node.op) ?? { count: 0, flops: 0, bytes: 0 };
    kind.count++;
    kind.flops += nodeFlops(graph, node);
    kind.bytes += nodeBytes(node);
    kinds.set(node.op, kind);
  }
  return [...kinds]
    .sort(([, a], [, b]) => b.flops - a.flops || b.count - a.count)
    .map(
      ([op, k]) =>
        `${op.padEnd(16)} ${String(k.count).padStart(6)} ${quantity(k.flops, 'FLOP').padStart(11)} ${quantity(k.bytes, 'B').padStart(9)}`,
    )
    .join('\n');
}

export function printCost({ nodes, flops, bytes }: GraphCost): string {
  return `${nodes} nodes, ${quantity(flops, 'FLOP')}, ${quantity(bytes, 'B')} of results`;
}
