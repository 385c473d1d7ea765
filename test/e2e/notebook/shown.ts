import { afterAll, beforeAll } from 'vitest';
import type { Output } from '../../../src/notebook/document.ts';
import { readNotebook } from '../../../src/notebook/read.ts';
import { temporaryFolder } from '../../notebook/fixtures.ts';
import { build } from './gibbs.ts';

/** Builds, and gives the notebooks of a test file an empty store: nothing old is reused, nothing is left. */
export function freshStore(): void {
  const before = process.env['GIBBS_STORE'];
  beforeAll(() => {
    build();
    process.env['GIBBS_STORE'] = temporaryFolder();
  });
  afterAll(() => {
    if (before === undefined) delete process.env['GIBBS_STORE'];
    else process.env['GIBBS_STORE'] = before;
  });
}

/** What the cells of a notebook show, in order. */
export function shown(path: string): Output[] {
  return readNotebook(path).cells.flatMap((cell) =>
    cell.cell_type === 'code' ? [...cell.outputs] : [],
  );
}

export const pictures = (path: string): Output[] =>
  shown(path).filter((o) => o.output_type === 'display_data' && 'image/png' in o.data);

export const streams = (path: string, name: 'stdout' | 'stderr'): string =>
  shown(path)
    .map((o) => (o.output_type === 'stream' && o.name === name ? o.text : ''))
    .join('');
