import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkNotebook } from '../../../src/notebook/check.ts';
import { temporaryFolder } from '../../notebook/fixtures.ts';
import { gibbs, ROOT } from './gibbs.ts';
import { freshStore, pictures, streams } from './shown.ts';

freshStore();

const mnist = existsSync(join(ROOT, 'data', 'cache', 'mnist', 'train-images-idx3-ubyte'));

describe.each([
  ['table1-fig2-nice-mnist', 2, /smoke, ddaebm: 6 iterations of/, /largest error of inverse/],
  ['table11-stackedmnist-modes', 2, /smoke, meg: 4 iterations of/, /above its floor/],
  ['ed-latent-prior-mnist', 2, /smoke: 5 iterations of/, /trained: 5 iterations, seed 0/],
])('the notebook %s', (name, count, estimate, closing) => {
  const committed = join(ROOT, 'notebooks', `${name}.ipynb`);

  it('is committed run, in normal form and small enough', () => {
    expect(checkNotebook(committed).filter((p) => p.kind !== 'stale')).toEqual([]);
    expect(pictures(committed)).toHaveLength(count);
    expect(streams(committed, 'stderr')).toBe('');
  });

  it.runIf(mnist)('says how long the smoke preset takes, and runs it to the end', async () => {
    const out = join(temporaryFolder(), 'smoke.ipynb');
    const args = ['notebook', 'run', committed, '--set', 'preset=smoke', '--out', out];
    const { status, stderr } = await gibbs(args);
    expect(stderr).not.toContain('error TS');
    expect(status, stderr).toBe(0);
    expect(streams(out, 'stdout')).toMatch(estimate);
    expect(streams(out, 'stdout')).toMatch(closing);
    expect(streams(out, 'stderr')).toBe('');
    expect(pictures(out)).toHaveLength(count);
  });
});

describe('a notebook that needs MNIST', () => {
  it('says where to get it when it is not here', async () => {
    // Outside the repository there is no cache of data sets.
    const folder = temporaryFolder();
    const path = join(folder, 'latent.ipynb');
    copyFileSync(join(ROOT, 'notebooks', 'ed-latent-prior-mnist.ipynb'), path);
    const args = [
      'notebook',
      'run',
      path,
      '--set',
      'preset=smoke',
      '--out',
      join(folder, 'o.ipynb'),
    ];
    const { status, stderr } = await gibbs(args);
    expect(status).toBe(1);
    expect(stderr).toMatch(/DataError.*there is no .*gibbs data fetch mnist/s);
  });
});
