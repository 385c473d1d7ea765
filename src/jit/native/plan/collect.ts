import { type DType, sameShape, sizeOf } from '../../../core/host-tensor.ts';
import type { Graph, Node } from '../../ir/ops.ts';
import { countUses } from '../../passes/rewriter.ts';
import type { Access, Base, CallItem, Item, Work } from './items.ts';
import { KIND, type OpsOf } from './kinds.ts';
import {
  broadcastStrides,
  isContiguous,
  rowStrides,
  throughView,
  type View,
  wholeView,
} from './view.ts';

type Dims = readonly number[];

const longAxes = (shape: Dims) => shape.flatMap((d, i) => (d === 1 ? [] : [i]));

/** Turns a graph into what is to be computed and where it lies; views cost nothing. */
export function collectWork(graph: Graph): Work {
  const collector = new Collector(graph);
  for (const node of graph.nodes) collector.visit(node);
  graph.outputs.forEach((id, k) => {
    collector.output(id, k);
  });
  return collector;
}

type Omitted<T> = T extends unknown ? Omit<T, 'index' | 'base'> : never;

class Collector implements Work {
  readonly bases: Base[] = [];
  readonly items: Item[] = [];
  private readonly graph: Graph;
  private readonly uses: Uint32Array;
  private readonly views: View[] = [];
  /** The copy of a view that calls read, by what the view is. */
  private readonly copies = new Map<string, View>();

  constructor(graph: Graph) {
    this.graph = graph;
    this.uses = countUses(graph);
  }

  visit(node: Node): void {
    this.views[node.id] = this.viewOf(node);
  }

  /** Makes a node the `k`-th result. */
  output(id: number, k: number): void {
    const view = this.views[id];
    const base = this.bases[view.base];
    const own = base.source.kind === 'computed' && base.place === undefined;
    const whole = base.size === sizeOf(view.shape) && isContiguous(view);
    if (own && whole && base.output === undefined) base.output = k;
    else this.freshCopy(view).output = k;
  }

  private viewOf(node: Node): View {
    const kind = KIND[node.op];
    if (kind === 'leaf') return this.leaf(node as Node<OpsOf<'leaf'>>);
    if (kind === 'view') return this.view(node as Node<OpsOf<'view'>>);
    if (kind === 'join') return this.join(node as Node<OpsOf<'join'>>);
    const base = this.newBase(node.shape, node.dtype, { kind: 'computed' });
    if (kind === 'element') this.element(node as Node<OpsOf<'element'>>, base);
    else if (kind === 'reduce') this.reduce(node as Node<OpsOf<'reduce'>>, base);
    else this.call(node, base);
    return wholeView(base.id, node.shape);
  }

  private newBase(shape: Dims, dtype: DType, source: Base['source']): Base {
    const id = this.bases.length;
    const base: Base = { id, shape, dtype, size: sizeOf(shape), source, writers: [] };
    this.bases.push(base);
    return base;
  }

  private push(base: Base, item: Omitted<Item>): void {
    // What has no elements needs no code, but a sum over nothing is zero.
    if (base.size === 0) return;
    const full = { ...item, index: this.items.length, base: base.id } as Item;
    this.items.push(full);
    base.writers.push(full);
  }

  private leaf(node: Node<OpsOf<'leaf'>>): View {
    const { shape, dtype } = node;
    const source: Base['source'] =
      node.op === 'input'
        ? { kind: 'input', index: node.attrs.index }
        : node.op === 'splat'
          ? { kind: 'splat', value: node.attrs.value }
          : sizeOf(shape) === 1
            ? { kind: 'splat', value: node.attrs.data[0] }
            : { kind: 'const', node };
    if (source.kind !== 'splat') return wholeView(this.newBase(shape, dtype, source).id, shape);
    const base = this.newBase([], dtype, source);
    return { ...wholeView(base.id, []), shape, strides: shape.map(() => 0) };
  }

  private view(node: Node<OpsOf<'view'>>): View {
    const x = this.views[node.inputs[0]];
    const order = node.op === 'after' ? [this.views[node.inputs[1]].base] : [];
    const through = throughView(node, x, order);
    if (through !== undefined) return through;
    const copy = throughView(node, this.copy(x), order);
    return copy!;
  }

  /** How a loop over `shape` reads a view that broadcasts to it. */
  private access(view: View, shape: Dims): Access {
    const strides = broadcastStrides(view, shape);
    const axes = longAxes(shape);
    const { base, offset } = view;
    return { base, offset, strides: axes.map((i) => strides[i]), guards: [] };
  }

  private element(node: Node<OpsOf<'element'>>, base: Base): void {
    const views = node.inputs.map((i) => this.views[i]);
    const operands =
      node.op === 'pad'
        ? [this.padded(node, views[0])]
        : views.map((v) => this.access(v, node.shape));
    this.loop(node, base, operands, views);
  }

  private loop(
    node: Node | 'copy',
    base: Base,
    operands: readonly Access[],
    views: readonly View[],
  ): void {
    const dims = base.shape.filter((d) => d !== 1);
    const after = views.flatMap((v) => v.after);
    const target = { offset: 0, strides: rowStrides(dims) };
    this.push(base, { kind: 'element', node, dtype: base.dtype, dims, operands, target, after });
  }

