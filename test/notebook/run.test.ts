import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, InterruptedError } from '../../src/core/errors.ts';
import { OutputCollector } from '../../src/notebook/collector.ts';
import type { Notebook } from '../../src/notebook/document.ts';
import { CellError } from '../../src/notebook/errors.ts';
import { injectParameters, parseSettings } from '../../src/notebook/parameters.ts';
import { readNotebook } from '../../src/notebook/read.ts';
import { type RunEvent, runNotebook } from '../../src/notebook/run.ts';
import { code, FakeKernel, stdout, temporaryFolder, text, writeNotebook } from './fixtures.ts';

const folder = temporaryFolder();
const path = join(folder, 'n.ipynb');
const OK = { status: 'ok', executionCount: 1 } as const;
const outputsOf = (notebook: Notebook, cell: number) => {
  const found = notebook.cells[cell];
  return found.cell_type === 'code' ? found.outputs : undefined;
};

describe('runNotebook', () => {
  it('runs the code cells in order in the folder of the notebook and writes the outputs', async () => {
    writeNotebook(path, [text('# T'), code('one'), code(''), code('two')]);
    const kernel = new FakeKernel((source, emit) => {
      emit('stream', { name: 'stdout', text: `${source} ` });
      emit('stream', { name: 'stdout', text: 'ran\n' });
      return OK;
    });
    const events: RunEvent[] = [];
    await runNotebook(path, { startKernel: kernel.start, onEvent: (e) => events.push(e) });
    expect(kernel.executed).toEqual(['one', 'two']);
    expect(kernel.cwd).toBe(folder);
    expect(kernel.shutdowns).toBe(1);
    const written = readNotebook(path);
    expect(outputsOf(written, 1)).toEqual([stdout('one ran\n')]);
    expect(written.metadata['language_info']).toEqual({
      name: 'typescript',
      file_extension: '.ts',
    });
    expect(written.metadata['kernelspec']).toMatchObject({ name: 'gibbs' });
    expect(events.map((e) => e.kind)).toEqual([
      'cell',
      'text',
      'text',
      'done',
      'cell',
      'text',
      'text',
      'done',
    ]);
    expect(events[4]).toMatchObject({ cell: 2, cells: 2 });
  });

  const failing = () =>
    new FakeKernel((source, emit) => {
      emit('stream', { name: 'stdout', text: source });
      if (!source.startsWith('bad')) return OK;
      const error = {
        ename: 'RangeError',
        evalue: 'too far',
        traceback: ['RangeError: too far', '  Cell [2]:1:1'],
      };
      emit('error', error);
      return { status: 'error', ...error };
    });

  it('stops at the first error, shows the cell, and leaves the notebook as it was', async () => {
    writeNotebook(path, [code('good'), code('bad()'), code('never')]);
    const before = readFileSync(path, 'utf8');
    const kernel = failing();
    const error = await runNotebook(path, { startKernel: kernel.start }).catch((e) => e);
    expect(error).toBeInstanceOf(CellError);
    expect(error).toMatchObject({
      cell: 2,
      source: 'bad()',
      message: `notebook ${path}: cell 2 'x': RangeError: too far`,
      traceback: ['RangeError: too far', '  Cell [2]:1:1'],
    });
    expect(kernel.executed).toEqual(['good', 'bad()']);
    expect(kernel.shutdowns).toBe(1);
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  it('leaves in --out what ran before the error', async () => {
    writeNotebook(path, [code('good'), code('bad()')]);
    const out = join(folder, 'partial.ipynb');
    await expect(runNotebook(path, { startKernel: failing().start, out })).rejects.toThrow(
      CellError,
    );
    const partial = readNotebook(out);
    expect(outputsOf(partial, 0)).toEqual([stdout('good')]);
    expect(outputsOf(partial, 1)?.at(-1)).toMatchObject({
      output_type: 'error',
      ename: 'RangeError',
    });
  });

  it('interrupts a cell whose time is up', async () => {
    writeNotebook(path, [code('forever')]);
    const kernel = new FakeKernel(() => new Promise(() => {}));
    const run = runNotebook(path, { startKernel: kernel.start, timeoutMs: 20 });
    await expect(run).rejects.toThrow(/cell 1 'x': took longer than 0\.02 s/);
    expect([kernel.interrupts, kernel.shutdowns]).toEqual([1, 1]);
  });

  it('ends when it is stopped from outside', async () => {
    writeNotebook(path, [code('forever'), code('never')]);
    const controller = new AbortController();
    const kernel = new FakeKernel(() => {
      queueMicrotask(() => controller.abort());
      return new Promise(() => {});
    });
    const run = runNotebook(path, { startKernel: kernel.start, signal: controller.signal });
    await expect(run).rejects.toThrow(InterruptedError);
    expect(kernel.executed).toEqual(['forever']);
    expect([kernel.interrupts, kernel.shutdowns]).toEqual([1, 1]);
  });

  it('shuts the kernel down when it dies under a cell', async () => {
    writeNotebook(path, [code('crash')]);
    const kernel = new FakeKernel(() => Promise.reject(new Error('gone')));
    await expect(runNotebook(path, { startKernel: kernel.start })).rejects.toThrow('gone');
    expect(kernel.shutdowns).toBe(1);
  });

  it('takes parameters, into another file only', async () => {
    writeNotebook(path, [
      code("const preset = 'quick';\nlet seed = 0;", { metadata: { tags: ['parameters'] } }),
      code('preset'),
    ]);
    const out = join(folder, 'out.ipynb');
    const kernel = new FakeKernel();
    await runNotebook(path, { startKernel: kernel.start, set: { preset: 'smoke', seed: 3 }, out });
    expect(kernel.executed[1]).toBe(
      '// Parameters of this run\nconst preset: string = "smoke";\nseed = 3;',
    );
    expect(readNotebook(out).cells.map((c) => c.id)).toContain('injected-parameters');
    const again = new FakeKernel();
    await runNotebook(out, { startKernel: again.start, set: { seed: 4 }, out: `${out}.2` });
    expect(again.executed).toHaveLength(3);
    const inPlace = runNotebook(path, { startKernel: kernel.start, set: { seed: 1 } });
    await expect(inPlace).rejects.toThrow(/--out FILE/);
  });
});

describe('parameters', () => {
  const notebook: Notebook = {
    metadata: {},
    cells: [
      code(
        "let preset: Preset = 'quick' as const; let seed = 0, deep = -1; const on = true; const mode: Mode = 'a'; let list = [1];",
        {
          metadata: { tags: ['parameters'] },
        },
      ),
    ],
  };
  const inject = (values: Record<string, never | string | number | boolean>) =>
    injectParameters(notebook, values, 'n.ipynb').cells[1].source;

  it('are read as JSON, or else as text', () => {
    expect(parseSettings(['a=1', 'b=smoke', 'c="1"', 'd=[1, 2]', 'e=', 'ü=null', 'f=a=b'])).toEqual(
      {
        a: 1,
        b: 'smoke',
        c: '1',
        d: [1, 2],
        e: '',
        ü: null,
        f: 'a=b',
      },
    );
    expect(() => parseSettings(['seed'])).toThrow(/expected name=value, got 'seed'/);
    expect(() => parseSettings(['1a=2'])).toThrow(ConfigError);
  });

  it('must be declared, with a value of the type of the default', () => {
    expect(inject({ preset: 'smoke', deep: 2, on: false, mode: 'b' })).toContain(
      'preset = "smoke";\ndeep = 2;\nconst on: boolean = false;\nconst mode: Mode = "b";',
    );
    expect(() => inject({ sed: 1 })).toThrow(/unknown parameter 'sed'; did you mean 'seed'\?/);
    expect(() => inject({ seed: 'one' })).toThrow(/seed is a number \(0 by default\), got "one"/);
    expect(() => inject({ preset: 1 })).toThrow(ConfigError);
    expect(() => inject({ on: 'yes' })).toThrow(ConfigError);
  });

  it('need a cell with the tag', () => {
    const bare: Notebook = { metadata: {}, cells: [code('let seed = 0;')] };
    expect(() => injectParameters(bare, { seed: 1 }, 'n.ipynb')).toThrow(
      /n\.ipynb has no code cell tagged/,
    );
  });
});

describe('the outputs of a run', () => {
  const data = (value: string) => ({ 'text/plain': value });
  const shown = (value: string) => ({
    output_type: 'display_data',
    data: data(value),
    metadata: {},
  });
  const display = (value: string, id?: string, type = 'display_data') => ({
    type,
    content: { data: data(value), metadata: {}, ...(id && { transient: { display_id: id } }) },
  });

  it('join streams of the same name only', () => {
    const c = new OutputCollector(1);
    for (const [name, value] of [
      ['stdout', 'a'],
      ['stdout', 'b'],
      ['stderr', 'c'],
      ['stdout', 'd'],
    ]) {
      c.accept(0, { type: 'stream', content: { name, text: value } });
    }
    expect(c.outputs(0).map((o) => (o.output_type === 'stream' ? o.text : ''))).toEqual([
      'ab',
      'c',
      'd',
    ]);
  });

  it('update displays wherever they stand', () => {
    const c = new OutputCollector(2);
    c.accept(0, display('0 %', 'bar'));
    c.accept(1, display('0 %', 'bar'));
    c.accept(1, display('other'));
    expect(c.accept(1, display('100 %', 'bar', 'update_display_data'))).toBe(true);
    expect(c.accept(1, display('lost', 'none', 'update_display_data'))).toBe(false);
    expect(c.outputs(0)).toEqual([shown('100 %')]);
    expect(c.outputs(1)).toEqual([shown('100 %'), shown('other')]);
  });

  it('are cleared at once, or when the next one comes', () => {
    const c = new OutputCollector(1);
    c.accept(0, display('a', 'id'));
    c.accept(0, { type: 'clear_output', content: { wait: true } });
    expect(c.outputs(0)).toEqual([shown('a')]);
    c.accept(0, display('b'));
    expect(c.outputs(0)).toEqual([shown('b')]);
    expect(c.accept(0, display('late', 'id', 'update_display_data'))).toBe(false);
    c.accept(0, { type: 'clear_output', content: { wait: false } });
    expect(c.outputs(0)).toEqual([]);
    expect(c.accept(0, { type: 'execute_input', content: {} })).toBe(false);
  });
});
