import { DataError } from '../core/errors.ts';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import type { Key } from '../core/random.ts';
import { epochBatches } from './epochs.ts';
import type { ByteImages } from './images.ts';
import type { FitConfig } from './picture-fit.ts';
import { openPictureSet, type PictureSource } from './picture-set.ts';
import { PictureThreads } from './picture-threads.ts';

export interface PictureBatchesConfig extends FitConfig {
  readonly source: PictureSource;
  readonly batch: number;
  /** The first pictures only, at most so many. */
  readonly most?: number;
  /** Decoding threads. Default 2. */
  readonly threads?: number;
}

/** Batches of a set of pictures that need not fit in memory, for `train`. */
export interface PictureBatches {
  readonly count: number;
  /**
   * The batch of an iteration, [batch, 3, size, size] in [−1, 1], in epochs; a pure function of the
   * key. The next batches are decoded meanwhile. @throws DataError for a damaged picture.
   */
  batch(key: Key): HostTensor;
  /** Milliseconds that `batch` has waited for pictures so far. */
  waitedMs(): number;
  close(): Promise<void>;
}

/** @throws DataError when there are no pictures; ConfigError when they are fewer than a batch. */
export function pictureBatches(config: PictureBatchesConfig): PictureBatches {
  const { source, batch, size, fit, most = Number.POSITIVE_INFINITY } = config;
  const set = openPictureSet(source);
  const count = Math.min(set.count, most);
  set.close();
  const places = epochBatches(count, batch);
  places({ seed: 0, stream: 'check', step: 0 });
  const threads = new PictureThreads({ ...config, fit: { size, fit } });
  /** The key that each slot was filled for. */
  const held: string[] = [];
  const nameOf = ({ seed, stream, step }: Key) => `${seed}/${stream}/${step}`;
  return {
    count,
    batch(key) {
      for (let ahead = 0; ahead < threads.slots; ahead++) {
        const next = { ...key, step: key.step + ahead };
        const slot = next.step % threads.slots;
        if (held[slot] === nameOf(next)) continue;
        // Asked out of order, as after a resume: what a slot holds for later is asked for again.
        threads.fill(slot, places(next));
        held[slot] = nameOf(next);
      }
      const slot = key.step % threads.slots;
      const values = Float32Array.from(threads.take(slot), (v) => v / 127.5 - 1);
      return hostTensor(values, [batch, 3, size, size]);
    },
    waitedMs: () => threads.waitedMs,
    close: () => threads.close(),
  };
}

export interface LoadOptions {
  readonly threads?: number | undefined;
  readonly from?: number;
  readonly most?: number;
}

/**
 * The pictures of a set in memory, decoded by threads: all of them, or at most `most` from the one
 * numbered `from` on. @throws DataError for a damaged one, or where there is none.
 */
export async function loadPictures(
  source: PictureSource,
  { size, fit }: FitConfig,
  { threads = 2, from = 0, most = Number.POSITIVE_INFINITY }: LoadOptions = {},
): Promise<ByteImages> {
  const set = openPictureSet(source);
  const count = Math.min(set.count - from, most);
  set.close();
  if (count < 1) throw new DataError(`${source.path}: there is no picture ${from}`);
  const batch = Math.min(64, count);
  const imageBytes = 3 * size * size;
  const pixels = new Uint8Array(count * imageBytes);
  const decoders = new PictureThreads({ source, fit: { size, fit }, batch, threads });
  const placesOf = (part: number) =>
    Array.from(
      { length: Math.min(batch, count - part * batch) },
      (_, i) => from + part * batch + i,
    );
  const parts = Math.ceil(count / batch);
  try {
    for (let part = 0; part < Math.min(parts, decoders.slots); part++) {
      decoders.fill(part, placesOf(part));
    }
    for (let part = 0; part < parts; part++) {
      const slot = part % decoders.slots;
      const bytes = decoders.take(slot).subarray(0, placesOf(part).length * imageBytes);
      pixels.set(bytes, part * batch * imageBytes);
      if (part + decoders.slots < parts) decoders.fill(slot, placesOf(part + decoders.slots));
    }
  } finally {
    await decoders.close();
  }
  return { count, channels: 3, height: size, width: size, pixels };
}
