import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keyFits } from '../../../src/train/store/record.ts';
import { RunStore } from '../../../src/train/store/run-store.ts';
import { verifyStore } from '../../../src/train/store/verify.ts';
import { lossOf } from '../../train/store/sample.ts';

/** A file system in memory, where there is one: what is tested is not the disk. */
const MEMORY = '/dev/shm';

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'gibbs-many-'));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

function writer(first: number, count: number) {
  const script = resolve(import.meta.dirname, 'writer.ts');
  const argv = ['--import', 'tsx', script, place, String(first), String(count)];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  const ended = new Promise<string>((done) => child.on('close', () => done(said.trim())));
  return { child, ended };
}

describe('a store written by many processes at once', () => {
  it('loses and tears nothing: 8 write 1000 runs while a ninth reads', async () => {
    const store = RunStore.open(place);
    const writers = Array.from({ length: 8 }, (_, i) => writer(i * 125, 125));
    let going = true;
    const all = Promise.all(writers.map(({ ended }) => ended)).finally(() => {
      going = false;
    });
    let seen = 0;
    let looks = 0;
    let changed = 0;
    const heard = new Set<string>();
    while (going) {
      const records = store.list();
      // Nothing that was there goes away, and what is said to be finished is whole.
      expect(records.length).toBeGreaterThanOrEqual(seen);
      seen = records.length;
      looks++;
      const { change, keys } = store.changes(changed);
      changed = change;
      for (const key of keys) heard.add(key);
      for (const record of records.slice(-20)) {
        expect(keyFits(record)).toBe(true);
        if (record.status !== 'finished') continue;
        const rows = [1, 2].map((step) => ({ step, loss: lossOf(record.seed, step) }));
        expect(store.metrics(record.key)).toEqual(rows);
        expect(store.arrays(record.key)['samples'].data[0]).toBe(record.seed);
      }
      await new Promise((done) => setTimeout(done, 20));
    }
    expect(await all).toEqual(new Array(8).fill('written'));
    expect(looks).toBeGreaterThan(5);
    for (const key of store.changes(changed).keys) heard.add(key);
    const records = store.list();
    expect(records.map(({ seed }) => seed).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 1000 }, (_, i) => i),
    );
    expect(records.every(({ status, starts }) => status === 'finished' && starts === 1)).toBe(true);
    expect(heard.size).toBe(1000);
    expect(verifyStore(store)).toMatchObject({ runs: 1000, rows: 2000, problems: [] });
    await store.database.close();
  });

  it('stays whole when writers are killed at random moments, 50 times', async () => {
    const store = RunStore.open(place);
    // A fixed sequence, so that a failure can be looked at again.
    let state = 12345;
    const random = () => {
      state = (state * 1103515245 + 12345) % 2 ** 31;
      return state / 2 ** 31;
    };
    let killed = 0;
    const kill = async (slot: number) => {
      while (killed < 50) {
        const { child, ended } = writer(slot * 100, 100);
        const before = store.changes().change;
        // Not before it has begun to write, and then at any moment.
        while (child.exitCode === null && store.changes().change === before) {
          await new Promise((done) => setTimeout(done, 5));
        }
        await new Promise((done) => setTimeout(done, random() * 150));
        if (child.kill('SIGKILL')) killed++;
        await ended;
      }
    };
    await Promise.all([0, 1, 2].map(kill));
    expect(killed).toBeGreaterThanOrEqual(50);
    expect(verifyStore(store).problems).toEqual([]);
    const rest = [0, 1, 2].map((slot) => writer(slot * 100, 100));
    expect(await Promise.all(rest.map(({ ended }) => ended))).toEqual(new Array(3).fill('written'));
    const records = store.list();
    expect(records).toHaveLength(300);
    for (const { key, seed, status, checksum } of records) {
      expect({ status, rows: store.metrics(key) }).toEqual({
        status: 'finished',
        rows: [1, 2].map((step) => ({ step, loss: lossOf(seed, step) })),
      });
      expect(checksum).toMatch(/^[0-9a-f]{64}$/);
    }
    expect(verifyStore(store).problems).toEqual([]);
    await store.database.close();
  });
});
