import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkNotebook } from '../../../src/notebook/check.ts';
import { temporaryFolder } from '../../notebook/fixtures.ts';
import { gibbs, ROOT } from './gibbs.ts';
import { freshStore, pictures, streams } from './shown.ts';

freshStore();

const cifar10 = existsSync(join(ROOT, 'data', 'cache', 'cifar10', 'test_batch.bin'));
const committed = join(ROOT, 'notebooks', 'drl-cifar10.ipynb');

describe('the notebook drl-cifar10', () => {
  it('is committed run, in normal form and small enough', () => {
    expect(checkNotebook(committed).filter((p) => p.kind !== 'stale')).toEqual([]);
    expect(pictures(committed)).toHaveLength(4);
    expect(streams(committed, 'stderr')).toBe('');
  });

  it.runIf(cifar10)('says how long the smoke preset takes, and runs it to the end', async () => {
    const out = join(temporaryFolder(), 'smoke.ipynb');
    const args = ['notebook', 'run', committed, '--set', 'preset=smoke', '--out', out];
    const { status, stderr } = await gibbs(args);
    expect(stderr).not.toContain('error TS');
    expect(status, stderr).toBe(0);
    expect(streams(out, 'stdout')).toMatch(/smoke: 4 iterations of/);
    expect(streams(out, 'stdout')).toMatch(/bounded over 4 iterations/);
    expect(pictures(out)).toHaveLength(4);
  });
});