  private padded(node: Node<'pad'>, view: View): Access {
    const { before, value } = node.attrs;
    const axes = longAxes(node.shape);
    if (sizeOf(view.shape) === 0) {
      const base = this.newBase([], node.dtype, { kind: 'splat', value }).id;
      return { base, offset: 0, strides: axes.map(() => 0), guards: [] };
    }
    const offset = before.reduce((at, b, i) => at - b * view.strides[i], view.offset);
    const guards = axes.flatMap((i, axis) =>
      view.shape[i] === node.shape[i]
        ? []
        : [{ axis, from: before[i], to: before[i] + view.shape[i] }],
    );
    return { base: view.base, offset, strides: axes.map((i) => view.strides[i]), guards };
  }

  private reduce(node: Node<OpsOf<'reduce'>>, base: Base): void {
    const view = this.views[node.inputs[0]];
    const { axes } = node.attrs;
    const kept = view.shape.map((d, i) => (axes.includes(i) ? 1 : d));
    const own = rowStrides(kept);
    const long = longAxes(view.shape);
    this.push(base, {
      kind: 'reduce',
      node,
      dtype: base.dtype,
      dims: long.map((i) => view.shape[i]),
      operands: [this.access(view, view.shape)],
      target: { offset: 0, strides: long.map((i) => (axes.includes(i) ? 0 : own[i])) },
      after: view.after,
    });
  }

  private call(node: Node, base: Base): void {
    const matrices = node.op === 'matmul' || node.op === 'gemm';
    const views = node.inputs.map((i, k) => {
      const view = this.views[i];
      const literal = this.bases[view.base].source.kind === 'splat';
      if (!literal && (isContiguous(view) || (matrices && k < 2 && isMatrices(view)))) return view;
      return this.copy(view);
    });
    const after = views.flatMap((v) => v.after);
    this.push(base, { kind: 'call', node, dims: [], views, after } as Omit<
      CallItem,
      'index' | 'base'
    >);
  }

  /** The view as a base of its own, made once. */
  private copy(view: View): View {
    const key = JSON.stringify(view);
    let made = this.copies.get(key);
    if (made === undefined) {
      made = wholeView(this.freshCopy(view).id, view.shape);
      this.copies.set(key, made);
    }
    return made;
  }

  private freshCopy(view: View): Base {
    const base = this.newBase(view.shape, this.bases[view.base].dtype, { kind: 'computed' });
    this.loop('copy', base, [this.access(view, view.shape)], [view]);
    return base;
  }

  private join(node: Node<'concat'>): View {
    const base = this.newBase(node.shape, node.dtype, { kind: 'computed' });
    const { axis } = node.attrs;
    const own = rowStrides(node.shape);
    const solid = node.shape.slice(0, axis).every((d) => d === 1);
    let at = 0;
    for (const input of node.inputs) {
      const view = this.views[input];
      const offset = at * own[axis];
      at += view.shape[axis];
      if (sizeOf(view.shape) === 0) continue;
      const part = this.bases[view.base];
      if (this.fitsInPlace(view, part, solid)) {
        part.place = { parent: base.id, offset };
        base.writers.push(...part.writers);
      } else if (this.fitsSpread(view, part, input)) {
        part.place = { parent: base.id, offset, strides: own };
        base.writers.push(...part.writers);
      } else {
        const axes = longAxes(view.shape);
        this.push(base, {
          kind: 'element',
          node: 'copy',
          dtype: node.dtype,
          dims: axes.map((i) => view.shape[i]),
          operands: [this.access(view, view.shape)],
          target: { offset, strides: axes.map((i) => own[i]) },
          after: view.after,
        });
      }
    }
    return wholeView(base.id, node.shape);
  }

  private isFree(part: Base): boolean {
    return part.source.kind === 'computed' && part.place === undefined;
  }

  /** Whether a part may be computed where it belongs: it fills a piece of memory of its own. */
  private fitsInPlace(view: View, part: Base, solid: boolean): boolean {
    return this.isFree(part) && solid && part.size === sizeOf(view.shape) && isContiguous(view);
  }

  /** Whether a part may be computed where it belongs though rows lie apart: nothing else reads it. */
  private fitsSpread(view: View, part: Base, input: number): boolean {
    const [writer] = part.writers;
    return (
      this.isFree(part) &&
      this.graph.nodes[input].op !== 'after' &&
      KIND[this.graph.nodes[input].op] === 'element' &&
      this.uses[input] === 1 &&
      part.writers.length === 1 &&
      writer.kind === 'element' &&
      sameShape(view.shape, part.shape)
    );
  }
}

/** Whether the last two axes are a matrix that lies row by row or column by column. */
function isMatrices({ shape, strides }: View): boolean {
  const rank = shape.length;
  const [rows, cols] = [shape[rank - 2], shape[rank - 1]];
  const [down, right] = [strides[rank - 2], strides[rank - 1]];
  const byRows = (cols === 1 || right === 1) && (rows === 1 || down === cols);
  const byColumns = (rows === 1 || down === 1) && (cols === 1 || right === rows);
  return byRows || byColumns;
}
