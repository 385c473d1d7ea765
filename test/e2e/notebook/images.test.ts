import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkNotebook } from '../../../src/notebook/check.ts';
import { temporaryFolder } from '../../notebook/fixtures.ts';
import { writePictures } from '../write-pictures.ts';
import { gibbs, ROOT } from './gibbs.ts';
import { freshStore, pictures, streams } from './shown.ts';

freshStore();

/** Without CIFAR-10 the first notebook can only be looked at. */
const cifar = existsSync(join(ROOT, 'data', 'cache', 'cifar10', 'test_batch.bin'));
/** Pictures of the sizes that the other two take. */
const folder = temporaryFolder();
beforeAll(async () => {
  await writePictures(join(folder, 'celeba/train'), 12, 178, 218);
  await writePictures(join(folder, 'celeba/validation'), 12, 178, 218, 12);
  await writePictures(join(folder, 'church/train'), 12, 160, 140);
  await writePictures(join(folder, 'church/test'), 12, 160, 140, 12);
});

describe.each([
  ['table5-fig5-ablations', 3, /trainings: distances fall/, cifar, undefined],
  ['table3-celeba', 2, /no trained model was judged/, true, 'celeba'],
  ['fig8-fig9-lsun-church', 2, /no trained model was judged/, true, 'church'],
] as const)('the notebook %s', (name, count, closing, here, data) => {
  const committed = join(ROOT, 'notebooks', `${name}.ipynb`);

  it('is committed run, in normal form and small enough', () => {
    expect(checkNotebook(committed).filter((p) => p.kind !== 'stale')).toEqual([]);
    expect(pictures(committed)).toHaveLength(count);
    expect(streams(committed, 'stderr')).toBe('');
  });

  it.runIf(here)('runs to its claims in the smoke preset', async () => {
    const out = join(temporaryFolder(), 'smoke.ipynb');
    const own = data === undefined ? [] : ['--set', `data=${join(folder, data)}`];
    const args = ['notebook', 'run', committed, '--set', 'preset=smoke', ...own, '--out', out];
    const { status, stderr } = await gibbs(args);
    expect(stderr).not.toContain('error TS');
    expect(status, stderr).toBe(0);
    expect(streams(out, 'stdout')).toMatch(closing);
    expect(streams(out, 'stderr')).toBe('');
    expect(pictures(out)).toHaveLength(count);
  });
});
