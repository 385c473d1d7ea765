import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkNotebook } from '../../../src/notebook/check.ts';
import type { Output } from '../../../src/notebook/document.ts';
import { readNotebook } from '../../../src/notebook/read.ts';
import { temporaryFolder } from '../../notebook/fixtures.ts';
import { build, gibbs, ROOT } from './gibbs.ts';

beforeAll(build);

const NAME = 'fig1-toy-density.ipynb';
const committed = join(ROOT, 'notebooks', NAME);

/** Everything the notebook at `path` shows. */
function shown(path: string): Output[] {
  return readNotebook(path).cells.flatMap((cell) =>
    cell.cell_type === 'code' ? [...cell.outputs] : [],
  );
}

function figures(path: string) {
  return shown(path).filter((o) => o.output_type === 'display_data' && 'image/png' in o.data);
}

const streams = (path: string, name: 'stdout' | 'stderr') =>
  shown(path)
    .map((o) => (o.output_type === 'stream' && o.name === name ? o.text : ''))
    .join('');

describe('the notebook of Figure 1', () => {
  it('is committed run, in normal form and small enough', () => {
    const problems = checkNotebook(committed).filter((p) => p.kind !== 'stale');
    expect(problems).toEqual([]);
    expect(figures(committed)).toHaveLength(3);
    expect(streams(committed, 'stderr')).toBe('');
  });

  it('runs from its first cell to its claims in the smoke preset', async () => {
    // Outside the repository, so that nothing trained there before is reused.
    const folder = temporaryFolder();
    const path = join(folder, NAME);
    const out = join(folder, 'smoke.ipynb');
    copyFileSync(committed, path);
    const args = ['notebook', 'run', path, '--set', 'preset=smoke', '--out', out];
    const { status, stderr } = await gibbs(args);
    expect(stderr).not.toContain('error TS');
    expect(status, stderr).toBe(0);
    const shows = figures(out).flatMap((o) => ('data' in o ? Object.keys(o.data) : []));
    expect(shows).toEqual(
      expect.arrayContaining(['application/vnd.vegalite.v5+json', 'image/png']),
    );
    expect(streams(out, 'stdout').match(/^holds: /gm)?.length).toBeGreaterThanOrEqual(6);
    expect(streams(out, 'stderr')).toBe('');
  });
});
