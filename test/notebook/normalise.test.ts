import { homedir } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { Notebook, Output } from '../../src/notebook/document.ts';
import { formatNotebook } from '../../src/notebook/format.ts';
import { normaliseNotebook } from '../../src/notebook/normalise.ts';
import { parseNotebook } from '../../src/notebook/read.ts';
import { slugIds } from '../../src/notebook/slugs.ts';
import { code, stdout, text } from './fixtures.ts';

const ROOT = '/data/projects/gibbs';
const clean = (notebook: Notebook) => normaliseNotebook(notebook, ROOT);
const cleanOutputs = (...outputs: Output[]): readonly Output[] => {
  const [cell] = clean({ metadata: {}, cells: [code('x', { outputs })] }).cells;
  return cell.cell_type === 'code' ? cell.outputs : [];
};

describe('slugs', () => {
  const of = (...cells: [string, string][]) =>
    slugIds(cells.map(([cell_type, source]) => ({ cell_type, source })));

  it('say what stands in the cell', () => {
    expect(
      of(
        ['markdown', 'Some words\n\n## Why diffusion? $q(x_t)$'],
        ['code', '// The energy panel\nshow(x)'],
        ['code', '\n\nconst run = await toy({ seed: 0 });'],
        ['markdown', 'Élan vital – naïve'],
      ),
    ).toEqual([
      'why-diffusion-q-x-t',
      'the-energy-panel',
      'const-run-await-toy-seed-0',
      'elan-vital-naive',
    ]);
  });

  it('are distinct, at most 64 characters, and there for any cell', () => {
    const ids = of(
      ['code', 'f()'],
      ['code', 'f()'],
      ['code', '{}'],
      ['markdown', '漢字'],
      ['code', 'w'.repeat(200)],
      ['markdown', `# ${'long words '.repeat(30)}`],
    );
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z0-9-]{1,64}$/);
    expect(ids.slice(0, 2)).toEqual(['f', 'f-2']);
  });
});

describe('the normal form', () => {
  const messy: Notebook = {
    metadata: {
      kernelspec: { name: 'gibbs', display_name: 'Gibbs', language: 'typescript', env: {} },
      language_info: {
        name: 'typescript',
        version: '6.0.3',
        codemirror_mode: 'ts',
        mimetype: 'x',
        file_extension: '.ts',
      },
      widgets: {},
      title: 'T',
      gibbs: { data: ['data/a'] },
    },
    cells: [
      text('\n\n# Title  \nline  \nbreak \n\n'),
      code('a = 1;\r\n\n', {
        execution_count: 12,
        metadata: {
          tags: [],
          execution: { 'iopub.status.busy': '2026-01-01' },
          collapsed: true,
          jupyter: { source_hidden: true, outputs_hidden: false },
        },
        outputs: [
          stdout('a'),
          stdout('b\n'),
          {
            output_type: 'execute_result',
            execution_count: 12,
            data: { 'text/plain': '1' },
            metadata: {},
          },
        ],
      }),
      code('preset = "smoke"', { metadata: { tags: ['injected-parameters'] } }),
      code('   '),
    ],
  };

  it('drops what belongs to one run, one machine or one editor', () => {
    expect(clean(messy)).toEqual({
      metadata: {
        kernelspec: { name: 'gibbs', display_name: 'Gibbs', language: 'typescript' },
        language_info: { name: 'typescript', mimetype: 'x', file_extension: '.ts' },
        title: 'T',
        gibbs: { data: ['data/a'] },
      },
      cells: [
        { cell_type: 'markdown', id: 'title', metadata: {}, source: '# Title  \nline  \nbreak' },
        {
          cell_type: 'code',
          id: 'a-1',
          metadata: { jupyter: { source_hidden: true } },
          source: 'a = 1;',
          execution_count: null,
          outputs: [
            stdout('ab\n'),
            {
              output_type: 'execute_result',
              execution_count: null,
              data: { 'text/plain': '1' },
              metadata: {},
            },
          ],
        },
      ],
    });
  });

  it('is a fixed point, also through the file', () => {
    const once = clean(messy);
    expect(clean(once)).toEqual(once);
    const file = formatNotebook(once);
    expect(formatNotebook(clean(parseNotebook(file, 'n')))).toBe(file);
  });

  it('shows paths relative to the project', () => {
    const outputs = cleanOutputs(
      stdout(`wrote ${ROOT}/figures/a.svg in ${ROOT}, not ${ROOT}-other/x\n`),
      stdout(`at f (file://${ROOT}/src/a.ts:3:1) ${homedir()}/.cache\n`),
      { output_type: 'error', ename: 'E', evalue: `${ROOT}/a`, traceback: [`${ROOT}/b`] },
      {
        output_type: 'display_data',
        data: { 'text/html': `<a href="${ROOT}/c">`, 'image/png': `${ROOT}/AAAA` },
        metadata: { 'text/html': { isolated: true }, other: 1 },
      },
    );
    expect(outputs).toEqual([
      stdout(`wrote figures/a.svg in ., not ${ROOT}-other/x\nat f (src/a.ts:3:1) ~/.cache\n`),
      { output_type: 'error', ename: 'E', evalue: 'a', traceback: ['b'] },
      {
        output_type: 'display_data',
        data: { 'text/html': '<a href="c">', 'image/png': `${ROOT}/AAAA` },
        metadata: { 'text/html': { isolated: true } },
      },
    ]);
  });

  it('keeps of a progress bar nothing, and of overwritten lines the last state', () => {
    const outputs = cleanOutputs(
      stdout('loading 1\rloading 2\rdone     \n'),
      stdout(' 45%|████▌     | 45/100 [00:03<00:04]\r100%|██████████| 100/100 [00:07<00:00]\n'),
      stdout('loss 0.5 100% | fine\n'),
      {
        output_type: 'display_data',
        data: { 'text/plain': '50 %' },
        metadata: { gibbs: { progress: true } },
      },
      {
        output_type: 'display_data',
        data: { 'application/vnd.jupyter.widget-view+json': {} },
        metadata: {},
      },
    );
    expect(outputs).toEqual([stdout('done     \nloss 0.5 100% | fine\n')]);
  });

  it('drops a stream that held nothing else', () => {
    expect(cleanOutputs(stdout('10%|█         | 1/10\r20%|██        | 2/10\r'))).toEqual([]);
  });
});
