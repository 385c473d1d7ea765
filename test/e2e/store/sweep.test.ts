import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InterruptedError } from '../../../src/core/errors.ts';
import type { SweepResult } from '../../../src/sweep/result.ts';
import { sweep } from '../../../src/sweep/sweep.ts';
import { RunStore } from '../../../src/train/store/run-store.ts';
import { verifyStore } from '../../../src/train/store/verify.ts';

const KILLS = 50;

const spec = {
  experiment: 'toy',
  method: 'score-matching',
  preset: 'smoke',
  grid: { 'network.width': [16, 24], 'optimizer.energyRate': [0.001, 0.01] },
  overrides: { steps: 400, 'evaluation.samples': 500, 'evaluation.sampleBatch': 250 },
};

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'gibbs-sweep-e2e-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const options = (place: string) => ({
  root: join(root, place),
  quiet: true,
  checkpointSeconds: 0,
  workers: 2,
});
const problems = (place: string) => verifyStore(RunStore.open(join(root, place))).problems;
const numbers = ({ runs }: SweepResult) =>
  runs.map(({ key, metrics, steps, checksum }) => ({ key, metrics, steps, checksum }));

/** Processes that work for this one. */
function workers(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const parent = /\) \w (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return Number(parent) === process.pid && command.includes('/sweep/worker.');
      } catch {
        return false;
      }
    })
    .map(Number);
}

describe('a sweep on this machine', () => {
  let whole: SweepResult;

  it('trains every point, and reuses all of it the second time', async () => {
    whole = await sweep(spec, options('whole'));
    expect(whole.complete).toBe(true);
    expect(whole.runs.map(({ reused }) => reused)).toEqual(new Array(4).fill(false));
    const again = await sweep(spec, options('whole'));
    expect(again.runs.every(({ reused }) => reused)).toBe(true);
    expect(numbers(again)).toEqual(numbers(whole));
  });

  it.runIf(process.platform === 'linux')(
    `ends with the same table after ${KILLS} kills at random moments`,
    { timeout: 1_800_000 },
    async () => {
      // A fixed sequence, so that a failure can be looked at again.
      let state = 99;
      const random = () => {
        state = (state * 1103515245 + 12345) % 2 ** 31;
        return state / 2 ** 31;
      };
      let kills = 0;
      const killUntil = async (complete: () => boolean) => {
        while (kills < KILLS && !complete()) {
          await new Promise((done) => setTimeout(done, 100 + 1200 * random()));
          const pids = workers();
          if (pids.length === 0) continue;
          process.kill(pids[Math.floor(random() * pids.length)], 'SIGKILL');
          kills++;
        }
      };
      const series = (place: string) => {
        const store = RunStore.open(join(root, place));
        return store.list().map(({ key }) => [key, store.metrics(key)]);
      };
      // A fast machine ends a sweep before all kills have come: then another one bears the rest.
      for (let round = 0; kills < KILLS; round++) {
        const place = `killed-${round}`;
        let result: SweepResult | undefined;
        const killing = killUntil(() => result?.complete === true);
        while (!result?.complete) {
          result = await sweep(spec, options(place));
          expect(problems(place)).toEqual([]);
        }
        await killing;
        expect(numbers(result)).toEqual(numbers(whole));
        expect(result.summary().toString()).toBe(whole.summary().toString());
        expect(new Map(series(place) as never)).toEqual(new Map(series('whole') as never));
        expect(problems(place)).toEqual([]);
      }
    },
  );

  it('isolates a failure, tries it once more, and reports it', async () => {
    const starts: number[] = [];
    const result = await sweep(
      { ...spec, grid: { 'optimizer.energyRate': [1e30, 0.001] } },
      { ...options('failing'), onStart: (_, attempt) => starts.push(attempt) },
    );
    expect(result.runs.map(({ status }) => status)).toEqual(['failed', 'finished']);
    expect(starts.sort()).toEqual([1, 1, 2]);
    expect(result.failures[0].error).toMatch(/score-matching: .* after iteration \d+/);
    expect(RunStore.open(join(root, 'failing')).list({ status: ['failed'] })).toHaveLength(1);
  });

  it('stopped, leaves everything resumable', async () => {
    const controller = new AbortController();
    const stopped = sweep(spec, {
      ...options('stopped'),
      signal: controller.signal,
      onProgress: (_, { step }) => step > 5 && controller.abort(),
    });
    await expect(stopped).rejects.toThrow(InterruptedError);
    await expect(stopped).rejects.toThrow(/runs to go; checkpoints are kept/);
    expect(workers()).toEqual([]);
    const store = RunStore.open(join(root, 'stopped'));
    expect(store.list({ status: ['stopped'] }).length).toBeGreaterThan(0);
    expect(numbers(await sweep(spec, options('stopped')))).toEqual(numbers(whole));
  });
});
