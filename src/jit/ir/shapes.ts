import type { ConvAttrs, Node } from './ops.ts';

/*
 * What the rules of the IR are made of: conditions on operands, and the shapes of results.
 */

/** What a rule needs to know of an operand. */
export type Operand = Pick<Node, 'shape' | 'dtype'>;
export type Dims = readonly number[];

/** An ill-typed node: a fault of whoever built it. */
export class Malformed extends Error {}

export function need(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Malformed(message);
}

export function needAxis(axis: number, shape: Dims): void {
  need(axis >= 0 && axis < shape.length, `axis ${axis} of shape [${shape}]`);
}

export const needFloat = (...operands: readonly Operand[]) => {
  for (const { dtype } of operands) need(dtype === 'float32', `operand is ${dtype}`);
};

export function broadcastShapes(a: Dims, b: Dims): Dims {
  const rank = Math.max(a.length, b.length);
  const out = new Array<number>(rank);
  for (let i = 0; i < rank; i++) {
    const p = a[a.length - rank + i] ?? 1;
    const q = b[b.length - rank + i] ?? 1;
    need(p === q || p === 1 || q === 1, `shapes [${a}] and [${b}] do not broadcast`);
    out[i] = p === 1 ? q : p;
  }
  return out;
}

export function reducedShape(shape: Dims, axes: Dims, keepDims: boolean): Dims {
  const kept = shape.map((d, i) => (axes.includes(i) ? 1 : d));
  return keepDims ? kept : kept.filter((_, i) => !axes.includes(i));
}

/** Spatial size after a convolution along one axis. */
export function convSize(size: number, kernel: number, a: ConvAttrs, axis: 0 | 1): number {
  const padded = size + a.pads[axis] + a.pads[axis + 2];
  return Math.floor((padded - a.dilations[axis] * (kernel - 1) - 1) / a.strides[axis]) + 1;
}

export function matmulShape(a: Dims, b: Dims, transA: boolean, transB: boolean): Dims {
  need(a.length >= 2 && b.length >= 2, `matmul of [${a}] and [${b}]`);
  const [m, ka] = transA ? [a.at(-1)!, a.at(-2)!] : [a.at(-2)!, a.at(-1)!];
  const [kb, n] = transB ? [b.at(-1)!, b.at(-2)!] : [b.at(-2)!, b.at(-1)!];
  need(ka === kb, `matmul of [${a}]${transA ? 'ᵀ' : ''} and [${b}]${transB ? 'ᵀ' : ''}`);
  return [...broadcastShapes(a.slice(0, -2), b.slice(0, -2)), m, n];
}

export function needImages(a: Operand, b: Operand): void {
  need(a.shape.length === 4 && b.shape.length === 4, `images of [${a.shape}] and [${b.shape}]`);
  needFloat(a, b);
}

/** Rows of at most as many coordinates as the indexed shape has axes. */
export function needIndices(i: Operand, indexed: Dims): void {
  need(i.dtype === 'int32', `indices are ${i.dtype}`);
  const depth = i.shape.at(-1);
  need(depth !== undefined && depth <= indexed.length, `indices [${i.shape}] into [${indexed}]`);
}
