import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DataError, StoreError } from '../../../src/core/errors.ts';
import { RunFolder } from '../../../src/train/run.ts';
import { openArchive, writeArchive } from '../../../src/train/store/archive.ts';
import { collectGarbage, removeRun } from '../../../src/train/store/collect.ts';
import {
  importArchive,
  importPath,
  writeFolderArchive,
} from '../../../src/train/store/import-runs.ts';
import { RunStore } from '../../../src/train/store/run-store.ts';
import { StoreRun } from '../../../src/train/store/store-run.ts';
import { verifyStore } from '../../../src/train/store/verify.ts';
import { checkpointOf, identityOf, lossOf, sampleRun, stateOf } from './sample.ts';

let root: string;
let place: string;
let store: RunStore;
const stores: RunStore[] = [];
const openStore = (path: string) => {
  const opened = RunStore.open(path);
  stores.push(opened);
  return opened;
};
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gibbs-damage-'));
  place = join(root, 'store');
  store = openStore(place);
});
afterEach(async () => {
  for (const opened of stores.splice(0)) await opened.database.close();
  rmSync(root, { recursive: true, force: true });
});

/** Closes the store, lets `change` work on its files, and opens it again. */
async function behindItsBack(change: (database: string) => void): Promise<RunStore> {
  await store.database.close();
  change(join(place, 'runs.mdb'));
  store = openStore(place);
  return store;
}

const problems = (at = store) =>
  verifyStore(at).problems.map(({ run, problem }) => `${run}: ${problem}`);

describe('a damaged database', () => {
  it('cut in half is refused before it is mapped', async () => {
    for (let seed = 0; seed < 5; seed++) sampleRun(store, seed, { rows: 50 });
    const change = (path: string) => truncateSync(path, Math.floor(statSync(path).size / 2));
    await expect(behindItsBack(change)).rejects.toThrow(DataError);
    expect(() => RunStore.open(place)).toThrow(
      /runs\.mdb is no whole database: it was cut: \d+ of \d+ bytes/,
    );
  });

  it('that is none at all is refused', async () => {
    const change = (path: string) => writeFileSync(path, 'no database '.repeat(2000));
    await expect(behindItsBack(change)).rejects.toThrow(/is no whole database: it does not begin/);
  });

  it('with a changed byte in a record or a row names the run', async () => {
    const keys = [0, 1].map((seed) => sampleRun(store, seed, { config: { rate: 0.123 } }).key);
    expect(problems()).toEqual([]);
    const { checksum } = store.resolve(keys[0]);
    await behindItsBack((path) => {
      const bytes = readFileSync(path);
      const marks = [`"checksum":"${checksum}"`, `{"step":2,"loss":${lossOf(1, 2)}}`];
      for (const mark of marks) {
        // Also in pages that are no longer in use.
        for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 1)) {
          bytes[at + mark.length - 2] ^= 1;
        }
      }
      writeFileSync(path, bytes);
    });
    const said = problems().join('\n');
    expect(said).toContain(`${keys[0]}: `);
    expect(said).toMatch(new RegExp(`entry "${keys[0]}" of 'runs' is damaged`));
    expect(said).toContain(`entry ["${keys[1]}",2] of 'metrics' is damaged`);
    expect(() => store.get(keys[0])).toThrow(DataError);
    expect(() => store.metrics(keys[1])).toThrow(/'metrics' is damaged/);
  });
});

describe('verify', () => {
  it('finds all well in runs of every status', () => {
    sampleRun(store, 0);
    sampleRun(store, 1, { keep: 1, best: { metric: 'loss' } });
    StoreRun.open(store, identityOf(2)).close(new Error('boom'));
    const open = StoreRun.open(store, identityOf(3));
    expect(verifyStore(store)).toMatchObject({ runs: 4, rows: 6, files: 5, problems: [] });
    open.close();
  });

  it('names arrays and checkpoints that are missing, cut or altered', () => {
    const folders = [0, 1, 2, 3].map((seed) => sampleRun(store, seed).folder);
    const flip = (path: string) => {
      const bytes = readFileSync(path);
      bytes[bytes.length - 1] ^= 1;
      writeFileSync(path, bytes);
    };
    flip(join(folders[0], 'arrays.safetensors'));
    rmSync(join(folders[1], 'arrays.safetensors'));
    flip(join(folders[2], 'checkpoint-000000003.safetensors'));
    truncateSync(join(folders[3], 'checkpoint-000000002.safetensors'), 100);
    const said = problems().sort(
      (a, b) => Number(/-s(\d)/.exec(a)?.[1]) - Number(/-s(\d)/.exec(b)?.[1]),
    );
    expect(said).toHaveLength(4);
    expect(said[0]).toMatch(/s0: .*arrays\.safetensors does not match its SHA-256/);
    expect(said[1]).toMatch(/s1: .*arrays\.safetensors is missing/);
    expect(said[2]).toMatch(/s2: .*checkpoint-000000003\.safetensors does not match its checksum/);
    expect(said[3]).toMatch(/s3: .*checkpoint-000000002\.safetensors/);
  });

  it('notices final parameters that are whole but another run’s', () => {
    const [a, b] = [0, 1].map((seed) => sampleRun(store, seed).folder);
    const name = 'checkpoint-000000003.safetensors';
    copyFileSync(join(a, name), join(b, name));
    expect(problems().join()).toMatch(
      /s1: .*does not hold the final parameters that the run reported/,
    );
  });

  it('notices content that is not that of its key', () => {
    const { key } = sampleRun(store, 0);
    store.update(key, (record) => record && { ...record, config: { rate: 0.7 } });
    expect(problems().join()).toMatch(/its content is that of another key/);
  });
});

