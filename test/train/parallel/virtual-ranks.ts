import type { Ranks } from '../../../src/train/parallel/ranks.ts';

/** Ranks of one process that meet at every sum; each must be driven by a promise of its own. */
export function virtualRanks(size: number): Ranks[] {
  const meeting = <T>(combine: (all: T[]) => T) => {
    let given: T[] = [];
    let waiting: ((value: T) => void)[] = [];
    return (rank: number, value: T): Promise<T> =>
      new Promise((done) => {
        given[rank] = value;
        waiting.push(done);
        if (waiting.length < size) return;
        const result = combine(given);
        const all = waiting;
        given = [];
        waiting = [];
        for (const finish of all) finish(result);
      });
  };
  const sums = meeting<Float32Array>((all) => {
    const total = new Float32Array(all[0].length);
    for (const vector of all) for (let i = 0; i < total.length; i++) total[i] += vector[i];
    return total;
  });
  const broadcasts = meeting<Uint8Array>((all) => all[0].slice());
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    async sum(vector, work) {
      work?.shift()?.();
      vector.set(await sums(rank, vector));
    },
    broadcast: (bytes) => broadcasts(rank, bytes ?? new Uint8Array(0)),
  }));
}
