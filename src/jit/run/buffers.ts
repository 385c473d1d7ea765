import { type HostData, sizeOf } from '../../core/host-tensor.ts';
import { type Tensor, tf } from '../tf.ts';
import type { LeafSpec } from '../trace/tracer.ts';

const bufferKey = ({ shape, dtype }: LeafSpec) => `${dtype} ${sizeOf(shape)}`;

/** An array for the values of a tensor. */
export function arrayOf({ shape, dtype }: LeafSpec): HostData {
  const size = sizeOf(shape);
  if (dtype === 'float32') return new Float32Array(size);
  return dtype === 'int32' ? new Int32Array(size) : new Uint8Array(size);
}

/** Arrays for results: those that earlier calls were given up are used again. */
export class BufferPool {
  private readonly spare = new Map<string, HostData[]>();
  /** How many results of each kind a call has; more spares than that are of no use. */
  private readonly wanted = new Map<string, number>();

  constructor(results: readonly LeafSpec[]) {
    for (const spec of results) {
      const key = bufferKey(spec);
      this.wanted.set(key, (this.wanted.get(key) ?? 0) + 1);
    }
  }

  take(spec: LeafSpec): HostData {
    const spare = this.spare.get(bufferKey(spec))?.pop();
    if (spare !== undefined) return spare;
    return arrayOf(spec);
  }

  /** Disposes a tensor; keeps its array if no other tensor has it and a result may need it. */
  giveUp(tensor: Tensor): void {
    if (tensor.isDisposed) return;
    const key = bufferKey(tensor as LeafSpec);
    const list = this.spare.get(key) ?? [];
    const backend = tf.engine().state.tensorInfo.get(tensor.dataId)?.backend;
    const alone = backend?.refCount(tensor.dataId) === 1;
    if (alone && list.length < (this.wanted.get(key) ?? 0)) {
      list.push(tensor.dataSync() as HostData);
      this.spare.set(key, list);
    }
    tensor.dispose();
  }
}
