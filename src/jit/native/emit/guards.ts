import type { Node } from '../../ir/ops.ts';
import type { Guard, LoopItem } from '../plan/items.ts';
import { literal } from './elements.ts';

/** What an item reads outside of its guards, as C text. */
export function padding(item: LoopItem): string {
  if (item.node === 'copy' || item.node.op !== 'pad') return '0';
  const { attrs, dtype } = item.node as Node<'pad'>;
  return literal(attrs.value, dtype);
}

/** The value inside the guards, `fill` outside; nothing outside is read. */
export function guarded(
  value: string,
  guards: readonly Guard[],
  fill: string,
  axes: readonly (readonly number[])[],
): string {
  const conditions = guards.map(({ axis, from, to }) => {
    const level = axes.findIndex((group) => group.includes(axis));
    return `(i${level} >= ${from}) & (i${level} < ${to})`;
  });
  return `${conditions.join(' & ')} ? ${value} : ${fill}`;
}
