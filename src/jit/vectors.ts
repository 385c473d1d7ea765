import { sizeOf } from '../core/host-tensor.ts';
import type { Section } from './ir/cut.ts';
import type { Graph } from './ir/ops.ts';
import type { Slot } from './run/session.ts';

/** Pieces of a vector begin at multiples of so many numbers: 64 bytes, a cache line. */
const ALIGN = 16;

const roomFor = (graph: Graph, id: number) =>
  Math.ceil(sizeOf(graph.nodes[id].shape) / ALIGN) * ALIGN;

const meansOf = ({ outputs }: Section) =>
  outputs.flatMap((output) => (output.kind === 'reduce' ? [output.id] : []));

/** Numbers of the one vector for all means that are taken after a section; 0 for none. */
export function vectorLength(graph: Graph, section: Section | undefined): number {
  if (section === undefined) return 0;
  return meansOf(section).reduce((sum, id) => sum + roomFor(graph, id), 0);
}

/** Puts the pieces of `vector` that are for the means after a section into `pieces`, by node. */
export function placeMeans(
  graph: Graph,
  section: Section,
  vector: Float32Array,
  pieces: Map<number, Slot>,
): void {
  let at = 0;
  for (const id of meansOf(section)) {
    const { shape } = graph.nodes[id];
    pieces.set(id, { data: vector.subarray(at, at + sizeOf(shape)), shape, dtype: 'float32' });
    at += roomFor(graph, id);
  }
}
