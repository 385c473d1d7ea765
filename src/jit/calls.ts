import { asInput, asSlot, hostToTensor, type Leaf } from './leaves.ts';
import type { Session } from './native/open.ts';
import type { BufferPool } from './run/buffers.ts';
import { deviceTensor } from './run/device-backend.ts';
import type { Provider } from './run/provider.ts';
import type { OnnxSession } from './run/session.ts';
import type { Tensor } from './tf.ts';
import type { LeafSpec } from './trace/tracer.ts';

/** A compiled function: where it runs, and what it gives. */
export interface Callable<S extends Session = Session> {
  readonly session: S;
  readonly provider: Provider;
  readonly outputs: readonly LeafSpec[];
  readonly buffers: BufferPool;
}

/** One call; the results lie in main memory, in arrays of `donated` tensors where they fit. */
export function runOnProcessor(
  { session, buffers, outputs }: Callable,
  leaves: readonly Leaf[],
  donated: readonly Tensor[],
): Tensor[] {
  const results = outputs.map((spec) => ({ ...spec, data: buffers.take(spec) }));
  session.run(leaves.map(asSlot), results);
  for (const tensor of donated) buffers.giveUp(tensor);
  return results.map((result) => hostToTensor(result.data, result));
}

/** One call; the results lie on the device if they are to stay there, else in main memory. */
export function runOnDevice(
  { session, provider, buffers, outputs }: Callable<OnnxSession>,
  leaves: readonly Leaf[],
  donated: readonly Tensor[],
  stay: boolean,
): Tensor[] {
  const given = leaves.map((leaf) => asInput(leaf, provider));
  if (stay) {
    const values = session.runOnDevice(given, outputs);
    donated.forEach(disposeOnce);
    return values.map(deviceTensor);
  }
  const results = outputs.map((spec) => ({ ...spec, data: buffers.take(spec) }));
  session.run(given, results);
  return results.map((result) => hostToTensor(result.data, result));
}

export function disposeOnce(tensor: Tensor): void {
  if (!tensor.isDisposed) tensor.dispose();
}
