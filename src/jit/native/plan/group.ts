import type { Access, Base, Item, LoopItem, Work } from './items.ts';
import { basesRead } from './items.ts';
import { rowStrides } from './view.ts';

/** Items that are one C function: one loop nest, or one call. */
export interface Unit {
  readonly id: number;
  readonly items: Item[];
  /** Units that must have run before. */
  readonly needs: Set<number>;
  first: number;
  last: number;
  /** Bases it reads from memory. */
  readonly reads: Set<number>;
}

/** More would not fit into registers, nor be worth a compiler's time. */
const MOST_ITEMS = 64;
const MOST_READS = 40;
/** A smaller operand stays in the first-level cache: nothing is gained by reading it once. */
const SHARED_SIZE = 1024;

/** Whether a loop item reads an operand element by element as another item has just made it. */
export function readsInStep(access: Access, item: Item, reader: LoopItem): boolean {
  if (item.kind !== 'element' || access.offset !== 0 || access.guards.length > 0) return false;
  const { dims } = reader;
  if (dims.length !== item.dims.length || dims.some((d, i) => d !== item.dims[i])) return false;
  const own = rowStrides(dims);
  return access.strides.every((s, i) => s === own[i]);
}

/**
 * Puts items into units, greedily and in order. A loop item joins a unit that runs over the same
 * axes and made or reads what it reads, unless a path outside would lead back into that unit, or it
 * needs a value of it that is complete only after the loop.
 */
export function groupItems(work: Work): Unit[] {
  const grouping = new Grouping(work);
  for (const item of work.items) grouping.add(item);
  return grouping.units;
}

class Grouping {
  readonly units: Unit[] = [];
  private readonly bases: readonly Base[];
  private readonly unitOf: Unit[] = [];
  private readonly readers = new Map<number, Unit[]>();
  /** For each unit the last search that came across it, and how many searches there were. */
  private readonly seen: number[] = [];
  private marks = 0;

  constructor({ bases }: Work) {
    this.bases = bases;
  }

  add(item: Item): void {
    const needs = this.needsOf(item);
    const unit = (item.kind !== 'call' && this.host(item, needs)) || this.open();
    unit.items.push(item);
    unit.first = Math.min(unit.first, item.index);
    unit.last = item.index;
    for (const n of needs) if (n !== unit) unit.needs.add(n.id);
    this.unitOf[item.index] = unit;
    for (const base of basesRead(item)) {
      unit.reads.add(base);
      const list = this.readers.get(base) ?? [];
      if (list.at(-1) !== unit) list.push(unit);
      this.readers.set(base, list);
    }
  }

  private open(): Unit {
    const id = this.units.length;
    const unit = {
      id,
      items: [],
      needs: new Set<number>(),
      first: Infinity,
      last: 0,
      reads: new Set<number>(),
    };
    this.units.push(unit);
    return unit;
  }

  private needsOf(item: Item): Set<Unit> {
    const needs = new Set<Unit>();
    for (const base of [...basesRead(item), ...item.after]) {
      for (const writer of this.bases[base].writers) needs.add(this.unitOf[writer.index]);
    }
    return needs;
  }

  /** The unit that an item joins. */
  private host(item: LoopItem, needs: ReadonlySet<Unit>): Unit | undefined {
    const candidates = new Set<Unit>([...needs].sort((a, b) => b.last - a.last));
    for (const { base } of item.operands) {
      if (this.bases[base].size < SHARED_SIZE) continue;
      for (const unit of this.readers.get(base)?.slice(-3) ?? []) candidates.add(unit);
    }
    for (const unit of candidates) if (this.fits(item, unit, needs)) return unit;
    return undefined;
  }

  private fits(item: LoopItem, unit: Unit, needs: ReadonlySet<Unit>): boolean {
    const [head] = unit.items;
    if (head.kind === 'call' || unit.items.length >= MOST_ITEMS) return false;
    if (unit.reads.size >= MOST_READS) return false;
    if (head.dims.length !== item.dims.length) return false;
    if (head.dims.some((d, i) => d !== item.dims[i])) return false;
    for (const access of item.operands) {
      const { writers } = this.bases[access.base];
      if (!writers.some((w) => this.unitOf[w.index] === unit)) continue;
      // What a part writes is not at hand under the name of the whole.
      if (writers.length > 1 || writers[0].base !== access.base) return false;
      if (!readsInStep(access, writers[0], item)) return false;
    }
    for (const base of item.after) {
      if (this.bases[base].writers.some((w) => this.unitOf[w.index] === unit)) return false;
    }
    return !this.leadsTo(unit, needs);
  }

  /** Whether one of the units `to`, other than `from`, needs `from`, directly or not. */
  private leadsTo(from: Unit, to: ReadonlySet<Unit>): boolean {
    const { seen } = this;
    const mark = ++this.marks;
    const stack: Unit[] = [];
    // Also units that ended before `from` began: one of theirs may have been joined since.
    const visit = (unit: Unit) => {
      if (seen[unit.id] === mark) return;
      seen[unit.id] = mark;
      stack.push(unit);
    };
    for (const unit of to) if (unit !== from) visit(unit);
    while (stack.length > 0) {
      for (const n of stack.pop()!.needs) {
        if (n === from.id) return true;
        visit(this.units[n]);
      }
    }
    return false;
  }
}
