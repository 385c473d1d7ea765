import { ShapeError } from '../core/errors.ts';
import {
  type DType,
  type HostData,
  type HostTensor,
  isHostTensor,
  sizeOf,
} from '../core/host-tensor.ts';
import { flatten, type Tree, unflatten } from '../core/tree.ts';
import { deviceValueOf } from './run/device-backend.ts';
import type { Provider } from './run/provider.ts';
import type { Input, Slot } from './run/session.ts';
import { type Tensor, tf } from './tf.ts';
import type { LeafSpec } from './trace/tracer.ts';

/** What the trees of arguments of a jitted function hold. */
export type Leaf = Tensor | HostTensor | number;

export const isTensor = (v: unknown): v is Tensor => v instanceof tf.Tensor;

export const isLeaf = (v: unknown): v is Leaf =>
  typeof v === 'number' || isTensor(v) || isHostTensor(v);

/** Array type of each element type. */
const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

/**
 * Type and shape of an argument.
 * @throws ShapeError when it cannot be an argument: says what it is.
 */
export function leafSpec(leaf: Leaf, where: string): LeafSpec {
  if (typeof leaf === 'number') return { shape: [], dtype: 'float32' };
  const { shape, dtype } = leaf;
  if (!(dtype in ARRAYS)) {
    throw new ShapeError(`${where}: has dtype ${dtype}; expected float32, int32 or bool`);
  }
  if (isTensor(leaf)) {
    if (leaf.isDisposed) {
      throw new ShapeError(
        `${where}: the tensor [${shape}] was disposed (given up by a donation?)`,
      );
    }
  } else if (!(leaf.data instanceof ARRAYS[dtype as DType]) || leaf.data.length !== sizeOf(shape)) {
    throw new ShapeError(
      `${where}: ${leaf.data.constructor.name} of ${leaf.data.length} values; expected ` +
        `${ARRAYS[dtype as DType].name} of ${sizeOf(shape)} for ${dtype}[${shape}]`,
    );
  }
  return { shape: [...shape], dtype: dtype as DType };
}

export const specKey = ({ shape, dtype }: LeafSpec) => `${dtype}[${shape}]`;

/** The values of an argument, without a copy where they lie in ordinary memory. */
export function asSlot(leaf: Leaf): Slot {
  if (typeof leaf === 'number') return { data: Float32Array.of(leaf), shape: [], dtype: 'float32' };
  if (!isTensor(leaf)) return leaf;
  return { data: leaf.dataSync() as HostData, shape: leaf.shape, dtype: leaf.dtype as DType };
}

/** As `asSlot`, for a session of `provider`; what lies in the memory of that device stays there. */
export function asInput(leaf: Leaf, provider: Provider): Input {
  const value = isTensor(leaf) ? deviceValueOf(leaf) : undefined;
  return value?.provider === provider ? value : asSlot(leaf);
}

/** Any leaf as a tensor; a tensor as it is. */
export function asTensor(leaf: Leaf): Tensor {
  if (typeof leaf === 'number') return tf.scalar(leaf);
  if (isTensor(leaf)) return leaf;
  return tf.tensor(leaf.data, [...leaf.shape], leaf.dtype);
}

/** A tree with every leaf made a tensor. */
export function lift(tree: unknown): Tree<Tensor> {
  const { leaves, structure } = flatten(tree, isLeaf);
  return unflatten(structure, leaves.map(asTensor));
}

/** As `lift`, with a tensor of its own for every leaf: the caller may dispose each. */
export function liftFresh(tree: unknown): Tree<Tensor> {
  const { leaves, structure } = flatten(tree, isLeaf);
  return unflatten(
    structure,
    leaves.map((leaf) => (isTensor(leaf) ? leaf.clone() : asTensor(leaf))),
  );
}

/** A tensor on the cpu backend around an array, which is not copied. */
export function hostToTensor(data: HostData, { shape, dtype }: LeafSpec): Tensor {
  const cpu = tf.engine().findBackend('cpu');
  return tf.engine().makeTensor(data, [...shape], dtype, cpu);
}
