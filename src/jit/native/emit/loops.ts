import type { DType } from '../../../core/host-tensor.ts';
import type { Access, Base, ElementItem, LoopItem, ReduceItem } from '../plan/items.ts';
import type { OpsOf } from '../plan/kinds.ts';
import type { Step } from '../plan/schedule.ts';
import { element, literal, VALUE_TYPE } from './elements.ts';
import { guarded, padding } from './guards.ts';
import { accumulatorType, REDUCTIONS } from './reductions.ts';
import { chooseSplit, type Split } from './split.ts';
import { Parameters, type UnitCode } from './unit.ts';

type Dims = readonly number[];

/** A loop that is shorter gains nothing from vector code, or is unrolled anyhow. */
const SHORT = 8;

/** The loop nest of a unit: axes that lie evenly in all arrays are walked as one. */
export function emitLoops(bases: readonly Base[], step: Step): UnitCode {
  return new LoopNest(bases, step).code();
}

interface Store {
  readonly item: LoopItem;
  readonly strides: Dims;
  readonly pointer: string;
}

type Reduction = Store & { readonly item: ReduceItem };

class LoopNest {
  private readonly bases: readonly Base[];
  private readonly items: readonly LoopItem[];
  private readonly parameters = new Parameters();
  private readonly stores: Store[];
  private readonly local: ReadonlySet<number>;
  /** Lengths of the loops, outermost first, and which axes of the items each stands for. */
  private readonly lengths: number[];
  private readonly axes: number[][];
  private readonly split: Split | undefined;

  constructor(bases: readonly Base[], { items, writes, reads }: Step) {
    this.bases = bases;
    this.items = items as readonly LoopItem[];
    const read = new Set(reads);
    this.local = new Set(
      this.items.filter((i) => i.kind === 'element' && !read.has(i.base)).map((i) => i.base),
    );
    const stored = new Set(writes);
    this.stores = this.items
      .filter((item) => stored.has(item.base))
      .map((item) => {
        const base = bases[item.base];
        const spread = base.place?.strides;
        const strides = spread
          ? base.shape.flatMap((d, i) => (d === 1 ? [] : [spread[i]]))
          : item.target.strides;
        const pointer = this.parameters.name(item.base, item.target.offset, item.dtype, true);
        return { item, strides, pointer };
      });
    const { dims } = this.items[0];
    this.axes = this.mergedAxes(dims);
    this.lengths = this.axes.map((group) => group.reduce((n, axis) => n * dims[axis], 1));
    this.sinkShortLoop();
    const fits = (level: number) => this.stores.every((store) => this.separates(store, level));
    this.split = chooseSplit(this.lengths, this.items.length, fits);
  }

  code(): UnitCode {
    const { split } = this;
    const bounds = split === undefined ? [] : [`  ${split.bounds}`];
    const body = [...bounds, ...this.initialised(), ...this.loop(0)].join('\n');
    const { list } = this.parameters;
    return { parameters: list, body, helpers: [], scratch: 0, shared: split !== undefined };
  }

  /**
   * Whether shares of a loop write to separate places, which for what is set before the loops must
   * be a piece of memory each.
   */
  private separates(store: Store, level: number): boolean {
    const step = this.stride(store.strides, level);
    if (step === 0) return false;
    if (store.item.kind !== 'reduce' || !this.revisits(store as Reduction)) return true;
    const within = this.lengths.reduce((sum, length, other) => {
      return other === level ? sum : sum + (length - 1) * this.stride(store.strides, other);
    }, 0);
    return within < step && step * this.lengths[level] === this.bases[store.item.base].size;
  }

  private isLocal(access: Access): boolean {
    return this.local.has(access.base);
  }

