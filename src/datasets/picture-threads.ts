import type { Worker } from 'node:worker_threads';
import { ConfigError, DataError } from '../core/errors.ts';
import { startModuleThread } from '../core/module-thread.ts';
import type { FitConfig } from './picture-fit.ts';
import type { PictureSource } from './picture-set.ts';

/** Memory that the threads fill: one piece per slot. */
interface SharedSlots {
  /** Per slot: the ticket that is done, or its negative if it failed. */
  readonly words: SharedArrayBuffer;
  readonly pixels: readonly SharedArrayBuffer[];
  /** Length (4 bytes) and text of what went wrong. */
  readonly errors: readonly SharedArrayBuffer[];
}

export interface PictureWorkerSetup {
  readonly source: PictureSource;
  readonly fit: FitConfig;
  readonly shared: SharedSlots;
}

/** A batch to decode into a slot. */
export interface PictureTask {
  readonly slot: number;
  readonly ticket: number;
  readonly places: readonly number[];
}

export interface PictureThreadsConfig {
  readonly source: PictureSource;
  readonly fit: FitConfig;
  /** Most pictures of a batch. */
  readonly batch: number;
  /** Default 2. */
  readonly threads?: number;
}

const ERROR_BYTES = 1024;
/** Silence after which a thread is taken for dead. */
const PATIENCE_MS = 120_000;

/**
 * Threads that decode batches of pictures into shared memory, two slots each: one that is being
 * filled while the other waits to be taken. `take` blocks, as a training step needs it.
 */
export class PictureThreads {
  readonly slots: number;
  readonly #workers: readonly Worker[];
  readonly #shared: SharedSlots;
  readonly #words: Int32Array;
  readonly #tickets: Int32Array;
  #issued = 0;
  #waited = 0;

  constructor({ source, fit, batch, threads = 2 }: PictureThreadsConfig) {
    if (!Number.isInteger(threads) || threads < 1) {
      throw new ConfigError(`PictureThreads: threads must be a positive number, got ${threads}`);
    }
    this.slots = 2 * threads;
    const pieces = (bytes: number) =>
      Array.from({ length: this.slots }, () => new SharedArrayBuffer(bytes));
    this.#shared = {
      words: new SharedArrayBuffer(4 * this.slots),
      pixels: pieces(batch * 3 * fit.size * fit.size),
      errors: pieces(ERROR_BYTES),
    };
    this.#words = new Int32Array(this.#shared.words);
    this.#tickets = new Int32Array(this.slots);
    const setup: PictureWorkerSetup = { source, fit, shared: this.#shared };
    this.#workers = Array.from({ length: threads }, () => startThread(setup));
    for (const worker of this.#workers) {
      worker.unref();
      // A thread that dies leaves its slots unanswered, and `take` says so.
      worker.on('error', () => undefined);
    }
  }

  /** Milliseconds that `take` has blocked so far. */
  get waitedMs(): number {
    return this.#waited;
  }

  /** Asks for the pictures of `places` in a slot; what it held is lost. */
  fill(slot: number, places: ArrayLike<number>): void {
    this.#issued = (this.#issued % 0x3fffffff) + 1;
    this.#tickets[slot] = this.#issued;
    const task: PictureTask = { slot, ticket: this.#issued, places: Array.from(places) };
    this.#workers[slot % this.#workers.length].postMessage(task);
  }

  /**
   * The bytes of a slot, [n, 3, size, size], once they are there; valid until its next `fill`.
   * @throws DataError with what a thread says of a damaged picture, or when none answers.
   */
  take(slot: number): Uint8Array {
    const started = performance.now();
    const ticket = this.#tickets[slot];
    for (;;) {
      const word = Atomics.load(this.#words, slot);
      if (Math.abs(word) === ticket) {
        this.#waited += performance.now() - started;
        if (word < 0) throw new DataError(this.#error(slot));
        return new Uint8Array(this.#shared.pixels[slot]);
      }
      if (Atomics.wait(this.#words, slot, word, PATIENCE_MS) === 'timed-out') {
        throw new DataError(
          `PictureThreads: no picture was decoded within ${PATIENCE_MS / 1000} s; did a thread run out of memory?`,
        );
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #error(slot: number): string {
    const bytes = new Uint8Array(this.#shared.errors[slot]).slice();
    const length = new DataView(bytes.buffer).getUint32(0);
    return new TextDecoder().decode(bytes.subarray(4, 4 + length));
  }
}

function startThread(workerData: PictureWorkerSetup): Worker {
  return startModuleThread(import.meta.url, 'picture-worker', { workerData });
}
