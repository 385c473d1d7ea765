import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ConfigError,
  InterruptedError,
  NumericError,
  StoreError,
} from '../../../src/core/errors.ts';
import { RunFolder, runKey } from '../../../src/train/run.ts';
import { adoptAll } from '../../../src/train/store/adopt.ts';
import { finishedRun, openRun } from '../../../src/train/store/open-run.ts';
import { matches, parseCondition } from '../../../src/train/store/query.ts';
import { statusOf } from '../../../src/train/store/record.ts';
import { RunStore } from '../../../src/train/store/run-store.ts';
import { StoreRun } from '../../../src/train/store/store-run.ts';
import { checkpointOf, identityOf, lossOf, sampleRun, stateOf } from './sample.ts';

let place: string;
let store: RunStore;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'gibbs-store-'));
  store = RunStore.open(place);
});
afterEach(async () => {
  await store.database.close();
  rmSync(place, { recursive: true, force: true });
});

const open = (seed = 0, more = {}) => StoreRun.open(store, { ...identityOf(seed), ...more });

describe('a run in the store', () => {
  it('goes from running to finished, with its series, arrays and environment', () => {
    const { key } = sampleRun(store, 3);
    const record = store.resolve(key);
    expect(record).toMatchObject({ status: 'finished', step: 3, starts: 1, seed: 3, code: 'c0de' });
    expect(record.owner).toBeUndefined();
    expect(store.metrics(key)).toEqual([1, 2, 3].map((step) => ({ step, loss: lossOf(3, step) })));
    expect(store.metrics(key, 2)).toEqual([{ step: 3, loss: lossOf(3, 3) }]);
    expect([...store.arrays(key)['samples'].data]).toEqual([3, 3]);
    expect(store.environment(record.sessions[0].environment)).toMatchObject({ threads: 1 });
  });

  it('has a key of experiment, configuration, seed and code version', () => {
    const of = (more: object) => runKey({ ...identityOf(0), ...more });
    const keys = [
      of({}),
      of({ seed: 1 }),
      of({ code: 'other' }),
      of({ config: { rate: 0.2 } }),
      of({ experiment: 'another' }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(of({ config: { rate: 0.1 } })).toBe(keys[0]);
  });

  it('goes on from its latest checkpoint and forgets the rows after it', () => {
    const run = open();
    run.restore(stateOf(0, 0));
    for (const step of [1, 2]) run.log({ step, loss: step });
    run.save(checkpointOf(0, 2));
    run.log({ step: 3, loss: 3 });
    run.close(new InterruptedError());
    expect(store.get(run.key)).toMatchObject({ status: 'stopped', step: 3 });
    const notices: string[] = [];
    const again = open(0, { onNotice: (text: string) => notices.push(text) });
    expect(again.restore(stateOf(0, 0))?.step).toBe(2);
    expect(notices).toEqual(['resuming at iteration 2']);
    expect(again.metrics().map(({ step }) => step)).toEqual([1, 2]);
    expect(store.get(run.key)).toMatchObject({ status: 'running', step: 2, starts: 2 });
    again.close();
  });

  it('tells failed from stopped', () => {
    const failing = open(1);
    failing.close(new NumericError('the loss is NaN'));
    expect(store.get(failing.key)).toMatchObject({ status: 'failed', error: 'the loss is NaN' });
    const stopped = open(2);
    stopped.close(new StoreError('the disk is full'));
    expect(store.get(stopped.key)).toMatchObject({ status: 'stopped' });
    // Asked for again, it is tried again.
    const again = open(1);
    expect(store.get(again.key)).not.toHaveProperty('error');
    again.close();
  });

  it('is worked on by one process at a time, and taken over from one that died', () => {
    const run = open();
    expect(() => open()).toThrow(StoreError);
    expect(() => open()).toThrow(new RegExp(`already being worked on by process ${process.pid}`));
    const dead = spawnSync(process.execPath, ['-e', '']);
    const owner = { pid: dead.pid, host: hostname(), start: '1', token: 'x', since: 'then' };
    store.update(run.key, (record) => record && { ...record, owner });
    expect(statusOf(store.resolve(run.key))).toBe('dead');
    const heir = open();
    expect(statusOf(store.resolve(run.key))).toBe('running');
    expect(() => run.log({ step: 1, loss: 1 })).toThrow(/taken over by another process/);
    expect(() => run.save(checkpointOf(0, 1))).toThrow(/taken over by another process/);
    run.close();
    expect(statusOf(store.resolve(run.key))).toBe('running');
    heir.close();
  });

  it('respects the process of another machine', () => {
    const run = open();
    const owner = { pid: 1, host: 'elsewhere.example', start: '1', token: 'x', since: 'then' };
    store.update(run.key, (record) => record && { ...record, owner });
    expect(() => open()).toThrow(/by process 1 on elsewhere\.example since then/);
  });

  it('starts over when fresh, and insists on a checkpoint when told to resume', () => {
    const { key } = sampleRun(store, 0);
    const created = store.resolve(key).created;
    const fresh = open(0, { fresh: true });
    expect(store.resolve(key)).toMatchObject({ status: 'running', step: 0, files: {}, created });
    expect(store.resolve(key)).not.toHaveProperty('result');
    expect([fresh.metrics(), readdirSync(fresh.folder)]).toEqual([[], []]);
    fresh.close();
    expect(() => open(7, { resume: true })).toThrow(/nothing to resume/);
    expect(() => open(0, { resume: true, fresh: true })).toThrow(ConfigError);
  });

  it('keeps the latest K checkpoints, and that of the best value of a metric', () => {
    const run = open(0, { keep: 3, best: { metric: 'loss' } });
    run.restore(stateOf(0, 0));
    const losses = [5, 2, 4, 1, 3, 6];
    losses.forEach((loss, i) => {
      run.log({ step: i + 1, loss });
      run.save(checkpointOf(0, i + 1));
    });
    run.close();
    expect(readdirSync(run.folder).sort()).toEqual([
      'best.safetensors',
      ...[4, 5, 6].map((step) => `checkpoint-00000000${step}.safetensors`),
    ]);
    expect(store.get(run.key)?.best).toEqual({ step: 4, metric: 'loss', value: 1 });
    const path = (name: string) => readFileSync(join(run.folder, name));
    expect(path('best.safetensors')).toEqual(path('checkpoint-000000004.safetensors'));
  });
});

describe('reading the store', () => {
  it('lists in order, filters by settings, numbers and status', () => {
    for (const [i, rate] of [0.1, 0.2, 0.3].entries()) {
      sampleRun(store, i, { config: { rate, objective: { divergence: i ? 'kl' : 'jeffreys' } } });
    }
    open(9, { config: { rate: 0.2 } }).close();
    const seeds = (...where: string[]) =>
      store.list({ where: where.map(parseCondition) }).map(({ seed }) => seed);
    expect(seeds()).toEqual([0, 1, 2, 9]);
    expect(seeds('objective.divergence=kl')).toEqual([1, 2]);
    expect(seeds('objective.divergence!=kl')).toEqual([0, 9]);
    expect(seeds('rate>=0.2', 'rate<0.3')).toEqual([1, 9]);
    expect(seeds('metrics.loss<0.2')).toEqual([2]);
    expect(seeds('seed=2')).toEqual([2]);
    expect(seeds('status=finished')).toEqual([0, 1, 2]);
    expect(store.list({ limit: 2 }).map(({ seed }) => seed)).toEqual([2, 9]);
    expect(store.list({ experiment: 'none' })).toEqual([]);
    expect(() => seeds('objective.divergense=kl')).toThrow(/did you mean 'objective.divergence'/);
    expect(() => parseCondition('rate')).toThrow(/PATH=VALUE/);
  });

  it('compares numbers as numbers and text as text', () => {
    sampleRun(store, 0, { config: { rate: 1e-4, name: '10', on: true } });
    const [record] = store.list();
    const holds = (text: string) => matches(record, parseCondition(text));
    expect(['rate=0.0001', 'rate=1e-4', 'name=10', 'on=true'].map(holds)).toEqual(
      new Array(4).fill(true),
    );
    expect(['name=10.0', 'rate=', 'on=1', 'missing=1'].map(holds)).toEqual(
      new Array(4).fill(false),
    );
  });

  it('finds a run by any beginning that is its own', () => {
    const keys = [0, 1, 2].map((seed) => sampleRun(store, seed).key);
    const hash = keys[1].slice('sample/'.length);
    expect(store.resolve(hash.slice(0, 6)).key).toBe(keys[1]);
    expect(store.resolve(keys[2]).key).toBe(keys[2]);
    expect(store.resolve('latest').key).toBe(keys[2]);
    expect(() => store.resolve('sample/')).toThrow(/names 3 runs/);
    expect(() => store.resolve('zzz')).toThrow(ConfigError);
    store.remove(keys[2]);
    expect(store.resolve('latest').key).toBe(keys[1]);
  });

  it('tells what has changed since, once per run, removals too', async () => {
    const a = sampleRun(store, 0).key;
    const { change, keys } = store.changes();
    expect(keys).toEqual([a]);
    expect(store.changes(change)).toEqual({ change, keys: [] });
    const b = sampleRun(store, 1).key;
    store.remove(a);
    expect(store.changes(change).keys).toEqual([b, a]);
    const controller = new AbortController();
    const seen: string[] = [];
    setTimeout(() => sampleRun(store, 2), 20);
    for await (const found of store.follow({ signal: controller.signal })) {
      seen.push(...found.keys);
      if (store.list({ status: ['finished'] }).length === 2) controller.abort();
    }
    expect(new Set(seen)).toEqual(new Set([runKey(identityOf(2))]));
  });
});

describe('runs of before', () => {
  const before = { experiment: 'sample', config: { rate: 0.1 }, seed: 0 };
  const plain = (finished: boolean) => {
    const run = RunFolder.open({ ...before, root: place });
    run.restore(stateOf(0, 0));
    run.log({ step: 1, loss: 0.5 });
    run.save(checkpointOf(0, 1));
    if (finished) run.finish({ key: run.key, ...before, steps: 1, seconds: 2, metrics: { m: 1 } });
    run.close();
    return run;
  };

  it('that are finished are reused, for the code of their first use alone', () => {
    const run = plain(true);
    const notices: string[] = [];
    const identity = { ...before, code: 'now' };
    const found = finishedRun({ root: place }, identity, (text) => notices.push(text));
    expect(found).toMatchObject({ folder: run.folder, result: { metrics: { m: 1 }, steps: 1 } });
    expect(notices.join()).toMatch(/from before there was a store, is taken into it/);
    expect(store.metrics(runKey(identity))).toEqual([{ step: 1, loss: 0.5 }]);
    expect(finishedRun({ root: place }, identity)).toEqual(found);
    expect(finishedRun({ root: place }, { ...before, code: 'later' })).toBeUndefined();
  });

  it('that were seen by a listing first are reused all the same', () => {
    plain(true);
    expect(adoptAll(store)).toEqual({ adopted: 1, problems: [] });
    expect(adoptAll(store)).toEqual({ adopted: 0, problems: [] });
    expect(store.list()).toMatchObject([{ code: '', status: 'finished' }]);
    expect(finishedRun({ root: place }, { ...before, code: 'now' })).toBeDefined();
    expect(store.list()).toMatchObject([{ code: 'now', key: runKey({ ...before, code: 'now' }) }]);
    expect(store.metrics(runKey({ ...before, code: 'now' }))).toHaveLength(1);
    expect(store.metrics(runKey(before))).toEqual([]);
  });

  it('that are not finished go on in their folder', () => {
    const old = plain(false);
    const run = openRun({ ...before, code: 'now', root: place });
    expect(run.folder).toBe(old.folder);
    expect(run.restore(stateOf(0, 0))?.step).toBe(1);
    run.close();
  });

  it('that are damaged are named, and the others listed', () => {
    const run = plain(true);
    writeFileSync(join(run.folder, 'result.json'), '{"steps":');
    const other = RunFolder.open({ ...before, seed: 1, root: place });
    other.close();
    const { adopted, problems } = adoptAll(store);
    expect(adopted).toBe(1);
    expect(problems.join()).toMatch(/result\.json is damaged/);
  });

  it('are left alone while another process trains them', () => {
    const run = RunFolder.open({ ...before, root: place });
    expect(adoptAll(store).problems.join()).toMatch(/already being worked on by process/);
    run.close();
  });

  it('a look-up makes no store', () => {
    const empty = join(place, 'none');
    expect(finishedRun({ root: empty }, { ...before, code: 'x' })).toBeUndefined();
    expect(existsSync(empty)).toBe(false);
    mkdirSync(empty);
    expect(finishedRun({ root: empty }, { ...before, code: 'x' })).toBeUndefined();
    expect(readdirSync(empty)).toEqual([]);
  });
});