  private mergedAxes(dims: Dims): number[][] {
    const walks: Dims[] = this.stores.map((s) => s.strides);
    const guarded = new Set<number>();
    for (const item of this.items) {
      for (const access of item.operands) {
        if (this.isLocal(access)) continue;
        walks.push(access.strides);
        for (const { axis } of access.guards) guarded.add(axis);
      }
    }
    const groups: number[][] = [];
    for (let axis = 0; axis < dims.length; axis++) {
      const before = axis - 1;
      const even =
        axis > 0 &&
        !guarded.has(axis) &&
        !guarded.has(before) &&
        walks.every((s) => s[before] === s[axis] * dims[axis]);
      if (even) groups.at(-1)!.push(axis);
      else groups.push([axis]);
    }
    return groups;
  }

  /** A short innermost loop changes places with the longest. */
  private sinkShortLoop(): void {
    const { lengths, axes } = this;
    const inner = lengths.length - 1;
    if (inner < 1 || lengths[inner] >= SHORT) return;
    const longest = lengths.indexOf(Math.max(...lengths));
    if (lengths[longest] < 2 * SHORT) return;
    [lengths[longest], lengths[inner]] = [lengths[inner], lengths[longest]];
    [axes[longest], axes[inner]] = [axes[inner], axes[longest]];
  }

  private stride(strides: Dims, level: number): number {
    return strides[this.axes[level].at(-1)!];
  }

  private index(strides: Dims): string {
    const terms = this.lengths.flatMap((_, level) => {
      const s = this.stride(strides, level);
      return s === 0 ? [] : [s === 1 ? `i${level}` : `i${level} * ${s}`];
    });
    return terms.length === 0 ? '0' : terms.join(' + ');
  }

  private reduces(): Reduction[] {
    return this.stores.filter((s): s is Reduction => s.item.kind === 'reduce');
  }

  /** The outermost loop from which on all are summed over; above it the accumulator is set. */
  private accumulatedFrom({ strides }: Store): number {
    let level = this.lengths.length;
    while (level > 0 && this.stride(strides, level - 1) === 0) level--;
    return level;
  }

  /** Whether a result is touched more than once. */
  private revisits(store: Store): boolean {
    const from = this.accumulatedFrom(store);
    return this.lengths.some((_, level) => level < from && this.stride(store.strides, level) === 0);
  }

  private initialised(): string[] {
    return this.reduces()
      .filter((store) => this.revisits(store))
      .map(({ item, pointer, strides }) => {
        const identity = rule(item).identity[item.dtype as 'float32'];
        const each = this.split === undefined ? 0 : this.stride(strides, this.split.level);
        const [from, to] =
          this.split === undefined
            ? ['0', `${this.bases[item.base].size}`]
            : [`from * ${each}`, `${this.split.chunk === 0 ? 'last' : 'to'} * ${each}`];
        return `  for (long i = ${from}; i < ${to}; i++) ${pointer}[i] = ${identity};`;
      });
  }

  private loop(level: number): string[] {
    if (level === this.lengths.length) return this.body();
    const pad = '  '.repeat(level + 1);
    const mine = this.reduces().filter((store) => this.accumulatedFrom(store) === level);
    const lines = mine.map(({ item }) => {
      const { dtype, node } = item;
      const type = accumulatorType(node.op as OpsOf<'reduce'>, dtype);
      return `${pad}${type} a${this.number(item)} = ${rule(item).identity[dtype as 'float32']};`;
    });
    const innermost = level === this.lengths.length - 1;
    const split = this.split?.level === level ? this.split : undefined;
    const chunked = split !== undefined && split.chunk > 1;
    if (chunked) lines.push(`${pad}for (long c = from; c < to; c += ${split.chunk})`);
    if (innermost && this.lengths[level] >= SHORT) {
      const clauses = this.reduces()
        .filter((store) => this.accumulatedFrom(store) <= level)
        .map(({ item }) => {
          return ` reduction(${rule(item).clause[item.dtype as 'float32']}:a${this.number(item)})`;
        });
      lines.push(`#pragma omp simd${clauses.join('')}`);
    }
    const [first, end] =
      split === undefined
        ? ['0', `${this.lengths[level]}`]
        : chunked
          ? ['c', `c + ${split.chunk}`]
          : ['from', split.chunk === 0 ? 'last' : 'to'];
    lines.push(`${pad}for (long i${level} = ${first}; i${level} < ${end}; i${level}++) {`);
    lines.push(...this.loop(level + 1), `${pad}}`);
    for (const store of mine) {
      const { item, pointer, strides } = store;
      const place = `${pointer}[${this.index(strides)}]`;
      const acc = `a${this.number(item)}`;
      const total = this.revisits(store) ? rule(item).combine(place, acc, item.dtype) : acc;
      lines.push(`${pad}${place} = ${total};`);
    }
    return lines;
  }

