import type { Graph } from '../ir/ops.ts';
import type { JitStats } from '../run/stats.ts';
import { AutoSession, type Session } from './auto.ts';
import { NativeSession } from './executor.ts';
import { sourceOf } from './stored.ts';

export type { Session };

/**
 * What runs a recorded graph as compiled C: strictly (`native`), or with what `reference` opens in
 * reserve (`auto`).
 * @throws NativeBuildError where only C will do and there is no compiler, or it fails.
 */
export function openNative(
  executor: string,
  recorded: Graph,
  hash: string,
  name: string,
  reference: () => Session,
  stats: JitStats,
): Session {
  const code = sourceOf(recorded, hash);
  const session =
    executor === 'native' ? new NativeSession(code, name) : new AutoSession(code, name, reference);
  if (session.cached) stats.cacheHits++;
  stats.nodesExecuted = session.nodeCount;
  return session;
}

/** Whether the last run of a session was compiled C. */
export const isNative = (session: Session): boolean =>
  session instanceof NativeSession || (session instanceof AutoSession && session.isNative);