describe('freeing space', () => {
  it('removes left-overs and checkpoints that nothing needs, and nothing else', () => {
    const run = sampleRun(store, 0, { best: { metric: 'loss', highest: true } });
    const open = StoreRun.open(store, identityOf(1));
    for (const step of [1, 2]) open.save(checkpointOf(1, step));
    const orphan = join(place, 'sample', '0123456789ab-s0');
    mkdirSync(orphan);
    writeFileSync(join(orphan, 'x'), 'x');
    writeFileSync(join(run.folder, '.arrays.safetensors.1.2.tmp'), 'half');
    const before = RunFolder.open({ experiment: 'sample', config: 'old', seed: 0, root: place });
    before.close();
    const planned = collectGarbage(store, { dryRun: true });
    expect(existsSync(orphan)).toBe(true);
    expect(collectGarbage(store)).toEqual(planned);
    expect(planned.map(({ why }) => why)).toEqual([
      'no run names it',
      'half written by a killed process',
      'a checkpoint of a finished run',
    ]);
    expect(existsSync(orphan)).toBe(false);
    expect(existsSync(before.folder)).toBe(true);
    expect(open.restore(stateOf(0, 0))?.step).toBe(2);
    expect(problems()).toEqual([]);
    expect(collectGarbage(store)).toEqual([]);
    collectGarbage(store, { allCheckpoints: true });
    expect(problems()).toEqual([]);
    open.close();
  });

  it('removes a run but not one that is worked on', () => {
    const run = StoreRun.open(store, identityOf(0));
    expect(() => removeRun(store, store.resolve(run.key))).toThrow(/already being worked on/);
    run.close();
    removeRun(store, store.resolve(run.key));
    expect([store.list(), existsSync(run.folder)]).toEqual([[], false]);
  });
});

describe('export and import', () => {
  const file = () => join(root, 'moved.runs');

  it('move runs whole, finished or not, and are safe to repeat', () => {
    const finished = sampleRun(store, 0);
    const half = StoreRun.open(store, identityOf(1));
    half.log({ step: 1, loss: 1 });
    half.save(checkpointOf(1, 1));
    expect(() => writeArchive(file(), store, store.list())).toThrow(/is under way/);
    half.close();
    writeArchive(file(), store, store.list());
    const other = openStore(join(root, 'other'));
    expect(importArchive(other, file()).map(({ outcome }) => outcome)).toEqual(['added', 'added']);
    const ours = store.resolve(finished.key);
    expect(other.resolve(finished.key)).toEqual({ ...ours, change: expect.any(Number) });
    expect(other.metrics(finished.key)).toEqual(store.metrics(finished.key));
    expect(other.arrays(finished.key)).toEqual(store.arrays(finished.key));
    expect(other.environment(ours.sessions[0].environment)).toBeDefined();
    expect(problems(other)).toEqual([]);
    const resumed = StoreRun.open(other, identityOf(1));
    expect(resumed.restore(stateOf(0, 0))?.step).toBe(1);
    resumed.close();
    expect(importArchive(other, file()).map(({ outcome }) => outcome)).toEqual([
      'present',
      'present',
    ]);
  });

  it('go on from an unfinished run, and keep what differs apart', () => {
    const other = openStore(join(root, 'other'));
    StoreRun.open(other, identityOf(0)).close();
    sampleRun(store, 0);
    writeArchive(file(), store, store.list());
    expect(importArchive(other, file())).toMatchObject([{ outcome: 'replaced' }]);
    const { key } = other.list()[0];
    other.update(key, (record) => record && { ...record, checksum: 'another' });
    expect(importArchive(other, file())).toMatchObject([{ key, outcome: 'conflict' }]);
    expect(other.resolve(key).checksum).toBe('another');
  });

  it('a file cut anywhere, or with a changed byte, is refused and imports nothing', () => {
    sampleRun(store, 0);
    sampleRun(store, 1);
    writeArchive(file(), store, store.list());
    const whole = readFileSync(file());
    const other = openStore(join(root, 'other'));
    const refused = (bytes: Uint8Array, message: RegExp) => {
      writeFileSync(file(), bytes);
      expect(() => importArchive(other, file())).toThrow(DataError);
      expect(() => importArchive(other, file())).toThrow(message);
      expect(other.list()).toEqual([]);
    };
    for (const bytes of [10, 30, whole.length >> 1, whole.length - 1]) {
      refused(whole.subarray(0, bytes), new RegExp(`is cut or damaged: it has ${bytes} `));
    }
    const altered = Buffer.from(whole);
    altered[altered.length - 100] ^= 1;
    refused(altered, /is damaged: its content does not match its SHA-256/);
    refused(Buffer.from('not an export of runs at all'), /is no export of runs/);
    const newer = Buffer.from(whole);
    newer.writeUInt32LE(9, 8);
    refused(newer, /has format 9, this version of Gibbs reads up to 1; update Gibbs/);
    expect(() => openArchive(join(root, 'nowhere'))).toThrow(/there is no file/);
  });

  it('take a run from a folder of plain files', () => {
    const identity = identityOf(4);
    const folder = join(root, 'shard');
    const run = RunFolder.open({ ...identity, root: folder });
    run.restore(stateOf(0, 0));
    run.log({ step: 1, loss: 0.5 });
    run.save(checkpointOf(4, 1));
    run.finish({ steps: 1, metrics: { m: 1 }, environment: { node: 'v1' } });
    run.close();
    expect(importPath(store, folder)).toEqual([{ key: run.key, outcome: 'added' }]);
    expect(store.resolve(run.key)).toMatchObject({ status: 'finished', code: 'c0de', step: 1 });
    expect(store.metrics(run.key)).toEqual([{ step: 1, loss: 0.5 }]);
    expect(problems()).toEqual([]);
    const path = join(run.folder, 'metrics.jsonl');
    truncateSync(path, statSync(path).size - 3);
    expect(() => writeFolderArchive(file(), run.folder)).toThrow(/metrics\.jsonl is cut short/);
    expect(() => importPath(store, root)).toThrow(/no run lies in/);
  });
});

