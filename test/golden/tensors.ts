import type { HostTensor } from '../../src/core/host-tensor.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';

/** Selects TensorFlow.js' plain JavaScript backend, on which eager comparisons run. */
export async function useEagerBackend(): Promise<void> {
  await tf.setBackend('cpu');
  await tf.ready();
}

export function toTensor(host: HostTensor): Tensor {
  return tf.tensor(host.data, [...host.shape], host.dtype);
}

export function toTensors(hosts: Readonly<Record<string, HostTensor>>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(hosts).map(([k, v]) => [k, toTensor(v)]));
}

/** Row `i` of the first axis, as a view. */
export function rowOf(host: HostTensor, i: number): HostTensor {
  const shape = host.shape.slice(1);
  const size = shape.reduce((a, b) => a * b, 1);
  return { ...host, shape, data: host.data.subarray(i * size, (i + 1) * size) };
}

/** Runs eager tensor code on the plain JavaScript backend; frees every tensor it made. */
export async function eagerly<T>(compute: () => T): Promise<T> {
  await useEagerBackend();
  tf.engine().startScope();
  try {
    return compute();
  } finally {
    tf.engine().endScope();
  }
}
