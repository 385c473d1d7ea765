import type { Bench } from './lib/bench.ts';
import { serveArgs, typescriptCommand } from './lib/command.ts';

/** What the run store does most: a row appended durably, and a listing of everything. */
function storeBench(what: string, title: string, args: readonly string[], iters: number): Bench {
  return {
    name: `store-${what}`,
    title,
    iters,
    rounds: 5,
    async field({ threads }) {
      const { command, args: start } = typescriptCommand(new URL('ours/store.ts', import.meta.url));
      const ours = {
        label: 'ours',
        role: 'ours' as const,
        command,
        args: [...start, ...serveArgs(threads, 3), ...args],
      };
      return { specs: [ours], missing: [] };
    },
  };
}

/** The benches of `npm run bench -- store`, smallest first. */
export const STORE: readonly Bench[] = [
  storeBench('append', 'one row appended to the series of a run, on disk', ['--runs', '0'], 200),
  ...[10, 1000, 10_000].map((runs) =>
    storeBench(
      `list-${runs}`,
      `the listing of ${runs} runs`,
      ['--runs', String(runs)],
      Math.max(2, 20_000 / runs / 10),
    ),
  ),
];
