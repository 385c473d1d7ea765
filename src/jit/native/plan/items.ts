import type { DType } from '../../../core/host-tensor.ts';
import type { Node } from '../../ir/ops.ts';
import type { View } from './view.ts';

type Dims = readonly number[];

/** Something that lies in memory row by row: an argument, a literal, or a result. */
export interface Base {
  readonly id: number;
  readonly shape: Dims;
  readonly dtype: DType;
  readonly size: number;
  readonly source:
    | { readonly kind: 'input'; readonly index: number }
    | { readonly kind: 'const'; readonly node: Node<'const'> }
    | { readonly kind: 'splat'; readonly value: number }
    | { readonly kind: 'computed' };
  /** The items that write it, its parts' included. */
  readonly writers: Item[];
  /** Where it lies when it is a part of something larger. */
  place?: Placement;
  /** Index of the result of the graph that it is. */
  output?: number;
}

export interface Placement {
  readonly parent: number;
  /** In elements. */
  readonly offset: number;
  /** Of the part's own axes; row by row when absent. */
  readonly strides?: Dims;
}

/** Positions along one axis at which an element is read; elsewhere it is `value`. */
export interface Guard {
  readonly axis: number;
  readonly from: number;
  readonly to: number;
}

/** How an item reads an operand: like a view, over those axes of the item that are longer than 1. */
export interface Access {
  readonly base: number;
  readonly offset: number;
  readonly strides: Dims;
  readonly guards: readonly Guard[];
}

interface ItemBase {
  readonly index: number;
  readonly base: number;
  /** Lengths of the axes it runs over that are longer than 1. */
  readonly dims: Dims;
  /** Bases that must be computed before, whether read or not. */
  readonly after: readonly number[];
}

/** One element of the result from one of each operand. */
export interface ElementItem extends ItemBase {
  readonly kind: 'element';
  /** `copy` where the operand is taken as it is. */
  readonly node: Node | 'copy';
  readonly dtype: DType;
  readonly operands: readonly Access[];
  /** Where each element goes, relative to the base. */
  readonly target: { readonly offset: number; readonly strides: Dims };
}

/** An accumulation over some of the axes. */
export interface ReduceItem extends ItemBase {
  readonly kind: 'reduce';
  readonly node: Node;
  readonly dtype: DType;
  readonly operands: readonly [Access];
  /** Strides are 0 along the axes summed over. */
  readonly target: { readonly offset: number; readonly strides: Dims };
}

/** A function of its own. */
export interface CallItem extends ItemBase {
  readonly kind: 'call';
  readonly node: Node;
  readonly views: readonly View[];
}

export type LoopItem = ElementItem | ReduceItem;
export type Item = LoopItem | CallItem;

/** What a graph comes down to. */
export interface Work {
  readonly bases: readonly Base[];
  readonly items: readonly Item[];
}

/** The bases an item reads. */
export const basesRead = (item: Item): readonly number[] =>
  (item.kind === 'call' ? item.views : item.operands).map(({ base }) => base);
