import type { Graph, Node } from '../ir/ops.ts';
import type { Emitter } from './emitter.ts';

/** Slices that cut one axis of one value into pieces side by side: one Split instead of many. */
interface SplitGroup {
  readonly axis: number;
  /** Lengths of all pieces along the axis, the unwanted ones between slices included. */
  readonly sizes: readonly number[];
  /** Which piece each slice node is. */
  readonly pieceOf: ReadonlyMap<number, number>;
  /** ONNX values of the pieces, once emitted. */
  values?: readonly string[];
}

/** The group of each slice node that belongs to one. */
export type SplitPlan = ReadonlyMap<number, SplitGroup>;

/** The only axis a slice shortens, if it takes adjacent elements of exactly one. */
function cutAxis(node: Node<'slice'>, shape: readonly number[]): number | undefined {
  if (node.attrs.strides.some((s) => s !== 1)) return undefined;
  const cut = shape.flatMap((d, i) => (node.attrs.size[i] === d ? [] : [i]));
  return cut.length === 1 ? cut[0] : undefined;
}

export function planSplits(graph: Graph): SplitPlan {
  const bySource = new Map<string, Node<'slice'>[]>();
  for (const node of graph.nodes) {
    if (node.op !== 'slice') continue;
    const axis = cutAxis(node, graph.nodes[node.inputs[0]].shape);
    if (axis === undefined) continue;
    const key = `${node.inputs[0]} ${axis}`;
    bySource.set(key, [...(bySource.get(key) ?? []), node]);
  }
  const plan = new Map<number, SplitGroup>();
  for (const [key, slices] of bySource) {
    const [source, axis] = key.split(' ').map(Number);
    const group = groupOf(slices, axis, graph.nodes[source].shape[axis]);
    if (group !== undefined) for (const s of slices) plan.set(s.id, group);
  }
  return plan;
}

function groupOf(slices: Node<'slice'>[], axis: number, length: number): SplitGroup | undefined {
  if (slices.length < 2) return undefined;
  const ordered = [...slices].sort((a, b) => a.attrs.begin[axis] - b.attrs.begin[axis]);
  const sizes: number[] = [];
  const pieceOf = new Map<number, number>();
  let at = 0;
  let wanted = 0;
  for (const s of ordered) {
    const begin = s.attrs.begin[axis];
    const size = s.attrs.size[axis];
    if (begin < at || size === 0) return undefined;
    if (begin > at) sizes.push(begin - at);
    pieceOf.set(s.id, sizes.length);
    sizes.push(size);
    wanted += size;
    at = begin + size;
  }
  if (at < length) sizes.push(length - at);
  // A Split copies everything; with much of it unwanted, separate slices copy less.
  return 2 * wanted >= length ? { axis, sizes, pieceOf } : undefined;
}

/** The value of a slice as a piece of its group's Split, which the first of them emits. */
export function splitPiece(e: Emitter, node: Node<'slice'>, group: SplitGroup): string {
  group.values ??= e.split(e.operand(node, 0), group.sizes, group.axis);
  return group.values[group.pieceOf.get(node.id)!];
}
