import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkNotebook } from '../../src/notebook/check.ts';
import { formatNotebook } from '../../src/notebook/format.ts';
import { parseNotebook } from '../../src/notebook/read.ts';
import { runNotebook } from '../../src/notebook/run.ts';
import { code, FakeKernel, stdout, temporaryFolder, text, writeNotebook } from './fixtures.ts';

const folder = temporaryFolder();
writeFileSync(join(folder, 'package.json'), '{}');
writeFileSync(join(folder, 'package-lock.json'), '{"version": 1}');
writeFileSync(join(folder, 'util.ts'), 'export const a = 1;');
writeFileSync(join(folder, 'points.csv'), '1,2');
const path = join(folder, 'n.ipynb');
const CELLS = [text('# A notebook'), code("import { a } from './util.ts';\na")];

async function freshNotebook(): Promise<void> {
  writeNotebook(path, CELLS, { gibbs: { data: ['points.csv'] } });
  await runNotebook(path, { startKernel: new FakeKernel().start });
}
const problems = () => checkNotebook(path).map((p) => `${p.kind}: ${p.message}`);
const kinds = () => checkNotebook(path).map((p) => p.kind);
function edit(
  change: (file: { cells: { source: string[]; outputs?: unknown[] }[] }) => void,
): void {
  const file = JSON.parse(readFileSync(path, 'utf8'));
  change(file);
  writeFileSync(path, formatNotebook(parseNotebook(JSON.stringify(file), path)));
}

describe('gibbs notebook check', () => {
  it('has nothing to say right after a run', async () => {
    await freshNotebook();
    expect(problems()).toEqual([]);
  });

  it('finds a notebook that was never run', () => {
    writeNotebook(path, CELLS);
    expect(kinds()).toContain('stale');
    expect(problems().join()).toContain('never run');
  });

  it.each([
    ['cells were edited', () => edit((f) => f.cells[1].source.push('\na + 1'))],
    ['cells were edited', () => edit((f) => f.cells[0].source.splice(0, 1, '# An essay'))],
    [
      'source files it loads have changed (util.ts)',
      () => writeFileSync(join(folder, 'util.ts'), 'export const a = 2;'),
    ],
    ['data have changed (points.csv)', () => writeFileSync(join(folder, 'points.csv'), '1,3')],
    ['package-lock.json', () => writeFileSync(join(folder, 'package-lock.json'), '{"version": 2}')],
  ])('says that it is stale because %s', async (why, change) => {
    await freshNotebook();
    change();
    const found = problems().filter((p) => p.startsWith('stale'));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(why);
  });

  it('does not mind outputs and ids changing', async () => {
    await freshNotebook();
    edit((f) => f.cells[1].outputs?.push(stdout('seen\n')));
    expect(problems()).toEqual([]);
  });

  it('says what keeps a notebook from its normal form', async () => {
    await freshNotebook();
    const file = JSON.parse(readFileSync(path, 'utf8'));
    file.cells[1].execution_count = 4;
    file.cells[0].id = 'f00';
    writeFileSync(path, JSON.stringify(file));
    expect(problems()).toEqual([
      expect.stringMatching(
        /^unnormalised: .*cell 1 'a-notebook' has the id 'f00'; execution counts.*clean/,
      ),
    ]);
    file.cells[1].execution_count = null;
    file.cells[0].id = 'a-notebook';
    writeFileSync(path, JSON.stringify(file));
    expect(problems()[0]).toContain('key order or line layout');
  });

  it('finds errors, excess and files that are no notebooks', async () => {
    await freshNotebook();
    edit((f) =>
      f.cells[1].outputs?.push({
        output_type: 'error',
        ename: 'RangeError',
        evalue: 'far',
        traceback: [],
      }),
    );
    expect(problems()).toEqual([
      "failed: cell 2 'import-a-from-util-ts' shows an error, RangeError: far",
    ]);
    await freshNotebook();
    edit((f) => f.cells[1].outputs?.push(stdout('x'.repeat(500_001))));
    expect(problems()[0]).toMatch(/^size: 50\d kB, more than 500 kB.*cell 2/);
    writeFileSync(path, '{');
    expect(kinds()).toEqual(['unreadable']);
    expect(checkNotebook(join(folder, 'none.ipynb'))[0].kind).toBe('unreadable');
  });
});
