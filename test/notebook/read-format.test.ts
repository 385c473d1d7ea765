import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DataError, StoreError } from '../../src/core/errors.ts';
import type { Notebook } from '../../src/notebook/document.ts';
import { formatNotebook } from '../../src/notebook/format.ts';
import { parseNotebook, readNotebook } from '../../src/notebook/read.ts';
import { code, stdout, temporaryFolder, text } from './fixtures.ts';

const folder = temporaryFolder();

const notebook: Notebook = {
  metadata: { title: 'Ünïcode', kernelspec: { name: 'gibbs' } },
  cells: [
    text('# A\n\nb'),
    code('1 + 1\n2', {
      outputs: [
        stdout('a\nb\n'),
        {
          output_type: 'display_data',
          data: {
            'text/html': '<b>\n</b>',
            'image/png': 'AAAA\n',
            'image/svg+xml': '<svg>\n</svg>',
            'application/vnd.vegalite.v6+json': { z: 1, a: ['x\ny'] },
          },
          metadata: {},
        },
        {
          output_type: 'execute_result',
          execution_count: 3,
          data: { 'text/plain': '2' },
          metadata: {},
        },
        { output_type: 'error', ename: 'E', evalue: 'v', traceback: ['l1\nl2'] },
      ],
    }),
    { cell_type: 'raw', id: 'r', metadata: {}, source: '' },
  ],
};

describe('a notebook file', () => {
  it('comes back as it was written', () => {
    expect(parseNotebook(formatNotebook(notebook), 'n.ipynb')).toEqual(notebook);
  });

  it('has sorted keys, texts by line and a newline at the end, as Jupyter writes it', () => {
    const file = formatNotebook(notebook);
    expect(file.startsWith('{\n "cells": [\n  {\n   "cell_type": "markdown",\n   "id": "y",')).toBe(
      true,
    );
    expect(file.endsWith('\n "nbformat": 4,\n "nbformat_minor": 5\n}\n')).toBe(true);
    const { cells } = JSON.parse(file);
    expect(cells[1].source).toEqual(['1 + 1\n', '2']);
    expect(cells[1].outputs[0].text).toEqual(['a\n', 'b\n']);
    expect(cells[1].outputs[1].data).toEqual({
      'application/vnd.vegalite.v6+json': { a: ['x\ny'], z: 1 },
      'image/png': 'AAAA\n',
      'image/svg+xml': ['<svg>\n', '</svg>'],
      'text/html': ['<b>\n', '</b>'],
    });
    expect(cells[2].source).toEqual([]);
    expect(file).toContain('Ünïcode');
    const vega = file.slice(file.indexOf('vegalite'));
    expect(vega.indexOf('"a"')).toBeLessThan(vega.indexOf('"z"'));
  });

  it('without cell ids gets those of the normal form', () => {
    const old = {
      nbformat: 4,
      nbformat_minor: 2,
      metadata: {},
      cells: [{ cell_type: 'markdown', metadata: {}, source: ['# Why', ' not?'] }],
    };
    expect(parseNotebook(JSON.stringify(old), 'old.ipynb').cells[0]).toMatchObject({
      id: 'why-not',
      source: '# Why not?',
    });
  });

  it.each([
    ['', /n\.ipynb is not valid JSON: it is empty/],
    ['{"cells": [', /not valid JSON: .*restore/],
    ['{\n<<<<<<< HEAD\n', /merge conflict/],
    ['[]', /expected an object, got \[\]/],
    ['{"nbformat": 3, "worksheets": []}', /nbformat 3, which is no longer in use.*nbconvert/],
    ['{"nbformat": 5, "cells": []}', /nbformat: expected 4, got 5/],
    ['{"nbformat": 4, "nbformat_minor": 5}', /cells: expected a list, got nothing/],
  ])('is refused in one line when it reads %j', (file, message) => {
    expect(() => parseNotebook(file, 'n.ipynb')).toThrow(DataError);
    expect(() => parseNotebook(file, 'n.ipynb')).toThrow(message);
  });

  it.each([
    [{ cell_type: 'heading', source: '' }, /cells\[0\]\.cell_type: expected 'code'/],
    [
      { cell_type: 'markdown', source: 5 },
      /cells\[0\]\.source: expected a text or a list of lines, got 5/,
    ],
    [{ cell_type: 'markdown', source: '', id: 'a b' }, /cells\[0\]\.id/],
    [{ cell_type: 'code', source: '' }, /cells\[0\]\.outputs: expected a list/],
    [
      { cell_type: 'code', source: '', outputs: [{ output_type: 'stream', name: 'x', text: '' }] },
      /cells\[0\]\.outputs\[0\]\.name: expected 'stdout' or 'stderr', got "x"/,
    ],
    [
      { cell_type: 'code', source: '', outputs: [{ output_type: 'pyout' }] },
      /cells\[0\]\.outputs\[0\]\.output_type/,
    ],
    [
      {
        cell_type: 'code',
        source: '',
        outputs: [{ output_type: 'display_data', data: { 'text/html': 1 }, metadata: {} }],
      },
      /outputs\[0\]\.data\['text\/html'\]/,
    ],
  ])('names the place of a broken cell: %j', (cell, message) => {
    const file = JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [cell] });
    expect(() => parseNotebook(file, 'n.ipynb')).toThrow(message);
  });

  it('that is not there is a store error with the path', () => {
    expect(() => readNotebook(join(folder, 'none.ipynb'))).toThrow(StoreError);
    writeFileSync(join(folder, 'bom.ipynb'), `\ufeff${formatNotebook(notebook)}`);
    expect(readNotebook(join(folder, 'bom.ipynb')).cells).toHaveLength(3);
  });
});
