import { ShapeError } from '../core/errors.ts';
import { type HostTensor, hostTensor, sameShape, sizeOf } from '../core/host-tensor.ts';
import { type Tensor, tf } from '../jit/tf.ts';

/**
 * How the parameters of one optimiser lie in one float32 vector: one behind the other in the order
 * of the keys. An optimiser step is then a handful of operations on one vector, whatever the
 * number of parameters.
 */
export interface FlatLayout {
  readonly keys: readonly string[];
  readonly shapes: readonly (readonly number[])[];
  readonly sizes: readonly number[];
  /** Number of scalars in all. */
  readonly total: number;
}

/** The layout of `shapes`, in the order of its keys. */
export function flatLayout(shapes: Readonly<Record<string, readonly number[]>>): FlatLayout {
  const keys = Object.keys(shapes);
  const sizes = keys.map((k) => sizeOf(shapes[k]));
  return {
    keys,
    shapes: keys.map((k) => shapes[k]),
    sizes,
    total: sizes.reduce((a, b) => a + b, 0),
  };
}

/**
 * Copies `params` into one vector.
 * @throws ShapeError when a key of the layout is absent or has another shape, or a key is unknown.
 */
export function pack(
  layout: FlatLayout,
  params: Readonly<Record<string, HostTensor>>,
): Float32Array {
  const unknown = Object.keys(params).find((k) => !layout.keys.includes(k));
  if (unknown !== undefined) {
    throw new ShapeError(
      `pack: '${unknown}' is not a parameter of this network; remove it or check the architecture`,
    );
  }
  const flat = new Float32Array(layout.total);
  let offset = 0;
  layout.keys.forEach((key, i) => {
    const value = params[key];
    if (value === undefined || !sameShape(value.shape, layout.shapes[i])) {
      const got = value === undefined ? 'nothing' : `[${value.shape}]`;
      throw new ShapeError(
        `pack: '${key}' must have shape [${layout.shapes[i]}], got ${got}; the parameters belong to another architecture`,
      );
    }
    flat.set(value.data, offset);
    offset += layout.sizes[i];
  });
  return flat;
}

/** The inverse of `pack`; copies. @throws ShapeError when the vector has another length. */
export function unpackHost(layout: FlatLayout, flat: Float32Array): Record<string, HostTensor> {
  if (flat.length !== layout.total) {
    throw new ShapeError(
      `unpackHost: the layout holds ${layout.total} numbers, the vector ${flat.length}`,
    );
  }
  const out: Record<string, HostTensor> = {};
  let offset = 0;
  layout.keys.forEach((key, i) => {
    out[key] = hostTensor(flat.slice(offset, offset + layout.sizes[i]), layout.shapes[i]);
    offset += layout.sizes[i];
  });
  return out;
}

/** The parameters as tensors. Traceable and differentiable. */
export function unpack(layout: FlatLayout, flat: Tensor): Record<string, Tensor> {
  const parts = tf.split(flat, [...layout.sizes], 0);
  return Object.fromEntries(
    layout.keys.map((key, i) => {
      const shape = layout.shapes[i];
      return [key, shape.length === 1 ? parts[i] : tf.reshape(parts[i], [...shape])];
    }),
  );
}

/** One vector from tensors by key, in the order of the layout. Traceable. */
export function packTensors(layout: FlatLayout, params: Readonly<Record<string, Tensor>>): Tensor {
  return tf.concat(layout.keys.map((k) => tf.reshape(params[k], [-1])));
}
