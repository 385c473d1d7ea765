import { sizeOf } from '../../../core/host-tensor.ts';
import type { Node } from '../../ir/ops.ts';
import type { OpsOf } from './kinds.ts';

type Dims = readonly number[];

/** A way to walk over the elements of a base, which lies in memory row by row. */
export interface View {
  /** Id of what lies in memory. */
  readonly base: number;
  /** Where the first element lies, in elements. */
  readonly offset: number;
  readonly shape: Dims;
  /** How far apart neighbours along each axis lie, in elements. */
  readonly strides: Dims;
  /** Bases that must have been computed before this is read. */
  readonly after: readonly number[];
}

/** Strides of an array that lies row by row. */
export function rowStrides(shape: Dims): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

export const wholeView = (base: number, shape: Dims): View => ({
  base,
  offset: 0,
  shape,
  strides: rowStrides(shape),
  after: [],
});

/** Whether the elements lie one after another in the order of the axes. */
export function isContiguous({ shape, strides }: Pick<View, 'shape' | 'strides'>): boolean {
  if (sizeOf(shape) === 0) return true;
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== step) return false;
    step *= shape[i];
  }
  return true;
}

/** What a view primitive makes of the view of its operand; `undefined` where it takes a copy. */
export function throughView(node: Node<OpsOf<'view'>>, x: View, order: Dims): View | undefined {
  switch (node.op) {
    case 'reshape': {
      const strides = reshapedStrides(x, node.shape);
      return strides && { ...x, shape: node.shape, strides };
    }
    case 'transpose': {
      const { perm } = node.attrs;
      return { ...x, shape: node.shape, strides: perm.map((p) => x.strides[p]) };
    }
    case 'broadcast':
      return { ...x, shape: node.shape, strides: broadcastStrides(x, node.shape) };
    case 'slice': {
      const { begin, strides, size } = node.attrs;
      if (sizeOf(size) === 0) return { ...x, shape: size, strides: rowStrides(size) };
      const offset = begin.reduce((sum, b, i) => sum + b * x.strides[i], x.offset);
      return { ...x, offset, shape: size, strides: strides.map((s, i) => s * x.strides[i]) };
    }
    // On one process.
    case 'rankMean':
      return x;
    case 'after':
      return { ...x, after: [...x.after, ...order] };
  }
}

/** Strides of a view that is read as an array of a larger shape, by NumPy's rules. */
export function broadcastStrides({ shape, strides }: View, to: Dims): number[] {
  return to.map((_, i) => {
    const at = shape.length - to.length + i;
    return at < 0 || shape[at] === 1 ? 0 : strides[at];
  });
}

/**
 * Strides of a view under another shape: runs of axes whose lengths multiply to the same number are
 * matched, and each run must be evenly spaced.
 */
function reshapedStrides({ shape, strides }: View, to: Dims): number[] | undefined {
  if (sizeOf(to) === 0) return rowStrides(to);
  const result = new Array<number>(to.length).fill(0);
  const axes = shape.flatMap((d, i) => (d === 1 ? [] : [i]));
  let from = 0;
  let at = 0;
  while (at < to.length) {
    if (to[at] === 1) {
      at++;
      continue;
    }
    const first = from;
    const start = at;
    let have = shape[axes[from++]];
    let want = to[at++];
    while (have !== want) {
      if (have < want) have *= shape[axes[from++]];
      else want *= to[at++];
    }
    for (let i = first; i < from - 1; i++) {
      if (strides[axes[i]] !== strides[axes[i + 1]] * shape[axes[i + 1]]) return undefined;
    }
    let step = strides[axes[from - 1]];
    for (let i = at - 1; i >= start; i--) {
      result[i] = step;
      step *= to[i];
    }
  }
  return result;
}
