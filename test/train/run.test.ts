import { spawn, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, DataError, StoreError } from '../../src/core/errors.ts';
import { hostTensor } from '../../src/core/host-tensor.ts';
import { LockFile } from '../../src/train/lock.ts';
import { canonicalJson, finishedResult, RunFolder, runKey } from '../../src/train/run.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gibbs-run-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const identity = { experiment: 'toy', config: { lr: 1e-4, diffusion: { T: 4 } }, seed: 0 };
const checkpoint = (step: number) => ({
  step,
  state: { w: hostTensor(Float32Array.of(step), [1]) },
  seconds: step / 10,
  window: { count: 0, sums: {} },
});

describe('runKey', () => {
  it('depends on values, not on the order of keys', () => {
    const reordered = { ...identity, config: { diffusion: { T: 4 }, lr: 1e-4 } };
    expect(runKey(reordered)).toBe(runKey(identity));
    expect(runKey({ ...identity, config: { lr: 2e-4, diffusion: { T: 4 } } })).not.toBe(
      runKey(identity),
    );
    expect(runKey({ ...identity, seed: 1 })).toMatch(/^toy\/[0-9a-f]{12}-s1$/);
    expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: null })).toBe('{"a":null,"b":[{"c":2,"d":1}]}');
  });
});

describe('RunFolder', () => {
  it('keeps the latest two checkpoints and no temporary files', () => {
    const run = RunFolder.open({ ...identity, root });
    for (const step of [1, 2, 3, 4]) run.save(checkpoint(step));
    run.close();
    expect(readdirSync(run.folder).sort()).toEqual([
      'checkpoint-000000003.safetensors',
      'checkpoint-000000004.safetensors',
      'config.json',
    ]);
  });

  it('removes what a killed process had half written', () => {
    RunFolder.open({ ...identity, root }).close();
    const folder = join(root, runKey(identity));
    writeFileSync(join(folder, '.checkpoint-000000009.safetensors.123.4.tmp'), 'half');
    RunFolder.open({ ...identity, root }).close();
    expect(readdirSync(folder)).toEqual(['config.json']);
  });

  it('says which process holds the run', () => {
    const run = RunFolder.open({ ...identity, root });
    expect(() => RunFolder.open({ ...identity, root })).toThrow(StoreError);
    expect(() => RunFolder.open({ ...identity, root })).toThrow(
      new RegExp(`already being worked on by process ${process.pid}`),
    );
    run.close();
    RunFolder.open({ ...identity, root }).close();
  });

  it('takes over the lock of a process that was killed', () => {
    const dead = spawnSync(process.execPath, ['-e', '']);
    const folder = join(root, runKey(identity));
    mkdirSync(folder, { recursive: true });
    const owner = { pid: dead.pid, host: hostname(), start: '1', since: 'then' };
    writeFileSync(join(folder, 'lock'), JSON.stringify(owner));
    RunFolder.open({ ...identity, root }).close();
    expect(readdirSync(folder)).toEqual(['config.json']);
  });

  it('takes over a lock whose process number now belongs to another process', async () => {
    const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)']);
    try {
      const path = join(root, 'lock');
      const owner = { pid: other.pid, host: hostname(), start: 'earlier', since: 'then' };
      writeFileSync(path, JSON.stringify(owner));
      const lock = LockFile.acquire(path, 'the run');
      expect(lock.held()).toBe(true);
      lock.release();
    } finally {
      other.kill('SIGKILL');
    }
  });

  it('respects a lock of another machine', () => {
    const owner = { pid: 1, host: 'elsewhere.example', start: '1', since: 'then' };
    writeFileSync(join(root, 'lock'), JSON.stringify(owner));
    expect(() => LockFile.acquire(join(root, 'lock'), 'the run')).toThrow(/on elsewhere\.example/);
  });

  it('stops writing once its lock is lost', () => {
    const run = RunFolder.open({ ...identity, root });
    rmSync(join(run.folder, 'lock'));
    expect(() => run.save(checkpoint(1))).toThrow(/taken over by another process/);
  });

  it('reuses a finished result and forgets it when started fresh', () => {
    const run = RunFolder.open({ ...identity, root });
    run.save(checkpoint(1));
    run.log({ step: 1, loss: 2 });
    run.finish({ modes: 25 });
    run.close();
    expect(finishedResult(root, identity)).toEqual({ modes: 25 });
    const again = RunFolder.open({ ...identity, root, fresh: true });
    expect(finishedResult(root, identity)).toBeUndefined();
    expect(again.metrics()).toEqual([]);
    expect(again.restore(checkpoint(0).state)).toBeUndefined();
    again.close();
  });

  it('names a damaged result', () => {
    const run = RunFolder.open({ ...identity, root });
    run.close();
    writeFileSync(join(run.folder, 'result.json'), '{"modes":');
    expect(() => finishedResult(root, identity)).toThrow(DataError);
    expect(() => finishedResult(root, identity)).toThrow(/result\.json is damaged.*--fresh/);
  });

  it('refuses to resume where there is nothing, and to resume and start fresh at once', () => {
    expect(() => RunFolder.open({ ...identity, root, resume: true })).toThrow(ConfigError);
    expect(() => RunFolder.open({ ...identity, root, resume: true })).toThrow(/nothing to resume/);
    expect(() => RunFolder.open({ ...identity, root, resume: true, fresh: true })).toThrow(
      /not both/,
    );
  });

  it('cuts a torn last metric row', () => {
    const run = RunFolder.open({ ...identity, root });
    run.log({ step: 1, loss: 2 });
    run.save(checkpoint(1));
    const path = join(run.folder, 'metrics.jsonl');
    writeFileSync(path, `${readFileSync(path, 'utf8')}{"step":2,"lo`);
    run.restore(checkpoint(0).state);
    run.log({ step: 2, loss: 1 });
    expect(run.metrics()).toEqual([
      { step: 1, loss: 2 },
      { step: 2, loss: 1 },
    ]);
    run.close();
  });

  it('names a checkpoint of another model', () => {
    const run = RunFolder.open({ ...identity, root });
    run.save(checkpoint(1));
    const template = { w: hostTensor(new Float32Array(2), [2]) };
    expect(() => run.restore(template)).toThrow(
      /tensor 'w' is float32 \[1\], the state needs float32 \[2\]/,
    );
    run.close();
  });

  it('says why a folder cannot be written', () => {
    const file = join(root, 'file');
    writeFileSync(file, '');
    expect(() => RunFolder.open({ ...identity, root: file })).toThrow(StoreError);
    expect(() => RunFolder.open({ ...identity, root: file })).toThrow(
      /cannot create .*file.*a file, not a folder/,
    );
    expect(() => RunFolder.open({ ...identity, root: '/proc/gibbs' })).toThrow(StoreError);
  });

  it.runIf(process.platform === 'linux')('says that the disk is full', () => {
    const run = RunFolder.open({ ...identity, root });
    symlinkSync('/dev/full', join(run.folder, 'metrics.jsonl'));
    expect(() => run.log({ step: 1, loss: 2 })).toThrow(StoreError);
    expect(() => run.log({ step: 1, loss: 2 })).toThrow(
      /cannot write .*metrics\.jsonl: the disk is full/,
    );
    run.close();
  });
});