  private number(item: LoopItem): number {
    return this.items.indexOf(item);
  }

  private body(): string[] {
    const pad = '  '.repeat(this.lengths.length + 1);
    const lines: string[] = [];
    const loads = new Map<string, string>();
    const values = new Map<number, string>();
    const storeOf = new Map(this.stores.map((store) => [store.item, store]));

    const read = (item: LoopItem, access: Access): string => {
      const base = this.bases[access.base];
      const made = this.isLocal(access) ? values.get(base.id) : undefined;
      if (made !== undefined) return made;
      const fill = padding(item);
      const value =
        base.source.kind === 'splat'
          ? literal(base.source.value, base.dtype)
          : this.load(access, base.dtype);
      const text =
        access.guards.length > 0 ? guarded(value, access.guards, fill, this.axes) : value;
      if (base.source.kind === 'splat' && access.guards.length === 0) return text;
      let name = loads.get(text);
      if (name === undefined) {
        name = `x${loads.size}`;
        loads.set(text, name);
        lines.push(`${pad}const ${VALUE_TYPE[base.dtype]} ${name} = ${text};`);
      }
      return name;
    };

    this.items.forEach((item, n) => {
      const args = item.operands.map((access) => read(item, access));
      const from = this.bases[item.operands[0].base].dtype;
      const store = storeOf.get(item);
      if (item.kind === 'reduce') {
        lines.push(`${pad}${this.accumulate(store as Reduction, args[0])}`);
        return;
      }
      const value = elementOf(item, args, from);
      const name = `v${n}`;
      lines.push(`${pad}const ${VALUE_TYPE[item.dtype]} ${name} = ${value};`);
      if (this.local.has(item.base)) values.set(item.base, name);
      if (store !== undefined) {
        lines.push(`${pad}${store.pointer}[${this.index(store.strides)}] = ${name};`);
      }
    });
    return lines;
  }

  private load(access: Access, dtype: DType): string {
    // A guarded walk may begin before the array: the offset stays in the index.
    const guarded = access.guards.length > 0;
    const pointer = this.parameters.name(access.base, guarded ? 0 : access.offset, dtype, false);
    const index = this.index(access.strides);
    return `${pointer}[${guarded ? `${index} + ${access.offset}` : index}]`.replace('+ -', '- ');
  }

  private accumulate(store: Reduction, value: string): string {
    const { item, pointer, strides } = store;
    const place = `${pointer}[${this.index(strides)}]`;
    if (this.accumulatedFrom(store) < this.lengths.length) {
      const acc = `a${this.number(item)}`;
      return `${acc} = ${rule(item).combine(acc, value, item.dtype)};`;
    }
    if (!this.revisits(store)) return `${place} = ${value};`;
    return `${place} = ${rule(item).combine(place, value, item.dtype)};`;
  }
}

const rule = (item: ReduceItem) => REDUCTIONS[item.node.op as OpsOf<'reduce'>];

const elementOf = (item: ElementItem, args: readonly string[], from: DType) =>
  item.node === 'copy' ? args[0] : element(item.node, args, from);