describe('a store that cannot be used', () => {
  it('of a newer format is refused and left as it is', async () => {
    const path = join(place, 'store.json');
    writeFileSync(path, '{"format":2}');
    expect(() => RunStore.open(place)).toThrow(StoreError);
    expect(() => RunStore.open(place)).toThrow(
      /has format 2, this version of Gibbs \(.*\) reads up to 1; update Gibbs/,
    );
    writeFileSync(path, '{"format":');
    expect(() => RunStore.open(place)).toThrow(/store\.json is damaged/);
  });

  const asNobody = (path: string) =>
    spawnSync(
      process.execPath,
      ['--import', 'tsx', resolve(import.meta.dirname, 'open-store.ts'), path],
      {
        encoding: 'utf8',
        ...(process.getuid?.() === 0 && { uid: 65534, gid: 65534 }),
        cwd: resolve(import.meta.dirname, '../../..'),
        env: { ...process.env, HOME: tmpdir() },
      },
    );

  it('of another user says whose it is', () => {
    sampleRun(store, 0);
    chmodSync(root, 0o755);
    for (const name of ['runs.mdb', 'runs.mdb-lock']) chmodSync(join(place, name), 0o400);
    const { stdout, stderr } = asNobody(place);
    expect(stderr).toBe('');
    expect(stdout).toMatch(
      new RegExp(
        `StoreError cannot (read|open) .*runs\\.mdb.*permission|belongs to user ${process.getuid?.()}`,
      ),
    );
  });

  it('below a folder of another user says so', () => {
    chmodSync(root, 0o555);
    const { stdout } = asNobody(join(root, 'new'));
    chmodSync(root, 0o755);
    expect(stdout).toMatch(/StoreError cannot create .*new: permission denied/);
  });

  const small = join(tmpdir(), `gibbs-small-${process.pid}`);
  mkdirSync(small, { recursive: true });
  const mounted =
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=10m', 'tmpfs', small]).status === 0;
  if (mounted) spawnSync('umount', [small]);

  it.skipIf(!mounted)(
    'on a full disk says so, keeps what was there, and goes on when there is room',
    async () => {
      spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=10m', 'tmpfs', small]);
      try {
        const full = RunStore.open(join(small, 'store'));
        const { key } = sampleRun(full, 0);
        const run = StoreRun.open(full, identityOf(1));
        writeFileSync(join(small, 'ballast'), Buffer.alloc(4 * 2 ** 20));
        expect(() => run.log({ step: 1, loss: 1 })).toThrow(StoreError);
        expect(() => run.log({ step: 1, loss: 1 })).toThrow(
          /cannot write .*runs\.mdb: the disk is full/,
        );
        expect(full.resolve(key).status).toBe('finished');
        expect(problems(full)).toEqual([]);
        rmSync(join(small, 'ballast'));
        run.log({ step: 1, loss: 1 });
        run.close();
        expect(full.metrics(run.key)).toHaveLength(1);
        await full.database.close();
      } finally {
        spawnSync('umount', [small]);
        rmSync(small, { recursive: true, force: true });
      }
    },
  );
});
