import { ConfigError } from '../core/errors.ts';
import { type Key, permutation } from '../core/random.ts';

/**
 * Places of the images of an iteration, in epochs: a new order every epoch, the incomplete batch
 * at the end left out. A pure function of the key, so that a resumed training sees the same.
 */
export function epochBatches(count: number, batch: number): (key: Key) => Int32Array {
  const perEpoch = Math.floor(count / batch);
  if (perEpoch < 1) {
    throw new ConfigError(`epochBatches: a batch of ${batch} is more than the ${count} images`);
  }
  let name = '';
  let order: Int32Array = new Int32Array(0);
  return ({ seed, stream, step }) => {
    const epoch = Math.floor(step / perEpoch);
    const wanted = `${seed}/${stream}/${epoch}`;
    if (wanted !== name) {
      order = permutation({ seed, stream: `${stream}/order`, step: epoch }, count);
      name = wanted;
    }
    const at = (step % perEpoch) * batch;
    return order.slice(at, at + batch);
  };
}

/** Rows of `size` bytes at the given places, one behind the other. */
export function gatherRows(pixels: Uint8Array, size: number, at: ArrayLike<number>): Uint8Array {
  const out = new Uint8Array(at.length * size);
  for (let i = 0; i < at.length; i++) {
    out.set(pixels.subarray(at[i] * size, (at[i] + 1) * size), i * size);
  }
  return out;
}
