import { DataError } from './errors.ts';
import { fromFloat16 } from './float16.ts';
import { type HostTensor, hostTensor } from './host-tensor.ts';

/** Element types of PyTorch that are read; BF16 keeps its bits. */
export type TorchDType =
  | 'F16'
  | 'BF16'
  | 'F32'
  | 'F64'
  | 'I8'
  | 'I16'
  | 'I32'
  | 'I64'
  | 'U8'
  | 'BOOL';

const ARRAY_OF = {
  F16: Uint16Array,
  BF16: Uint16Array,
  F32: Float32Array,
  F64: Float64Array,
  I8: Int8Array,
  I16: Int16Array,
  I32: Int32Array,
  I64: BigInt64Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

export type TorchData = InstanceType<(typeof ARRAY_OF)[TorchDType]>;

/** A tensor of a PyTorch file, row-major. F16 and BF16 are bits, BOOL is 0 or 1. */
export interface TorchTensor {
  readonly dtype: TorchDType;
  readonly shape: readonly number[];
  readonly data: TorchData;
}

/** How a tensor looks at its storage, in elements. */
export interface Geometry {
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

export const bytesPerElement = (dtype: TorchDType): number => ARRAY_OF[dtype].BYTES_PER_ELEMENT;

/** A view may repeat elements; beyond its storage it may have this many. */
const MAX_REPEATED = 2 ** 24;

/**
 * Checks that a view lies within `count` elements; nothing is allocated.
 * @throws DataError through `fail`.
 */
export function checkGeometry(
  { offset, shape, strides }: Geometry,
  count: number,
  fail: (what: string) => DataError,
): void {
  const natural = (n: number) => Number.isSafeInteger(n) && n >= 0;
  const show = `offset ${offset}, shape [${shape}], strides [${strides}]`;
  if (!natural(offset) || ![...shape, ...strides].every(natural)) {
    throw fail(`a tensor has negative or unreadable geometry: ${show}`);
  }
  if (shape.length !== strides.length) {
    throw fail(`a tensor has ${shape.length} sizes but ${strides.length} strides`);
  }
  const size = shape.reduce((a, b) => a * b, 1);
  if (size === 0) return;
  const last = shape.reduce((at, d, i) => at + (d - 1) * strides[i], offset);
  if (last >= count) {
    throw fail(`a tensor reaches beyond its storage of ${count} elements: ${show}`);
  }
  if (size > Math.max(count, MAX_REPEATED)) {
    throw fail(`a tensor repeats ${count} elements to ${size}, too many to write out: ${show}`);
  }
}

/** The view of `bytes` as an array of its own, row-major. The geometry has been checked. */
export function gatherTensor(bytes: Uint8Array, dtype: TorchDType, g: Geometry): TorchTensor {
  const { offset, shape, strides } = g;
  const size = shape.reduce((a, b) => a * b, 1);
  const element = bytesPerElement(dtype);
  if (size === 0) return { dtype, shape, data: new ARRAY_OF[dtype](0) };
  if (isContiguous(g)) {
    // A copy, aligned and without the rest of the file.
    const copy = bytes.slice(offset * element, (offset + size) * element);
    return { dtype, shape, data: new ARRAY_OF[dtype](copy.buffer) };
  }
  const last = shape.reduce((at, d, i) => at + (d - 1) * strides[i], offset);
  const storage = new ARRAY_OF[dtype](bytes.slice(offset * element, (last + 1) * element).buffer);
  const data = new ARRAY_OF[dtype](size);
  const index = shape.map(() => 0);
  let at = 0;
  for (let i = 0; i < size; i++) {
    data[i] = storage[at];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis];
      if (++index[axis] < shape[axis]) break;
      at -= shape[axis] * strides[axis];
      index[axis] = 0;
    }
  }
  return { dtype, shape, data };
}

function isContiguous({ shape, strides }: Geometry): boolean {
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== expected) return false;
    expected *= shape[i];
  }
  return true;
}

/** The elements as float32, rounded where they are wider. */
export function torchToFloat32({ dtype, data }: TorchTensor): Float32Array {
  if (dtype === 'F16') return fromFloat16(data as Uint16Array);
  if (dtype === 'BF16') {
    return new Float32Array(Uint32Array.from(data as Uint16Array, (bits) => bits << 16).buffer);
  }
  if (data instanceof BigInt64Array) return Float32Array.from(data, Number);
  return Float32Array.from(data);
}

/**
 * As an engine tensor: all floats become float32, integers int32, BOOL bool.
 * @throws DataError for an I64 that is no int32.
 */
export function torchToHostTensor(tensor: TorchTensor): HostTensor {
  const { dtype, data, shape } = tensor;
  if (dtype === 'BOOL') return hostTensor(data as Uint8Array, shape);
  if (data instanceof BigInt64Array) {
    const ints = Int32Array.from(data, (v) => {
      if (BigInt.asIntN(32, v) !== v) throw new DataError(`torchToHostTensor: ${v} is no int32`);
      return Number(v);
    });
    return hostTensor(ints, shape);
  }
  const whole = dtype === 'I8' || dtype === 'I16' || dtype === 'I32' || dtype === 'U8';
  return hostTensor(whole ? Int32Array.from(data) : torchToFloat32(tensor), shape);
}
