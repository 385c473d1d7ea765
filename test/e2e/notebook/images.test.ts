import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkNotebook } from '../../../src/notebook/check.ts';
import type { Output } from '../../../src/notebook/document.ts';
import { readNotebook } from '../../../src/notebook/read.ts';
import { temporaryFolder } from '../../notebook/fixtures.ts';
import { writePictures } from '../write-pictures.ts';
import { build, gibbs, ROOT } from './gibbs.ts';

const before = process.env['GIBBS_STORE'];
beforeAll(() => {
  build();
  // Nothing trained here before is reused, and nothing is left behind.
  process.env['GIBBS_STORE'] = temporaryFolder();
});
afterAll(() => {
  if (before === undefined) delete process.env['GIBBS_STORE'];
  else process.env['GIBBS_STORE'] = before;
});

function shown(path: string): Output[] {
  return readNotebook(path).cells.flatMap((cell) =>
    cell.cell_type === 'code' ? [...cell.outputs] : [],
  );
}

const pictures = (path: string) =>
  shown(path).filter((o) => o.output_type === 'display_data' && 'image/png' in o.data);

const streams = (path: string, name: 'stdout' | 'stderr') =>
  shown(path)
    .map((o) => (o.output_type === 'stream' && o.name === name ? o.text : ''))
    .join('');

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
