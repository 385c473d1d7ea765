import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseCommandLine } from '../../src/cli/command.ts';
import { notebookCommand, runNotebookCommand } from '../../src/cli/commands/notebook.ts';
import { ConfigError, InterruptedError, StoreError } from '../../src/core/errors.ts';
import { readNotebook } from '../../src/notebook/read.ts';
import { code, FakeKernel, stdout, temporaryFolder, text, writeNotebook } from './fixtures.ts';

const folder = temporaryFolder();
const path = join(folder, 'n.ipynb');

async function gibbs(kernel: FakeKernel, argv: string[], signal?: AbortSignal, isTTY = false) {
  let out = '';
  let err = '';
  const context = {
    stdout: { write: (t: string) => (out += t) },
    stderr: { write: (t: string) => (err += t), isTTY },
    startKernel: kernel.start,
  };
  const status = await runNotebookCommand(parseCommandLine(notebookCommand, argv), context, signal);
  return { status, out, err };
}
const rejects = (...argv: string[]) => gibbs(new FakeKernel(), argv).catch((error) => error);

const talking = () =>
  new FakeKernel((source, emit) => {
    emit('stream', { name: 'stdout', text: 'hello' });
    if (!source.includes('fail')) return { status: 'ok', executionCount: 1 };
    const error = {
      ename: 'TypeError',
      evalue: 'no',
      traceback: ['TypeError: no', '    at Cell [1]:2:3'],
    };
    emit('error', error);
    return { status: 'error', ...error };
  });

describe('gibbs notebook', () => {
  it('runs, then finds fresh and clean what it has written', async () => {
    writeNotebook(path, [text('# A'), code('f()')]);
    const ran = await gibbs(talking(), ['run', path]);
    expect(ran.status).toBe(0);
    expect(ran.err).toMatch(/n\.ipynb\n\[1\/1\] x\nhello\n\[1\] done in \d+\.\d s\n$/);
    expect(await gibbs(talking(), ['check', path])).toMatchObject({
      status: 0,
      out: expect.stringContaining('fresh'),
    });
    expect((await gibbs(talking(), ['clean', path])).out).toContain('already clean');
  });

  it('shows the cell that failed, numbered, and its error', async () => {
    writeNotebook(path, [code('const a = 1;\n  fail(a);')]);
    const { status, err } = await gibbs(talking(), ['run', path, '--quiet']);
    expect(status).toBe(1);
    expect(err).toBe(
      `notebook ${path}: cell 1 'x': TypeError: no\n\n` +
        '  1 | const a = 1;\n  2 |   fail(a);\n\nTypeError: no\n    at Cell [1]:2:3\n',
    );
  });

  it('fails a check with a line for each problem', async () => {
    writeNotebook(path, [code('f()', { execution_count: 1 })]);
    const { status, out } = await gibbs(talking(), ['check', path]);
    expect(status).toBe(1);
    expect(out).toMatch(/n\.ipynb: unnormalised: .*\n.*n\.ipynb: stale: .*\n$/);
    expect((await gibbs(talking(), ['clean', path])).out).toContain('cleaned');
    expect(readFileSync(path, 'utf8')).toContain('"execution_count": null');
  });

  it('takes folders, and writes several results into one', async () => {
    const many = join(folder, 'many');
    mkdirSync(many);
    const parameters = code('let n = 1;', { metadata: { tags: ['parameters'] } });
    for (const name of ['b', 'a']) writeNotebook(join(many, `${name}.ipynb`), [parameters]);
    const out = join(folder, 'results');
    const kernel = new FakeKernel();
    const { status } = await gibbs(kernel, ['run', many, '--set', 'n=2', '--out', out, '--quiet']);
    expect(status).toBe(0);
    expect(kernel.executed.filter((c) => c.includes('n = 2;'))).toHaveLength(2);
    expect(readNotebook(join(out, 'a.ipynb')).cells).toHaveLength(2);
    expect(existsSync(join(out, 'b.ipynb'))).toBe(true);
  });

  it('draws progress in place on a terminal, and now and then elsewhere', async () => {
    writeNotebook(path, [code('f()')]);
    const kernel = () =>
      new FakeKernel((_source, emit) => {
        const bar = (text: string) => ({
          data: { 'text/plain': text },
          metadata: { gibbs: { progress: true } },
          transient: { display_id: 'b' },
        });
        emit('display_data', bar('1 of 2'));
        emit('update_display_data', bar('2 of 2'));
        return { status: 'ok', executionCount: 1 };
      });
    const terminal = await gibbs(kernel(), ['run', path], undefined, true);
    expect(terminal.err).toContain('x\n1 of 2\r\x1b[K2 of 2\r\x1b[K[1] done');
    const file = await gibbs(kernel(), ['run', path]);
    expect(file.err).toMatch(/\n1 of 2\n\[1\] done/);
    expect(readNotebook(path).cells[0]).toMatchObject({ outputs: [] });
  });

  it('passes on a stop', async () => {
    writeNotebook(path, [code('f()')]);
    const stopped = gibbs(new FakeKernel(), ['run', path], AbortSignal.abort());
    await expect(stopped).rejects.toThrow(InterruptedError);
    writeNotebook(path, [code('f()', { outputs: [stdout('kept\n')] })]);
  });

  it('refuses arguments that mean nothing', async () => {
    writeNotebook(path, [code('f()')]);
    expect(await rejects('rnu', path)).toMatchObject({
      message: expect.stringContaining("did you mean 'run'"),
    });
    expect(await rejects('run')).toBeInstanceOf(ConfigError);
    expect(await rejects('check', path, '--quiet')).toBeInstanceOf(ConfigError);
    expect(await rejects('run', path, '--timeout', 'soon')).toBeInstanceOf(ConfigError);
    expect(await rejects('run', path, '--timeout', '0')).toBeInstanceOf(ConfigError);
    expect(await rejects('run', path, '--set', 'seed')).toBeInstanceOf(ConfigError);
    expect(await rejects('run', join(folder, 'none.ipynb'))).toBeInstanceOf(StoreError);
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    expect(await rejects('clean', empty)).toBeInstanceOf(ConfigError);
  });
});
