import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Output } from '../../../src/notebook/document.ts';
import { readNotebook } from '../../../src/notebook/read.ts';
import { code, temporaryFolder, text, writeNotebook } from '../../notebook/fixtures.ts';
import { build, gibbs } from './gibbs.ts';

beforeAll(build);
const folder = temporaryFolder();
const path = join(folder, 'n.ipynb');

function outputs(file: string, cell: number): readonly Output[] {
  const found = readNotebook(file).cells[cell];
  return found.cell_type === 'code' ? found.outputs : [];
}
const textOf = (file: string, cell: number) =>
  outputs(file, cell)
    .map((o) => (o.output_type === 'stream' ? o.text : ''))
    .join('');

describe('gibbs notebook run, with a real kernel', () => {
  it('runs cells that depend on each other and writes what they show', async () => {
    writeNotebook(path, [
      text('# Sums'),
      code('const n: number = 20;', { metadata: { tags: ['parameters'] } }),
      code("import { sep } from 'node:path';\nconst twice = await Promise.resolve(2 * n);"),
      code('console.log(sep, twice); display.html("<b>b</b>"); twice + 2'),
      code('const bar = display.progress(2); bar.step(); bar.step(); process.cwd()'),
    ]);
    const ran = await gibbs(['notebook', 'run', path]);
    expect(ran).toMatchObject({ status: 0, stdout: '' });
    expect(ran.stderr).toContain('[4/4]');
    expect(textOf(path, 3)).toBe('/ 40\n');
    expect(outputs(path, 3).map((o) => o.output_type)).toEqual([
      'stream',
      'display_data',
      'execute_result',
    ]);
    // The progress bar is gone, and the folder of this machine.
    expect(outputs(path, 4)).toHaveLength(1);
    expect(JSON.stringify(outputs(path, 4))).not.toContain(folder);
    expect(await gibbs(['notebook', 'check', path])).toMatchObject({ status: 0 });
  });

  it('gives the same file twice', async () => {
    const first = readFileSync(path, 'utf8');
    expect((await gibbs(['notebook', 'run', path])).status).toBe(0);
    expect(readFileSync(path, 'utf8')).toBe(first);
  });

  it('takes parameters', async () => {
    const out = join(folder, 'out.ipynb');
    const args = ['notebook', 'run', path, '--set', 'n=1', '--out', out];
    expect((await gibbs(args)).status).toBe(0);
    expect(textOf(out, 4)).toBe('/ 2\n');
    expect(textOf(path, 3)).toBe('/ 40\n');
    const wrong = await gibbs(['notebook', 'run', path, '--set', 'm=1', '--out', out]);
    expect(wrong).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('unknown parameter'),
    });
  });

  it('runs a notebook written for tslab as it is', async () => {
    const kernelspec = { name: 'tslab', display_name: 'TypeScript', language: 'typescript' };
    const old = join(folder, 'tslab.ipynb');
    writeNotebook(
      old,
      [
        code("import * as tslab from 'tslab';\nconst x: number = 3;"),
        code(
          "tslab.display.html('<b>' + x + '</b>'); tslab.display.png(new Uint8Array([1, 2, 3]));",
        ),
        code("const d = tslab.newDisplay(); d.text('first'); d.text('second');"),
        code('console.log(x);\n[1, 2].map((n) => n * x)'),
      ],
      { kernelspec },
    );
    expect(await gibbs(['notebook', 'run', old, '--quiet'])).toMatchObject({ status: 0 });
    const shown = [1, 2, 3].map((cell) =>
      outputs(old, cell).map((o) =>
        o.output_type === 'stream' ? o.text : 'data' in o ? o.data : o.output_type,
      ),
    );
    expect(shown).toEqual([
      [{ 'text/html': '<b>3</b>' }, { 'image/png': 'AQID' }],
      [{ 'text/plain': 'second' }],
      ['3\n', { 'text/plain': '[ 3, 6 ]' }],
    ]);
    expect(readNotebook(old).metadata['kernelspec']).toEqual(kernelspec);
  });

  it('shows the tables, tensors, charts and numbers that cells end with', async () => {
    const shows = join(folder, 'shows.ipynb');
    writeNotebook(shows, [
      code("import * as tf from '@tensorflow/tfjs';\nimport * as aq from 'arquero';"),
      code('tf.ones([200, 2])'),
      code('tf.zeros([4, 1, 8, 8])'),
      code("aq.table({ a: [1, 2], b: ['x', 'y'] })"),
      code("import { comparisonPanels, toyBatch } from 'gibbs';\ntypeof comparisonPanels"),
      code("({ $schema: 'https://vega.github.io/schema/vega-lite/v6.json', mark: 'point' })"),
    ]);
    expect(await gibbs(['notebook', 'run', shows, '--quiet'])).toMatchObject({ status: 0 });
    const bundle = (cell: number) => {
      // TensorFlow.js recommends another of its packages on stderr.
      const o = outputs(shows, cell).find(({ output_type: type }) => type !== 'stream');
      return o !== undefined && 'data' in o ? (o.data as Record<string, unknown>) : {};
    };
    expect(bundle(1)['text/plain']).toMatch(/^Tensor\[200,2\] float32\n {2}min 1 {2}max 1/);
    expect(Object.keys(bundle(2))).toEqual(['image/png', 'text/plain']);
    expect(bundle(3)['text/html']).toContain('<table>');
    expect(bundle(4)['text/plain']).toBe("'function'");
    expect(Object.keys(bundle(5))).toContain('application/vnd.vegalite.v5+json');
  });

  it('shows the cell that failed, and the place in it', async () => {
    writeNotebook(path, [
      code('const a = 1;'),
      code('const b = a;\nthrow new RangeError("far " + b);'),
    ]);
    const { status, stderr } = await gibbs(['notebook', 'run', path, '--quiet']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/cell 2 'x': RangeError: far 1/);
    expect(stderr).toContain('2 | throw new RangeError');
    expect(stderr).toContain('Cell [2]:2:');
  });

  it('stops a cell that takes too long, busy or waiting', async () => {
    for (const forever of ['for (;;) {}', 'await new Promise(() => {});']) {
      writeNotebook(path, [code(forever)]);
      const { status, stderr } = await gibbs(['notebook', 'run', path, '--timeout', '1']);
      expect(status).toBe(1);
      expect(stderr).toContain('took longer than 1 s');
    }
  });

  it('ends on Ctrl-C without leaving a kernel', async () => {
    writeNotebook(path, [
      code('console.log("pid", process.pid, "ready"); await new Promise(() => {});'),
    ]);
    const before = readFileSync(path, 'utf8');
    const { status, stderr } = await gibbs(['notebook', 'run', path], (child, said) => {
      const timer = setInterval(() => {
        if (!said().includes('ready')) return;
        clearInterval(timer);
        child.kill('SIGINT');
      }, 20);
    });
    expect(status).toBe(130);
    expect(readFileSync(path, 'utf8')).toBe(before);
    const pid = Number(/pid (\d+)/.exec(stderr)?.[1]);
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(/ESRCH/), 5000);
  });

  it('reports code that takes its process down', async () => {
    writeNotebook(path, [code('const kept = 1;'), code('process.kill(process.pid, "SIGKILL");')]);
    const { status, stderr } = await gibbs(['notebook', 'run', path, '--quiet']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/cell 2 .*(died|ended)/i);
  });

  it('leaves nothing in its folder', () => {
    const known = ['n.ipynb', 'out.ipynb', 'tslab.ipynb', 'shows.ipynb'];
    expect(readdirSync(folder).filter((name) => !known.includes(name))).toEqual([]);
  });
});
