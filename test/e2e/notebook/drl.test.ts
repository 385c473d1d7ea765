import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkNotebook } from '../../../src/notebook/check.ts';
import type { Output } from '../../../src/notebook/document.ts';
import { readNotebook } from '../../../src/notebook/read.ts';
import { temporaryFolder } from '../../notebook/fixtures.ts';
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

const cifar10 = existsSync(join(ROOT, 'data', 'cache', 'cifar10', 'test_batch.bin'));
const committed = join(ROOT, 'notebooks', 'drl-cifar10.ipynb');

function outputs(path: string): Output[] {
  return readNotebook(path).cells.flatMap((cell) =>
    cell.cell_type === 'code' ? [...cell.outputs] : [],
  );
}

const pictures = (path: string) =>
  outputs(path).filter((o) => o.output_type === 'display_data' && 'image/png' in o.data).length;

const streams = (path: string, name: 'stdout' | 'stderr') =>
  outputs(path)
    .map((o) => (o.output_type === 'stream' && o.name === name ? o.text : ''))
    .join('');

describe('the notebook drl-cifar10', () => {
  it('is committed run, in normal form and small enough', () => {
    expect(checkNotebook(committed).filter((p) => p.kind !== 'stale')).toEqual([]);
    expect(pictures(committed)).toBe(4);
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
    expect(pictures(out)).toBe(4);
  });
});
