import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { kernelDirs, userDataDir } from '../../src/kernel/install/jupyter-paths.ts';
import {
  installKernel,
  listKernels,
  uninstallKernel,
} from '../../src/kernel/install/kernelspec.ts';
import { buildKernel } from './build.ts';

let data: string;
const before = process.env['JUPYTER_DATA_DIR'];

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'gibbs-jupyter-'));
  process.env['JUPYTER_DATA_DIR'] = data;
});
afterEach(() => {
  if (before === undefined) delete process.env['JUPYTER_DATA_DIR'];
  else process.env['JUPYTER_DATA_DIR'] = before;
  rmSync(data, { recursive: true });
});

/** `installKernel` of the transpiled kernel, whose entry exists. */
async function built(): Promise<typeof import('../../src/kernel/install/kernelspec.ts')> {
  return import(join(buildKernel(), '../install/kernelspec.js'));
}

describe('gibbs kernel', () => {
  it('installs a spec that starts this kernel, for the user or below a prefix', async () => {
    const { installKernel } = await built();
    const folder = installKernel();
    expect(folder).toBe(join(data, 'kernels', 'gibbs'));
    const spec = JSON.parse(readFileSync(join(folder, 'kernel.json'), 'utf8'));
    expect(spec.argv.slice(0, 2).every((part: string) => existsSync(part))).toBe(true);
    expect(spec.argv[1]).toMatch(/kernel.main\.cjs$/);
    expect(spec.argv.at(-1)).toBe('{connection_file}');
    expect(spec.language).toBe('typescript');
    expect(spec.interrupt_mode).toBe('message');
    for (const size of [32, 64]) {
      const png = readFileSync(join(folder, `logo-${size}x${size}.png`));
      expect(png.readUInt32BE(16)).toBe(size);
    }
    const other = installKernel({ prefix: join(data, 'env'), name: 'tslab' });
    expect(other).toBe(join(data, 'env', 'share', 'jupyter', 'kernels', 'tslab'));
  });

  it('lists what it installed, and removes it', async () => {
    const { installKernel } = await built();
    installKernel({ name: 'one' });
    installKernel({ name: 'two' });
    const names = () => listKernels().map(({ name }) => name);
    expect(names()).toEqual(expect.arrayContaining(['one', 'two']));
    uninstallKernel({ name: 'one' });
    expect(names()).not.toContain('one');
    expect(() => uninstallKernel({ name: 'one' })).toThrow(ConfigError);
  });

  it('leaves kernels of other programs alone', () => {
    const folder = join(data, 'kernels', 'tslab');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'kernel.json'), '{"argv": ["tslab"]}');
    expect(() => installKernel({ name: 'tslab' })).toThrow(/another program/);
    expect(() => uninstallKernel({ name: 'tslab' })).toThrow(/another program/);
    expect(readFileSync(join(folder, 'kernel.json'), 'utf8')).toBe('{"argv": ["tslab"]}');
  });

  it('refuses names that would leave the folder', () => {
    for (const name of ['../x', 'a/b', '', '..']) {
      expect(() => uninstallKernel({ name })).toThrow(ConfigError);
    }
  });

  it('knows where Jupyter looks on each system', () => {
    const env = { HOME: '/home/a', JUPYTER_PATH: '/x', VIRTUAL_ENV: '/venv' };
    expect(userDataDir({ HOME: '/home/a' }, 'darwin')).toBe('/home/a/Library/Jupyter');
    expect(userDataDir({ HOME: '/home/a' }, 'linux')).toBe('/home/a/.local/share/jupyter');
    expect(userDataDir({ HOME: '/home/a', XDG_DATA_HOME: '/d' }, 'linux')).toBe('/d/jupyter');
    expect(kernelDirs(env, 'linux').slice(0, 3)).toEqual([
      '/x/kernels',
      '/home/a/.local/share/jupyter/kernels',
      '/venv/share/jupyter/kernels',
    ]);
  });
});
