import { parentPort, workerData } from 'node:worker_threads';
import { fitPicture, intoPlanes } from './picture-fit.ts';
import { openPictureSet } from './picture-set.ts';
import type { PictureTask, PictureWorkerSetup } from './picture-threads.ts';

/*
 * One decoding thread: fills batches of shared memory. It answers through shared words, so that the
 * thread that waits need not return to its event loop.
 */

const { source, fit, shared } = workerData as PictureWorkerSetup;
const set = openPictureSet(source);
const imageBytes = 3 * fit.size * fit.size;
const words = new Int32Array(shared.words);
/** Per slot, the end of its last task: two that decode into the same memory would mix pictures. */
const ends: Promise<void>[] = [];

async function decode({ slot, places }: PictureTask): Promise<void> {
  const out = new Uint8Array(shared.pixels[slot]);
  const all = await Promise.allSettled(
    places.map(async (place, i) => {
      const picture = fitPicture(await set.picture(place), fit, set.name(place));
      intoPlanes(picture, out, i * imageBytes);
    }),
  );
  // Of several damaged pictures always the same one is named.
  const failed = all.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function answer(task: PictureTask): Promise<void> {
  let outcome = 1;
  try {
    await decode(task);
  } catch (error) {
    const text = new TextEncoder().encode((error as Error).message);
    const room = new Uint8Array(shared.errors[task.slot]);
    const length = Math.min(text.length, room.length - 4);
    new DataView(shared.errors[task.slot]).setUint32(0, length);
    room.set(text.subarray(0, length), 4);
    outcome = -1;
  }
  Atomics.store(words, task.slot, outcome * task.ticket);
  Atomics.notify(words, task.slot);
}

parentPort?.on('message', (task: PictureTask) => {
  ends[task.slot] = (ends[task.slot] ?? Promise.resolve()).then(() => answer(task));
});
