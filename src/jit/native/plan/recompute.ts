import type { Op } from '../../ir/ops.ts';
import { readsInStep, type Unit } from './group.ts';
import type { Base, ElementItem, Item, LoopItem, Work } from './items.ts';
import { basesRead } from './items.ts';

/** Operations that cost less than the memory traffic of their result. */
const CHEAP: ReadonlySet<Op | 'copy'> = new Set<Op | 'copy'>([
  'copy',
  'neg',
  'abs',
  'square',
  'relu',
  'add',
  'sub',
  'mul',
  'min',
  'max',
  'eq',
  'ne',
  'lt',
  'le',
  'gt',
  'ge',
  'and',
  'or',
  'not',
  'select',
  'cast',
]);

/** Below this size a result stays in cache, and computing it twice saves nothing. */
const LARGE = 4096;

/**
 * Values that another unit reads, and that cost little more than reading one operand, are computed
 * there again in place of being written to memory: the sign of an activation, a bias added.
 */
export function recomputeCheap({ bases, items }: Work, units: readonly Unit[]): void {
  const unitsOf = new Map<Item, Unit>();
  for (const unit of units) for (const item of unit.items) unitsOf.set(item, unit);
  const readers = new Map<number, Item[]>();
  for (const item of items) {
    for (const base of basesRead(item)) readers.set(base, [...(readers.get(base) ?? []), item]);
  }
  const isStored = (base: Base): boolean => {
    if (base.source.kind !== 'computed') return base.source.kind !== 'splat';
    if (base.output !== undefined || base.place !== undefined) return true;
    const [writer, ...more] = base.writers;
    if (more.length > 0 || writer?.kind !== 'element') return true;
    const home = unitsOf.get(writer);
    return (readers.get(base.id) ?? []).some((r) => r.kind === 'call' || unitsOf.get(r) !== home);
  };
  const unstored = new Set<number>();

  const candidates = (item: Item): LoopItem[] | undefined => {
    const base = bases[item.base];
    if (item.kind !== 'element' || base.size < LARGE || base.writers.length !== 1) return undefined;
    if (base.output !== undefined || base.place !== undefined) return undefined;
    if (!CHEAP.has(item.node === 'copy' ? 'copy' : item.node.op)) return undefined;
    if (item.operands.some((a) => a.guards.length > 0)) return undefined;
    const large = new Set(
      item.operands.map((a) => a.base).filter((id) => 2 * bases[id].size > base.size),
    );
    if (large.size > 1) return undefined;
    for (const { base: id } of item.operands) {
      if (unstored.has(id)) return undefined;
      if (bases[id].source.kind !== 'splat' && !isStored(bases[id])) return undefined;
    }
    const home = unitsOf.get(item);
    const away = (readers.get(base.id) ?? []).filter((r) => unitsOf.get(r) !== home);
    const fit = away.every(
      (r) =>
        r.kind !== 'call' && r.operands.every((a) => a.base !== base.id || readsInStep(a, item, r)),
    );
    return fit && away.length > 0 ? (away as LoopItem[]) : undefined;
  };

  for (const item of items) {
    const away = candidates(item);
    if (away === undefined) continue;
    unstored.add(item.base);
    const hosts = new Set(away.map((r) => unitsOf.get(r)!));
    for (const unit of hosts) {
      const copy: ElementItem = { ...(item as ElementItem) };
      const at = unit.items.findIndex((i) => away.includes(i as LoopItem));
      unit.items.splice(at, 0, copy);
      unitsOf.set(copy, unit);
      for (const { base } of copy.operands) readers.get(base)?.push(copy);
    }
  }
}
