import type { ContestantSpec, Entry, Timing } from './bench.ts';
import { Contestant } from './contestant.ts';

export interface RoundsOptions {
  readonly rounds: number;
  readonly iters: number;
  /** Called before each wait, with what is being waited for. */
  readonly onProgress?: (what: string) => void;
  readonly start?: (spec: ContestantSpec) => Contestant;
}

/**
 * Starts every contestant, then lets them run in turn, round after round, never two at a time. The
 * order is rotated from round to round so that nobody always follows the same neighbour. One that
 * fails drops out with its error; the others go on.
 */
export async function runRounds(
  specs: readonly ContestantSpec[],
  options: RoundsOptions,
): Promise<Entry[]> {
  const { rounds, iters, onProgress = () => {}, start = (s) => new Contestant(s) } = options;
  const entries: (Entry & { timings: (Timing | undefined)[]; contestant: Contestant })[] = [];
  try {
    for (const spec of specs) {
      onProgress(`${spec.label}: starting`);
      const contestant = start(spec);
      entries.push({ spec, contestant, timings: [] });
      const entry = entries[entries.length - 1];
      await guarded(entry, async () => {
        Object.assign(entry, { introduction: await contestant.ready() });
      });
    }
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < entries.length; i++) {
        const entry = entries[(i + round) % entries.length];
        const { slow } = entry.spec;
        if (entry.error !== undefined || (slow && round >= slow.rounds)) continue;
        onProgress(`round ${round + 1} of ${rounds}: ${entry.introduction?.name}`);
        await guarded(entry, async () => {
          entry.timings[round] = await entry.contestant.run(slow?.iters ?? iters);
        });
      }
    }
  } finally {
    for (const { contestant } of entries) contestant.stop();
  }
  return entries.map(({ contestant: _, ...entry }) => ({
    ...entry,
    timings: Array.from({ length: rounds }, (_, r) => entry.timings[r]),
  }));
}

async function guarded(entry: Entry, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    Object.assign(entry, { error: (error as Error).message });
  }
}
