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
    const known = ['n.ipynb', 'out.ipynb'];
    expect(readdirSync(folder).filter((name) => !known.includes(name))).toEqual([]);
  });
});
