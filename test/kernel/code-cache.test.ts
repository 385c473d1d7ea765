import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import vm from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CodeCache } from '../../src/kernel/modules/code-cache.ts';

/** Long enough to be worth keeping. */
const PADDING = `// ${'padding '.repeat(2000)}\n`;
const NODE_HAS_ONE = 'enableCompileCache' in Module;

const { prototype } = Module as unknown as { prototype: { _compile: unknown } };
const original = prototype._compile;
const setting = process.env['GIBBS_CACHE'];
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gibbs-code-'));
  process.env['GIBBS_CACHE'] = join(root, 'cache');
  mkdirSync(join(root, 'node_modules', 'pack'), { recursive: true });
});
afterEach(() => {
  prototype._compile = original;
  if (setting === undefined) delete process.env['GIBBS_CACHE'];
  else process.env['GIBBS_CACHE'] = setting;
  rmSync(root, { recursive: true, force: true });
});

const file = (name: string) => join(root, 'node_modules', 'pack', name);
const write = (name: string, code: string) => writeFileSync(file(name), PADDING + code);

/** Requires the package as a new kernel does, and says which files were compiled from the cache. */
function load(isBusy = () => false): {
  value: Record<string, unknown>;
  cache: CodeCache;
  hits: string[];
} {
  prototype._compile = original;
  const cache = new CodeCache(isBusy);
  cache.install();
  const { Script } = vm;
  const made: { script: vm.Script; filename: string }[] = [];
  class NotedScript extends Script {
    constructor(code: string, options: vm.ScriptOptions) {
      super(code, options);
      made.push({ script: this, filename: options.filename ?? '' });
    }
  }
  const require = createRequire(join(root, 'notebook.js'));
  for (const path of Object.keys(require.cache)) {
    if (path.startsWith(root)) delete require.cache[path];
  }
  Object.assign(vm, { Script: NotedScript });
  let value: Record<string, unknown>;
  try {
    value = require('pack') as Record<string, unknown>;
  } finally {
    Object.assign(vm, { Script });
  }
  const hits = made.filter(({ script }) => script.cachedDataRejected === false);
  return { value, cache, hits: hits.map(({ filename }) => filename) };
}

const entries = () => {
  try {
    return readdirSync(join(root, 'cache', 'code')).map((name) =>
      join(root, 'cache', 'code', name),
    );
  } catch {
    return [];
  }
};

describe.skipIf(NODE_HAS_ONE)('compiled code of packages', () => {
  it('is kept, used by the next kernel, and means the same', async () => {
    write('other.js', 'exports.two = 2;');
    write('late.mjs', 'export const three = 3;');
    write(
      'index.js',
      `const { two } = require('./other.js');
       exports.sum = (x) => x + two;
       exports.self = [module.id, __filename, __dirname, this === exports, module.exports === exports];
       exports.found = require.resolve('./other.js');
       exports.paths = Array.isArray(require.resolve.paths('x'));
       exports.cached = require.cache[require.resolve('./other.js')].exports.two;
       exports.late = () => import('./late.mjs');
       exports.where = () => new Error().stack;`,
    );
    const first = load();
    expect(first.hits).toEqual([]);
    await first.cache.save();
    expect(entries()).toHaveLength(2);
    const second = load();
    expect(second.hits).toEqual([file('index.js'), file('other.js')]);
    for (const { value } of [first, second]) {
      expect(value).toMatchObject({
        self: [file('index.js'), file('index.js'), join(root, 'node_modules', 'pack'), true, true],
        found: file('other.js'),
        paths: true,
        cached: 2,
      });
      expect((value['sum'] as (x: number) => number)(1)).toBe(3);
      const late = await (value['late'] as () => Promise<unknown>)();
      expect(late).toMatchObject({ three: 3 });
      expect((value['where'] as () => string)()).toContain(`${file('index.js')}:9:30`);
    }
  });

  it('is not used for a file that has changed but in its content', async () => {
    write('index.js', 'exports.value = 111;');
    const first = load();
    expect(first.value).toEqual({ value: 111 });
    await first.cache.save();
    rmSync(file('index.js'));
    write('index.js', 'exports.value = 222;');
    const { value, hits } = load();
    expect(value).toEqual({ value: 222 });
    expect(hits).toEqual([]);
  });

  it('is not used when it is damaged, but made again', async () => {
    write('index.js', 'exports.value = [1, 2].map((x) => x * 2);');
    await load().cache.save();
    const [path] = entries();
    writeFileSync(
      path,
      readFileSync(path).map((v, i) => (i % 7 === 0 ? v ^ 255 : v)),
    );
    const { value, hits } = load();
    expect(value).toEqual({ value: [2, 4] });
    expect(hits).toEqual([]);
  });

  it('is not written while a cell runs', async () => {
    write('index.js', 'exports.value = 1;');
    let isBusy = true;
    const { cache } = load(() => isBusy);
    await cache.save();
    expect(entries()).toEqual([]);
    isBusy = false;
    await cache.save();
    expect(entries()).toHaveLength(1);
  });

  it('leaves errors to Node', () => {
    write('index.js', 'exports.value = ;');
    expect(load).toThrow(SyntaxError);
    write('index.js', "throw new TypeError('of the package');");
    expect(load).toThrow('of the package');
  });
});
