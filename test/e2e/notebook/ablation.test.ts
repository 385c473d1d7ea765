import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkNotebook } from '../../../src/notebook/check.ts';
import { readNotebook } from '../../../src/notebook/read.ts';
import { temporaryFolder } from '../../notebook/fixtures.ts';
import { build, gibbs, ROOT } from './gibbs.ts';

beforeAll(build);

const NAME = 'ablation-explorer.ipynb';
const committed = join(ROOT, 'notebooks', NAME);

const charts = (path: string) =>
  readNotebook(path)
    .cells.flatMap((cell) => (cell.cell_type === 'code' ? [...cell.outputs] : []))
    .flatMap((o) => (o.output_type === 'display_data' ? [Object.keys(o.data)] : []))
    .filter((types) => types.includes('application/vnd.vegalite.v5+json'));

describe('the notebook of ablations', () => {
  it('is committed run, in normal form and small enough', () => {
    expect(checkNotebook(committed).filter(({ kind }) => kind !== 'stale')).toEqual([]);
    expect(charts(committed)).toHaveLength(4);
    expect(charts(committed).every((types) => types.includes('image/png'))).toBe(true);
  });

  it('trains its grids from the first cell to the last in the smoke preset', {
    timeout: 900_000,
  }, async () => {
    // Outside the repository, so that nothing trained there before is reused.
    const folder = temporaryFolder();
    const path = join(folder, NAME);
    const out = join(folder, 'smoke.ipynb');
    copyFileSync(committed, path);
    const args = ['notebook', 'run', path, '--set', 'preset=smoke', '--out', out];
    const { status, stderr } = await gibbs(args);
    expect(status, stderr).toBe(0);
    expect(charts(out)).toHaveLength(4);
  });
});
