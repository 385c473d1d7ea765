import koffi from 'koffi';
import { ConfigError, ParallelError } from '../../core/errors.ts';
import { type MpiLibrary, mpiLibrary } from './mpi-library.ts';
import type { Ranks } from './ranks.ts';

/** So long a rank that waits keeps its core busy: most sums take a small part of it. */
const SPIN_MS = 2;
/** So long it then looks again at every turn of the event loop, after that every millisecond. */
const EAGER_MS = 50;
/**
 * The job is being ended and a sum does not come: after so long rank 0, which alone has something to
 * save, takes it that another one is lost. `mpirun` kills whatever is left a second after it has
 * asked to end. The others wait on: rank 0 may be writing, and if it is lost they are killed.
 */
const GRACE_MS = 300;
/** Bytes of one broadcast at most; MPI counts in 32 bits. */
const CHUNK = 2 ** 30;
/** Open MPI's `MPI_IN_PLACE`. */
const IN_PLACE = 1n;

let started: MpiRanks | undefined;

/** The ranks of an MPI job. A process can join its job once. */
export class MpiRanks implements Ranks {
  readonly rank: number;
  readonly size: number;
  /** Of the library. */
  readonly version: string;
  readonly #mpi: MpiLibrary;
  readonly #signal: AbortSignal | undefined;
  readonly #yield: () => void;

  /**
   * Joins the job that this process was started in.
   * @param signal is aborted when the job is to end.
   * @throws ConfigError when there is no Open MPI.
   */
  static join(signal?: AbortSignal): MpiRanks {
    if (started) throw new ConfigError('MPI was started already in this process');
    started = new MpiRanks(mpiLibrary(), signal);
    return started;
  }

  private constructor(mpi: MpiLibrary, signal: AbortSignal | undefined) {
    this.#mpi = mpi;
    this.#signal = signal;
    this.version = mpi.version;
    this.#yield = koffi.load(null).func('int sched_yield()');
    check(mpi.init(null, null), 'MPI_Init');
    const out = pinned(new Int32Array(1));
    check(mpi.rank(mpi.world, out), 'MPI_Comm_rank');
    this.rank = out[0];
    check(mpi.size(mpi.world, out), 'MPI_Comm_size');
    this.size = out[0];
  }

  sum(vector: Float32Array, work?: (() => void)[]): Promise<void> | undefined {
    const { sum, world, float, plus } = this.#mpi;
    const request = pinned(new BigUint64Array(1));
    const { length } = pinned(vector);
    check(sum(IN_PLACE, vector, length, float, plus, world, request), 'MPI_Iallreduce');
    return this.#wait(request, work);
  }

  async broadcast(bytes: Uint8Array = new Uint8Array(0)): Promise<Uint8Array> {
    const length = pinned(Float64Array.of(bytes.length));
    await this.#send(new Uint8Array(length.buffer));
    const all = this.rank === 0 ? bytes : new Uint8Array(length[0]);
    for (let at = 0; at < all.length; at += CHUNK) await this.#send(all.subarray(at, at + CHUNK));
    return all;
  }

  /** Leaves the job; all ranks must. */
  finish(): void {
    check(this.#mpi.finalize(), 'MPI_Finalize');
  }

  /** Ends the whole job, this process included. */
  abort(code: number): void {
    this.#mpi.abort(this.#mpi.world, code);
  }

  async #send(piece: Uint8Array): Promise<void> {
    const { broadcast, byte, world } = this.#mpi;
    const request = pinned(new BigUint64Array(1));
    check(broadcast(pinned(piece), piece.length, byte, 0, world, request), 'MPI_Ibcast');
    await this.#wait(request);
  }

  #wait(request: BigUint64Array, work: (() => void)[] = []): Promise<void> | undefined {
    const flag = pinned(new Int32Array(1));
    const done = () => {
      check(this.#mpi.test(request, flag, 0n), 'MPI_Test');
      return flag[0] !== 0;
    };
    const begin = performance.now();
    while (!done()) {
      const piece = work.shift();
      if (piece) piece();
      else if (performance.now() - begin > SPIN_MS) return this.#poll(done);
      else this.#yield();
    }
    return undefined;
  }

  /** Waits without holding up signals and other work of the process. */
  async #poll(done: () => boolean): Promise<void> {
    const begin = performance.now();
    let ending = Number.POSITIVE_INFINITY;
    while (!done()) {
      const now = performance.now();
      if (this.#signal?.aborted) ending = Math.min(ending, now);
      if (this.rank === 0 && now - ending > GRACE_MS) {
        throw new ParallelError('a rank was lost, or the job was ended within an iteration');
      }
      await new Promise<void>((next) => {
        if (now - begin < EAGER_MS) setImmediate(next);
        else setTimeout(next, 1);
      });
    }
  }
}

/** V8 keeps small arrays in its own heap and moves them; asking for the buffer ends that. */
function pinned<T extends ArrayBufferView>(array: T): T {
  void array.buffer;
  return array;
}

function check(code: number, what: string): void {
  if (code !== 0) throw new ParallelError(`${what} failed with code ${code}`);
}
