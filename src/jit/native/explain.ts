import { sizeOf } from '../../core/host-tensor.ts';
import type { Graph, Node } from '../ir/ops.ts';
import { quantity } from '../ir/print.ts';
import { flopsOf } from '../ir/spec.ts';
import { lowerToC } from './compile.ts';
import type { Base, Item } from './plan/items.ts';
import { ELEMENT_BYTES } from './plan/memory.ts';
import type { Step } from './plan/schedule.ts';
import type { Precision } from './precision.ts';

/** How a graph runs as C: its units in order, with what each computes, reads and writes. */
export function explainNative(graph: Graph, precision: Precision): string {
  const { steps, functions, work, arenaBytes, constants } = lowerToC(graph, precision);
  const rows = steps.map((step, t) => unitRow(work.bases, step, functions[t]));
  const flops = rows.reduce((sum, row) => sum + row.flops, 0);
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
  const literals = constants.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return [
    `C: ${steps.length} units of ${new Set(functions).size} functions, ${quantity(flops, 'FLOP')}, ` +
      `${quantity(bytes, 'B')} read and written; arena of ${quantity(arenaBytes, 'B')}, literals of ${quantity(literals, 'B')}`,
    ...rows.map((row) => row.text),
  ].join('\n');
}

function unitRow(bases: readonly Base[], step: Step, name: string) {
  const bytesOf = (ids: readonly number[]) =>
    ids.reduce((sum, id) => {
      const { source, size, dtype } = bases[id];
      return source.kind === 'splat' ? sum : sum + size * ELEMENT_BYTES[dtype];
    }, 0);
  const [read, written] = [bytesOf(step.reads), bytesOf(step.writes)];
  const flops = step.items.reduce((sum, item) => sum + flopsOfItem(bases, item), 0);
  const head = step.items[0];
  const over = head.kind === 'call' ? `[${head.node.shape}]` : `over [${head.dims}]`;
  const text = [
    name.padEnd(6),
    quantity(flops, 'FLOP').padStart(10),
    `${quantity(read, 'B')} in`.padStart(11),
    `${quantity(written, 'B')} out`.padStart(12),
    ` ${over}`.padEnd(18),
    operations(step.items),
  ].join(' ');
  return { text, flops, bytes: read + written };
}

function flopsOfItem(bases: readonly Base[], item: Item): number {
  if (item.kind === 'call')
    return flopsOf(
      item.node,
      item.views.map((v) => ({ ...v, dtype: bases[v.base].dtype })),
    );
  return item.node === 'copy' ? 0 : sizeOf(item.dims);
}

/** Operations with how many there are of each, e.g. `mul×3 add sum`. */
function operations(items: readonly Item[]): string {
  const counts = new Map<string, number>();
  for (const { node } of items) {
    const op = node === 'copy' ? 'copy' : (node as Node).op;
    counts.set(op, (counts.get(op) ?? 0) + 1);
  }
  return [...counts].map(([op, n]) => (n === 1 ? op : `${op}×${n}`)).join(' ');
}
