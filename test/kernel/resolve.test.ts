import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Resolver } from '../../src/kernel/modules/resolve.ts';
import { parseJsonc, TsConfigs } from '../../src/kernel/modules/tsconfig.ts';

let dir: string;
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'gibbs-resolve-')));
});
afterEach(() => rmSync(dir, { recursive: true }));

function file(path: string, content: unknown = ''): string {
  const full = join(dir, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, typeof content === 'string' ? content : JSON.stringify(content));
  return full;
}

function resolve(specifier: string, from = ''): string {
  const found = new Resolver(new TsConfigs()).resolve(specifier, join(dir, from), 'Cell [1]');
  return found.kind === 'file'
    ? found.path
    : `${found.kind}:${'name' in found ? found.name : found.specifier}`;
}

describe('imports', () => {
  it('of files find TypeScript under its own name, its output name, or none', () => {
    const a = file('a.ts');
    const index = file('folder/index.ts');
    expect(resolve('./a.ts')).toBe(a);
    expect(resolve('./a.js')).toBe(a);
    expect(resolve('./a')).toBe(a);
    expect(resolve('./folder')).toBe(index);
    expect(resolve('..', 'folder/sub')).toBe(index);
    expect(resolve(`file://${a}`)).toBe(a);
  });

  it('of packages follow exports, conditions and patterns', () => {
    file('node_modules/p/package.json', {
      exports: {
        '.': { types: './t.d.ts', require: './c.cjs', import: './m.js' },
        './sub/*': './lib/*.js',
        './sub/special': './s.js',
        './hidden/*': null,
        './both': [{ worker: './no.js' }, './yes.js'],
      },
    });
    const [m, x, s, yes] = ['m.js', 'lib/x.js', 's.js', 'yes.js'].map((f) =>
      file(`node_modules/p/${f}`),
    );
    expect(resolve('p')).toBe(m);
    expect(resolve('p/sub/x')).toBe(x);
    expect(resolve('p/sub/special')).toBe(s);
    expect(resolve('p/both', 'deep/er')).toBe(yes);
    expect(() => resolve('p/hidden/x')).toThrow(/Cannot find module/);
    expect(() => resolve('p/m.js')).toThrow(/Cannot find module/);
  });

  it('of packages without exports follow main, or index', () => {
    file('node_modules/@s/q/package.json', { main: './lib/main' });
    const main = file('node_modules/@s/q/lib/main.js');
    const deep = file('node_modules/@s/q/deep.js');
    file('node_modules/r/package.json', {});
    const index = file('node_modules/r/index.js');
    expect([resolve('@s/q'), resolve('@s/q/deep'), resolve('r')]).toEqual([main, deep, index]);
  });

  it('of own names: self, #imports, built-ins and what the kernel gives', () => {
    file('package.json', {
      name: 'self',
      exports: { './x': './x.ts' },
      imports: { '#y': './y.ts' },
    });
    const [x, y] = [file('x.ts'), file('y.ts')];
    expect(resolve('self/x')).toBe(x);
    expect(resolve('#y', 'src')).toBe(y);
    expect(resolve('node:fs')).toBe('builtin:node:fs');
    expect(resolve('path')).toBe('builtin:path');
    expect(resolve('tslab')).toBe('virtual:tslab');
  });

  it('follow paths of a tsconfig.json, also of one it extends', () => {
    file(
      'base/tsconfig.json',
      '{ // base\n "compilerOptions": { "paths": { "@/*": ["../src/*"], }, } }',
    );
    file('tsconfig.json', { extends: './base/tsconfig.json' });
    const a = file('src/a.ts');
    expect(resolve('@/a')).toBe(a);
  });

  it('that lead nowhere say what to do', () => {
    expect(() => resolve('not-there/x')).toThrow(/npm install not-there.*no restart/);
    expect(() => resolve('./nowhere.ts')).toThrow("Cannot find module './nowhere.ts'");
  });
});

describe('JSON with comments', () => {
  it('keeps what stands in strings', () => {
    expect(parseJsonc('{ "a": "// no, }", /* x */ "b": [1, 2,], // end\n }')).toEqual({
      a: '// no, }',
      b: [1, 2],
    });
  });
});
