import type { Unit } from './group.ts';
import { type Base, basesRead, type Item, type Work } from './items.ts';

/** A unit in its place in the order, with what of it goes to memory. */
export interface Step {
  readonly items: readonly Item[];
  /** Bases read from memory, and written to it. */
  readonly reads: readonly number[];
  readonly writes: readonly number[];
}

/** The units in an order in which each finds what it needs, without what nothing needs. */
export function scheduleUnits({ bases }: Work, units: readonly Unit[]): Step[] {
  const steps = withoutUnused(bases, units);
  const writers = new Map<number, number[]>();
  steps.forEach(({ writes }, i) => {
    for (const base of writes) {
      // A part that is written where it belongs is written for all it is a part of.
      for (let b: number | undefined = base; b !== undefined; b = bases[b].place?.parent) {
        writers.set(b, [...(writers.get(b) ?? []), i]);
      }
    }
  });
  const waiting = steps.map(({ items, reads }, i) => {
    const needs = new Set<number>();
    for (const base of [...reads, ...items.flatMap((item) => item.after)]) {
      for (const w of writers.get(base) ?? []) needs.add(w);
    }
    if (needs.has(i)) throw new Error('native plan: a unit reads from memory what it writes');
    return needs;
  });
  const followers = steps.map((): number[] => []);
  waiting.forEach((needs, i) => {
    for (const n of needs) followers[n].push(i);
  });
  const last = steps.map(({ items }) => Math.max(...items.map((item) => item.index)));
  const ready = new Heap(last);
  waiting.forEach((needs, i) => {
    if (needs.size === 0) ready.push(i);
  });
  const order: Step[] = [];
  for (let i = ready.pop(); i !== undefined; i = ready.pop()) {
    order.push(steps[i]);
    for (const f of followers[i]) {
      waiting[f].delete(i);
      if (waiting[f].size === 0) ready.push(f);
    }
  }
  if (order.length < steps.length) throw new Error('native plan: units need each other');
  return order;
}

/** What is read and written, after everything that nothing needs has been left out. */
function withoutUnused(bases: readonly Base[], units: readonly Unit[]): Step[] {
  /** For each base, in how many units it is read other than those that make it for themselves. */
  const outside = new Map<number, number>();
  const local = units.map((unit) => new Set(unit.items.map((item) => item.base)));
  const isLocal = (u: number, base: number) =>
    local[u].has(base) &&
    bases[base].writers.length === 1 &&
    bases[base].writers[0].kind === 'element';
  units.forEach((unit, u) => {
    for (const base of new Set(unit.items.flatMap(basesRead))) {
      if (!isLocal(u, base)) outside.set(base, (outside.get(base) ?? 0) + 1);
    }
  });
  const isKept = (base: number): boolean => {
    const { output, place } = bases[base];
    if (output !== undefined || outside.has(base)) return true;
    return place !== undefined && isKept(place.parent);
  };
  const steps: Step[] = [];
  units.forEach((unit, u) => {
    const needed = new Set<number>();
    const kept: Item[] = [];
    for (const item of [...unit.items].reverse()) {
      // Of a value computed in several units, only the first of them may write it.
      if (!needed.has(item.base) && !isKept(item.base)) continue;
      kept.unshift(item);
      for (const base of basesRead(item)) if (isLocal(u, base)) needed.add(base);
    }
    if (kept.length === 0) return;
    const writes = [...new Set(kept.map((item) => item.base).filter(isKept))];
    const reads = [...new Set(kept.flatMap(basesRead))].filter((base) => !isLocal(u, base));
    steps.push({ items: kept, reads, writes });
  });
  return steps;
}

/** Smallest key first. */
class Heap {
  private readonly keys: readonly number[];
  private readonly list: number[] = [];

  constructor(keys: readonly number[]) {
    this.keys = keys;
  }

  push(i: number): void {
    const { list, keys } = this;
    let at = list.push(i) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (keys[list[up]] <= keys[list[at]]) break;
      [list[up], list[at]] = [list[at], list[up]];
      at = up;
    }
  }

  pop(): number | undefined {
    const { list, keys } = this;
    const top = list[0];
    const end = list.pop();
    if (end === undefined || list.length === 0) return top;
    list[0] = end;
    let at = 0;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < list.length && keys[list[child]] < keys[list[least]]) least = child;
      }
      if (least === at) return top;
      [list[least], list[at]] = [list[at], list[least]];
      at = least;
    }
  }
}
