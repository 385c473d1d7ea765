import type { Row } from './report.ts';

/** One program that takes part in a bench: ours or a peer, a process of its own. */
export interface ContestantSpec {
  /** Shown until the process says what it is (with its version). */
  readonly label: string;
  readonly role: 'ours' | 'peer';
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** For a contestant so slow that full rounds would take minutes. */
  readonly slow?: { readonly iters: number; readonly rounds: number };
}

/** A peer that could not be found, and what to do about it, in one line. */
export interface MissingPeer {
  readonly label: string;
  readonly hint: string;
}

export interface BenchOptions {
  readonly threads: number;
  /** Few and short rounds, fast peers only. */
  readonly quick: boolean;
}

/** A bench whose contestants repeat one iteration. */
export interface Bench {
  readonly name: string;
  /** What one iteration is, for the heading. */
  readonly title: string;
  /** Iterations of one contestant in one round; about a second's worth. */
  readonly iters: number;
  readonly rounds: number;
  field(options: BenchOptions): Promise<{ specs: ContestantSpec[]; missing: MissingPeer[] }>;
}

export interface SurveyOptions extends BenchOptions {
  readonly rounds: number;
  /** Whether the peer of this name was asked for. */
  wanted(name: string): boolean;
  onProgress(what: string): void;
}

export interface Findings {
  readonly rows: Row[];
  /** The table for people. */
  readonly text: string;
  /** Kept with `--save`: every round. */
  readonly contestants: unknown[];
  /** Ours ran. */
  readonly complete: boolean;
}

/** A bench that measures several quantities of each contestant, in its own way. */
export interface Survey {
  readonly name: string;
  readonly title: string;
  readonly rounds: number;
  survey(options: SurveyOptions): Promise<Findings>;
}

/** What a contestant says of itself once it is warm. */
export interface Introduction {
  readonly name: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly threads: number;
  /** Wall-clock milliseconds of building, compiling and warming up. */
  readonly warmupWallMs: number;
  /** Floating-point operations of one iteration, where they were counted. */
  readonly flops?: number;
}

/** One round of one contestant, per iteration. */
export interface Timing {
  readonly iters: number;
  /** CPU time of the whole process, all threads. */
  readonly cpuMs: number;
  readonly wallMs: number;
  /** The part of `cpuMs` that made data and noise. */
  readonly drawCpuMs: number;
  /** Largest resident memory of the process so far, compilation included, in MiB. */
  readonly peakMb?: number;
}

/** All rounds of one contestant; `timings[r]` is undefined for a round it sat out. */
export interface Entry {
  readonly spec: ContestantSpec;
  readonly introduction?: Introduction;
  readonly timings: readonly (Timing | undefined)[];
  /** Why it dropped out, if it did. */
  readonly error?: string;
}
