import { ConfigError } from '../../core/errors.ts';
import type { Graph } from '../ir/ops.ts';
import { optimise } from '../passes/index.ts';
import type { JitStats } from '../run/stats.ts';
import { AutoSession, type Session } from './auto.ts';
import type { Tolerance } from './build/self-check.ts';
import { NativeSession } from './executor.ts';
import type { Precision } from './precision.ts';
import { withRoundedOperands } from './rounded.ts';
import { sourceOf } from './stored.ts';

export type { Session };

/** What a function asks for. */
export interface Choice {
  readonly executor: string;
  readonly precision: Precision;
  /** Within one run; default 1. */
  readonly threads?: number;
}

/** What else runs a graph, in float32. */
export interface Others {
  /** The recorded graph. */
  reference(): Session;
  /** Another, optimised one, with the same arguments and results. */
  of(graph: Graph): Session;
}

/**
 * A last bit that differs is rounded to another number of eight bits now and then, and the next
 * product sees that.
 */
const ROUNDED: Partial<Tolerance> = { relative: 0.02, strays: 0.02, strayRelative: 0.5 };

/**
 * What runs a recorded graph as compiled C: strictly (`native`), or with others in reserve (`auto`).
 * @throws NativeBuildError where only C will do and there is no compiler, or it fails; ConfigError
 * for a number of threads that is none.
 */
export function openNative(
  { executor, precision, threads = 1 }: Choice,
  recorded: Graph,
  hash: string,
  name: string,
  others: Others,
  stats: JitStats,
): Session {
  if (!Number.isInteger(threads) || threads < 1) {
    throw new ConfigError(`jit: threads is ${threads}; give a whole number from 1 on`);
  }
  const code = sourceOf(recorded, hash, precision);
  const { reference } = others;
  const oracle = () => others.of(withRoundedOperands(optimise(recorded)));
  const beside =
    precision === 'float32' ? { reference } : { reference, oracle, tolerance: ROUNDED };
  const session =
    executor === 'native'
      ? new NativeSession(code, name, threads)
      : new AutoSession(code, name, threads, beside);
  if (session.cached) stats.cacheHits++;
  stats.nodesExecuted = session.nodeCount;
  return session;
}

/** Whether the last run of a session was compiled C. */
export const isNative = (session: Session): boolean =>
  session instanceof NativeSession || (session instanceof AutoSession && session.isNative);
