import koffi from 'koffi';
import type { Slot } from '../run/session.ts';
import { buildNative, type NativeLibrary } from './build/library.ts';
import type { CSource } from './emit/program.ts';
import { MOST_THREADS } from './emit/team.ts';

/** Vector loads want their arrays at cache lines. */
const ALIGNMENT = 64n;

/** A graph compiled to C. Runs are synchronous, and results are written into the caller's arrays. */
export class NativeSession {
  /** C functions called per run. */
  readonly nodeCount: number;
  /** Whether no compiler had to run. */
  readonly cached: boolean;
  private readonly threads: number;
  private readonly arena: Uint8Array;
  private readonly constants: readonly ArrayBufferView[];
  readonly library: NativeLibrary;
  private open = true;

  /**
   * @param code a graph in C, whose arguments and results are those of `run`.
   * @param threads that work on one run; results do not depend on it.
   * @throws NativeBuildError when there is no compiler, or it fails.
   */
  constructor(code: CSource, name: string, threads = 1) {
    const { source, arenaBytes, scratchBytes, constants, calls } = code;
    this.threads = Math.min(threads, MOST_THREADS);
    this.nodeCount = calls;
    this.constants = constants;
    this.library = buildNative(source, { name });
    this.cached = this.library.cached;
    this.arena = alignedBytes(arenaBytes + (this.threads - 1) * scratchBytes);
  }

  /** Runs once; results are written into the arrays of `outputs`, which no input may share. */
  run(inputs: readonly Slot[], outputs: readonly Slot[]): void {
    if (!this.open) throw new Error('NativeSession: disposed');
    const ins = addresses([...inputs.map((slot) => slot.data), ...this.constants]);
    const outs = addresses(outputs.map((slot) => slot.data));
    this.library.run(this.arena, ins, outs, this.threads);
  }

  dispose(): void {
    if (this.open) this.library.close();
    this.open = false;
  }
}

function alignedBytes(bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes + 2 * Number(ALIGNMENT));
  const past = Number(addressOf(whole) % ALIGNMENT);
  return whole.subarray(Number(ALIGNMENT) - past, Number(ALIGNMENT) - past + Math.max(bytes, 1));
}

function addressOf(array: ArrayBufferView): bigint {
  // V8 keeps small arrays in its own heap and moves them; asking for the buffer ends that.
  void array.buffer;
  // An array without elements has no address.
  return array.byteLength === 0 ? 0n : BigInt(koffi.address(array));
}

const addresses = (arrays: readonly ArrayBufferView[]) =>
  BigUint64Array.from(arrays, (array) => addressOf(array));
