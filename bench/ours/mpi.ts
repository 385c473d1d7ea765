import { parseArgs } from 'node:util';
import type { Key } from '../../src/core/random.ts';
import { toyBatch } from '../../src/datasets/toy.ts';
import { distributed } from '../../src/jit/distributed.ts';
import { jit, type Tensor } from '../../src/jit/index.ts';
import { ddaebm } from '../../src/objectives/ddaebm.ts';
import type { Batch, Noise, Objective } from '../../src/objectives/objective.ts';
import { drawNoise } from '../../src/train/noise.ts';
import { MpiRanks } from '../../src/train/parallel/mpi.ts';
import type { Ranks } from '../../src/train/parallel/ranks.ts';
import { Team } from '../../src/train/parallel/team.ts';

/*
 * One rank of the bench of several processes. Rank 0 prints one line of JSON: the time of sums of
 * some lengths, or of iterations of the toy DDAEBM.
 */

const { values } = parseArgs({
  options: {
    task: { type: 'string', default: 'sums' },
    iters: { type: 'string', default: '20' },
    batch: { type: 'string', default: '200' },
  },
});
const iters = Number(values.iters);
const batch = Number(values.batch);
const toy = (size: number) => ddaebm({ batch: size }) as unknown as Objective;
const data = (key: Key) => toyBatch('25gaussians', key, batch);

/** Microseconds of a call, the median of `iters`, after a warm-up. */
async function timed(call: () => Promise<void> | void, warmup = 3): Promise<number> {
  for (let i = 0; i < warmup; i++) await call();
  const times: number[] = [];
  for (let i = 0; i < iters; i++) {
    const begin = performance.now();
    await call();
    times.push(1000 * (performance.now() - begin));
  }
  return times.sort((a, b) => a - b)[Math.floor(iters / 2)];
}

/** Sums of 1 kB to 40 MB, in microseconds by bytes. */
async function sums(ranks: Ranks): Promise<Record<string, number>> {
  const out: Record<string, number> = {};
  for (const length of [256, 2560, 25_600, 256_000, 2_560_000, 10_000_000]) {
    const vector = new Float32Array(length);
    out[4 * length] = await timed(() => ranks.sum(vector));
  }
  return out;
}

/** An iteration of the toy DDAEBM together, with the next draws made while waiting or not. */
async function together(ranks: Ranks, overlap: boolean): Promise<Record<string, number>> {
  let waited = 0;
  const watched: Ranks = {
    rank: ranks.rank,
    size: ranks.size,
    broadcast: (bytes) => ranks.broadcast(bytes),
    async sum(vector, work) {
      const begin = performance.now();
      await ranks.sum(vector, overlap ? work : undefined);
      waited += performance.now() - begin;
    },
  };
  const team = new Team(toy(batch), { ranks: watched, batch, withBatch: toy }, { seed: 0, data });
  let state: unknown = toy(batch).init(0);
  let step = 0;
  const time = await timed(async () => {
    const done = await team.iterate(state, step++, () => false);
    state = done.state;
    for (const metric of Object.values<Tensor>(done.metrics)) metric.dispose();
  });
  return { step: time, sums: (1000 * waited) / step };
}

/** The same in one call of the engine, by one process. */
async function alone(): Promise<Record<string, number>> {
  const objective = toy(batch);
  const step = jit((s: unknown, b: Batch, noise: Noise) => objective.step(s, b, noise), {
    donate: [0],
    name: 'toy',
  });
  let state: unknown = objective.init(0);
  let at = 0;
  const time = await timed(() => {
    const key = { seed: 0, stream: objective.name, step: at };
    const noise = drawNoise(objective.noise, key) as never;
    const done = step(state, { data: data({ ...key, stream: 'data' }) } as never, noise);
    at++;
    state = done.state;
    for (const metric of Object.values<Tensor>(done.metrics)) metric.dispose();
  });
  return { step: time };
}

/** Bytes of each sum of an iteration. */
function vectors(): Record<string, number> {
  const objective = toy(batch / 2);
  const key = { seed: 0, stream: objective.name, step: 0 };
  const fn = distributed((s: unknown, b: Batch, noise: Noise) => objective.step(s, b, noise), {
    place: { rank: 0, size: 2 },
  });
  const rows = { data: toyBatch('25gaussians', key, batch / 2) };
  const lengths = fn.vectors(
    objective.init(0) as never,
    rows as never,
    drawNoise(objective.noise, key) as never,
  );
  return { count: lengths.length, bytes: 4 * lengths.reduce((a, b) => a + b, 0) };
}

const ranks = values.task === 'alone' || values.task === 'vectors' ? undefined : MpiRanks.join();
const run = async () => {
  if (values.task === 'vectors') return vectors();
  if (!ranks) return alone();
  if (values.task === 'sums') return sums(ranks);
  return together(ranks, values.task === 'overlap');
};
const found = await run();
if (!ranks || ranks.rank === 0) process.stdout.write(`${JSON.stringify(found)}\n`);
ranks?.finish();
