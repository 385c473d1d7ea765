import { GraphBuilder } from './builder.ts';
import type { Graph, Node } from './ops.ts';

/** Where an argument of a section comes from; `id` is a node of the whole graph. */
export type SectionInput =
  | { readonly kind: 'argument'; readonly index: number }
  /** What an earlier section computed. */
  | { readonly kind: 'value'; readonly id: number }
  /** The sum over the ranks of what an earlier section gave for this `rankMean`. */
  | { readonly kind: 'reduced'; readonly id: number }
  /** A result of the whole that is there already. */
  | { readonly kind: 'result'; readonly index: number };

/** What a result of a section is for. */
export type SectionOutput =
  | { readonly kind: 'value'; readonly id: number }
  | { readonly kind: 'reduce'; readonly id: number }
  | { readonly kind: 'result'; readonly index: number };

/** A part of a graph that runs without a word from other ranks. */
export interface Section {
  readonly graph: Graph;
  readonly inputs: readonly SectionInput[];
  readonly outputs: readonly SectionOutput[];
}

/** Where a node of the whole graph comes from, if a section does not compute it. */
export type Origin = (node: Node) => SectionInput | undefined;

/** Remade wherever they are needed, rather than handed from section to section. */
export const CHEAP: ReadonlySet<string> = new Set<string>([
  'const',
  'splat',
  'reshape',
  'broadcast',
]);

/**
 * Cuts a graph at its `rankMean` nodes into sections to be run one behind the other. All means
 * whose operands can be computed by then are taken together, between two sections, so there are as
 * few sections as means depend on means; everything else runs as late as it can, which keeps what
 * is handed on small.
 * @param ranks the reduced values are sums over so many ranks.
 */
export function cutAtRankMeans(graph: Graph, ranks: number): Section[] {
  const available = earliest(graph);
  const last = Math.max(0, ...available);
  const place = latest(graph, available, last);
  /** Results of a section that later ones need; found from the last section backwards. */
  const wanted: Set<number>[] = Array.from({ length: last + 1 }, () => new Set<number>());
  const sections: Section[] = [];
  for (let s = last; s >= 0; s--) {
    const means = graph.nodes.filter(
      (node) => node.op === 'rankMean' && available[node.id] === s + 1,
    );
    const outputs: [id: number, use: SectionOutput][] = [
      ...means.map((mean): [number, SectionOutput] => [
        mean.inputs[0],
        { kind: 'reduce', id: mean.id },
      ]),
      ...[...wanted[s]].map((id): [number, SectionOutput] => [id, { kind: 'value', id }]),
      ...(s === last
        ? graph.outputs.map((id, index): [number, SectionOutput] => [id, { kind: 'result', index }])
        : []),
    ];
    const section = extract(graph, outputs, ranks, ({ id, op }) =>
      place[id] >= s || CHEAP.has(op) ? undefined : { kind: 'value', id },
    );
    for (const input of section.inputs)
      if (input.kind === 'value') wanted[place[input.id]].add(input.id);
    sections.unshift(section);
  }
  return sections;
}

/** The first section in which each value is there. */
export function earliest(graph: Graph): number[] {
  const at: number[] = [];
  for (const node of graph.nodes) {
    const ready = Math.max(0, ...node.inputs.map((i) => at[i]));
    at[node.id] = node.op === 'rankMean' ? ready + 1 : ready;
  }
  return at;
}

/** The last section in which each node may run: the first that uses it. */
export function latest(graph: Graph, available: readonly number[], last: number): number[] {
  const place = new Array<number>(graph.nodes.length).fill(last);
  for (let id = graph.nodes.length - 1; id >= 0; id--) {
    const node = graph.nodes[id];
    const used = node.op === 'rankMean' ? available[id] - 1 : place[id];
    for (const i of node.inputs) place[i] = Math.min(place[i], used);
  }
  return place;
}

/**
 * The section that gives some nodes, with all they need down to what is not computed there.
 * @param outputs nodes, and what each is for.
 * @param origin of other nodes than arguments and means.
 */
export function extract(
  graph: Graph,
  outputs: readonly (readonly [id: number, use: SectionOutput])[],
  ranks: number,
  origin: Origin,
): Section {
  const roots = outputs.map(([id]) => id);
  const from = (node: Node): SectionInput | undefined => {
    if (node.op === 'input') return { kind: 'argument', index: node.attrs.index };
    return node.op === 'rankMean' ? { kind: 'reduced', id: node.id } : origin(node);
  };
  const needed = new Set<number>();
  const pending = [...roots];
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    if (needed.has(id)) continue;
    needed.add(id);
    const node = graph.nodes[id];
    if (from(node) === undefined) pending.push(...node.inputs);
  }
  const builder = new GraphBuilder();
  const inputs: SectionInput[] = [];
  const map = new Map<number, number>();
  const make = (node: Node): number => {
    const given = from(node);
    if (given !== undefined) {
      inputs.push(given);
      const input = builder.input(node.shape, node.dtype);
      if (given.kind !== 'reduced' || ranks === 1) return input;
      return builder.add('mul', [input, builder.splat(1 / ranks)], {});
    }
    const operands = node.inputs.map((i) => map.get(i) as number);
    return builder.add(node.op, operands, node.attrs as never);
  };
  for (const id of [...needed].sort((a, b) => a - b)) map.set(id, make(graph.nodes[id]));
  const results = roots.map((id) => map.get(id) as number);
  return { graph: builder.finish(results), inputs, outputs: outputs.map(([, use]) => use) };
}
