import type { DType } from '../../../core/host-tensor.ts';
import type { Node, Op } from '../../ir/ops.ts';
import { type GemmCall, type GeneratedKernel, gemmKernel } from '../gemm/gemm.ts';
import { share } from '../gemm/tiles.ts';
import type { Base, CallItem } from '../plan/items.ts';
import type { View } from '../plan/view.ts';
import type { Precision } from '../precision.ts';
import { Parameters, SCRATCH, type UnitCode } from './unit.ts';

/** Says one node as C text: the statements of a function of its own. */
export type CallRule<K extends Op> = (c: CallEmitter, node: Node<K>) => string;

/** What the rules of calls write with. */
export class CallEmitter {
  readonly views: readonly View[];
  /** Of large products. */
  readonly precision: Precision;
  private readonly bases: readonly Base[];
  private readonly item: CallItem;
  private readonly parameters = new Parameters();
  private readonly helpers: string[] = [];
  private floats = 0;
  private shared = false;

  constructor(bases: readonly Base[], item: CallItem, precision: Precision) {
    this.bases = bases;
    this.item = item;
    this.views = item.views;
    this.precision = precision;
  }

  finish(body: string): UnitCode {
    const { parameters, helpers, floats } = this;
    return { parameters: parameters.list, body, helpers, scratch: floats, shared: this.shared };
  }

  shape(i: number): readonly number[] {
    return this.views[i].shape;
  }

  dtype(i: number): DType {
    return this.bases[this.views[i].base].dtype;
  }

  /** The array of an operand. */
  operand(i: number): string {
    const { base, offset } = this.views[i];
    return this.parameters.name(base, offset, this.dtype(i), false);
  }

  /** The array of the result. */
  result(): string {
    const { base } = this.item;
    return this.parameters.name(base, 0, this.bases[base].dtype, true);
  }

  /** So many floats of memory that are this unit's own while it runs. */
  scratch(floats: number): string {
    const at = this.floats;
    this.floats += 16 * Math.ceil(floats / 16);
    const name = this.parameters.name(SCRATCH, 0, 'float32', true);
    return at === 0 ? name : `(${name} + ${at})`;
  }

  /** Declares `from` and `to`, the share of a thread of so many things. */
  share(count: number): string {
    this.shared = true;
    return `  ${share(count)}`;
  }

  /** A call of a product of matrices. */
  product(
    call: GemmCall,
    a: string,
    b: string,
    c: string,
    out: string,
    whole = this.shared,
  ): string {
    return this.kernel(gemmKernel(call), a, b, c, out, whole);
  }

  /** A call of a generated kernel, which threads share where it is worth that and `whole` is not. */
  kernel(
    generated: GeneratedKernel,
    a: string,
    b: string,
    c: string,
    out: string,
    whole = this.shared,
  ): string {
    const { name, source, scratch, divisible } = generated;
    if (!this.helpers.includes(source)) this.helpers.push(source);
    const own = scratch > 0 ? this.scratch(scratch) : 'NULL';
    const operands = `${a}, ${b}, ${c}, ${out}, ${own}`;
    if (whole || !divisible) return `${name}(${operands});`;
    this.shared = true;
    return `${name}_part(${operands}, me, all);`;
  }
}
