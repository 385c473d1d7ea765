import { ShapeError } from './errors.ts';

/** Element types that the engine, TensorFlow.js and ONNX Runtime share. */
export type DType = 'float32' | 'int32' | 'bool';

export type HostData = Float32Array | Int32Array | Uint8Array;

/**
 * A dense row-major array in ordinary memory: what checkpoints hold, what random draws and data
 * sets produce, and what a jitted function accepts beside `tf.Tensor`.
 */
export interface HostTensor {
  readonly data: HostData;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** Number of elements of `shape` (1 for a scalar). */
export function sizeOf(shape: readonly number[]): number {
  let n = 1;
  for (const d of shape) n *= d;
  return n;
}

/**
 * Wraps `data` without copying.
 * @throws ShapeError when the length and the shape disagree.
 */
export function hostTensor(data: HostData, shape: readonly number[]): HostTensor {
  if (data.length !== sizeOf(shape)) {
    throw new ShapeError(
      `hostTensor: ${data.length} values do not fill shape [${shape}] (${sizeOf(shape)} elements)`,
    );
  }
  const dtype =
    data instanceof Float32Array ? 'float32' : data instanceof Int32Array ? 'int32' : 'bool';
  return { data, shape, dtype };
}

/** True for any object of the HostTensor form (also one that crossed a thread boundary). */
export function isHostTensor(value: unknown): value is HostTensor {
  return (
    typeof value === 'object' &&
    value !== null &&
    ArrayBuffer.isView((value as HostTensor).data) &&
    Array.isArray((value as HostTensor).shape) &&
    typeof (value as HostTensor).dtype === 'string'
  );
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}
