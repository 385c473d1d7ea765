import type { HostData } from '../../../core/host-tensor.ts';
import { readVerdict, writeVerdict } from './cache.ts';
import type { NativeLibrary } from './library.ts';

/** How far two executors of one graph may lie apart. */
export interface Tolerance {
  /** Of an element: of its size plus the root mean square of its array (default 1e-3). */
  readonly relative: number;
  /** Below this nothing counts (default 1e-6). */
  readonly absolute: number;
  /**
   * Part of an array's elements that may lie further apart (default 0.02), by at most
   * `strayRelative` (default 0.05): an optimiser that divides a gradient by its own size turns a
   * difference in rounding into one of twice the learning rate.
   */
  readonly strays: number;
  readonly strayRelative: number;
}

const TOLERANCE: Tolerance = { relative: 1e-3, absolute: 1e-6, strays: 0.02, strayRelative: 0.05 };

export interface Verdict {
  readonly agrees: boolean;
  /** One line: the largest difference, or the first output that is wrong. */
  readonly detail: string;
}

/** What a check works on. */
export type Executable<I> = (inputs: I) => readonly HostData[];

/**
 * Runs one step on both executors with the same inputs and compares all outputs. A C compiler may
 * go wrong silently; this is done once for every library, with the first real inputs.
 *
 * An executor that fails does not agree, unless it is the reference: its error goes through.
 */
export function selfCheck<I>(
  native: Executable<I>,
  reference: Executable<I>,
  inputs: I,
  tolerance: Partial<Tolerance> = {},
): Verdict {
  const want = reference(inputs);
  let got: readonly HostData[];
  try {
    got = native(inputs);
  } catch (error) {
    return { agrees: false, detail: `it failed: ${(error as Error).message}` };
  }
  if (got.length !== want.length) {
    return { agrees: false, detail: `${got.length} outputs instead of ${want.length}` };
  }
  const limits = { ...TOLERANCE, ...tolerance };
  let worst = 0;
  for (let i = 0; i < want.length; i++) {
    const { largest, fault } = compare(got[i], want[i], limits);
    if (fault !== undefined) return { agrees: false, detail: `output ${i}: ${fault}` };
    worst = Math.max(worst, largest);
  }
  return { agrees: true, detail: `largest relative difference ${worst.toExponential(1)}` };
}

interface Comparison {
  readonly largest: number;
  readonly fault?: string;
}

function compare(got: HostData, want: HostData, limits: Tolerance): Comparison {
  if (got.length !== want.length) {
    return { largest: Infinity, fault: `${got.length} elements instead of ${want.length}` };
  }
  const scale = rootMeanSquare(want);
  let [largest, strays] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    const [g, w] = [got[i], want[i]];
    if (Object.is(g, w) || g === w) continue;
    if (!Number.isFinite(g) || !Number.isFinite(w)) {
      if (Number.isNaN(g) && Number.isNaN(w)) continue;
      return { largest: Infinity, fault: `element ${i} is ${g} instead of ${w}` };
    }
    const difference = Math.abs(g - w);
    if (difference <= limits.absolute) continue;
    const relative = difference / (Math.abs(w) + scale);
    if (relative > limits.relative) strays++;
    if (relative > limits.strayRelative) {
      return { largest: relative, fault: `element ${i} is ${g} instead of ${w}` };
    }
    largest = Math.max(largest, relative);
  }
  if (strays > limits.strays * want.length) {
    return { largest, fault: `${strays} of ${want.length} elements differ` };
  }
  return { largest };
}

function rootMeanSquare(values: HostData): number {
  let [sum, count] = [0, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    sum += value * value;
    count++;
  }
  return count === 0 ? 0 : Math.sqrt(sum / count);
}

/** What an earlier process found about a cached library; it holds as long as the library does. */
export function rememberedVerdict(library: Pick<NativeLibrary, 'path'>): Verdict | undefined {
  const text = readVerdict(library.path);
  if (text === undefined) return undefined;
  const [word, ...detail] = text.split('\n');
  if (word !== 'agrees' && word !== 'differs') return undefined;
  return { agrees: word === 'agrees', detail: detail.join(' ') };
}

export function rememberVerdict(library: Pick<NativeLibrary, 'path'>, verdict: Verdict): void {
  const detail = verdict.detail.replaceAll('\n', ' ');
  writeVerdict(library.path, `${verdict.agrees ? 'agrees' : 'differs'}\n${detail}`);
}
