import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildKernel } from '../../kernel/build.ts';
import { KernelClient } from '../../kernel/client.ts';

let kernel: KernelClient;
let dir: string;

function file(path: string, text: string): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), text);
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'gibbs-notebook-'));
  kernel = await KernelClient.start({ cwd: dir });
});
afterAll(async () => {
  await kernel.close();
  rmSync(dir, { recursive: true });
});

const value = async (code: string) => {
  const run = await kernel.execute(code);
  expect(run.error).toBeUndefined();
  return run.result;
};

describe('cells', () => {
  it('give results, declare again, await', async () => {
    expect(await value('const x: number = 20 + 1; x * 2')).toBe('42');
    expect(await value('const x = "again"; x')).toBe("'again'");
    expect(await value('await new Promise<number>((r) => setTimeout(() => r(5), 2))')).toBe('5');
    expect(await value('const nothing = 1;')).toBeUndefined();
    expect(await value('Promise.resolve(6)')).toBe('6');
  });

  it('keep bindings made before a throw', async () => {
    const run = await kernel.execute('const before = 7; throw new Error("stop");');
    expect(run.error?.evalue).toBe('stop');
    expect(await value('before')).toBe('7');
  });

  it('survive process.exit and say so', async () => {
    const run = await kernel.execute('const survivor = 8; process.exit(3);');
    expect(run.reply['status']).toBe('error');
    expect(run.error?.evalue).toContain('process.exit(3)');
    expect(await value('survivor')).toBe('8');
  });

  it('may change the working folder', async () => {
    file('sub/here.txt', 'x');
    expect(await value('process.chdir("sub"); (await import("node:fs")).readdirSync(".")')).toBe(
      "[ 'here.txt' ]",
    );
    await value(`process.chdir(${JSON.stringify(dir)})`);
    expect((await kernel.execute('process.chdir("absent")')).error?.evalue).toContain('ENOENT');
  });

  it('have `using` and both kinds of decorators', async () => {
    expect(
      await value(`const log: string[] = [];
        { using r = { [Symbol.dispose]() { log.push('disposed'); } }; log.push('used'); }
        log.join()`),
    ).toBe("'used,disposed'");
    expect(
      await value(`function twice(f: () => number, _: unknown) { return () => f() * 2; }
        class Standard { @twice m() { return 21; } }
        new Standard().m()`),
    ).toBe('42');
    file('old/tsconfig.json', '{ "compilerOptions": { "experimentalDecorators": true } } // old');
    expect(
      await value(`process.chdir('old');
        0`),
    ).toBe('0');
    expect(
      await value(`function mark(target: any, key: string) { target.marked = key; }
        class Old { @mark field = 1; }
        (Old.prototype as any).marked`),
    ).toBe("'field'");
    await value(`process.chdir(${JSON.stringify(dir)})`);
  });
});

describe('imports', () => {
  it('load ES modules with top-level await, CommonJS, JSON and native addons', async () => {
    file(
      'node_modules/esm/package.json',
      '{ "name": "esm", "type": "module", "exports": "./i.js" }',
    );
    file(
      'node_modules/esm/i.js',
      'export const v = await Promise.resolve("esm"); export default 1;',
    );
    file('node_modules/cjs/package.json', '{ "name": "cjs" }');
    file(
      'node_modules/cjs/index.js',
      'exports.v = "cjs"; exports.f = function () { return this };',
    );
    file('data.json', '{ "deep": [1, 2] }');
    const addon = createRequire(import.meta.url).resolve('@resvg/resvg-js');
    expect(
      await value(`import one, { v as a } from 'esm';
        import { v as b } from 'cjs';
        import cjs from 'cjs';
        import data from './data.json' with { type: 'json' };
        import { Resvg } from ${JSON.stringify(addon)};
        [one, a, b, cjs.v, data.deep, typeof Resvg, require('cjs').v]`),
    ).toBe("[ 1, 'esm', 'cjs', 'cjs', [ 1, 2 ], 'function', 'cjs' ]");
  });

  it('see a package that is added while the kernel runs', async () => {
    const missing = await kernel.execute("import { late } from 'added-later'");
    expect(missing.error?.evalue).toMatch(/Cannot find module 'added-later'.*npm install/);
    file('node_modules/added-later/package.json', '{ "type": "module", "main": "m.js" }');
    file('node_modules/added-later/m.js', 'export const late = 9;');
    expect(await value("import { late } from 'added-later'; late")).toBe('9');
  });

  it('load local TypeScript anew when it, or what it imports, was edited', async () => {
    file('lib/inner.ts', 'export const n: number = 1;');
    file(
      'lib/outer.ts',
      "import { n } from './inner.ts'; export type T = number; export const f = (): T => n * 10;",
    );
    file('lib/other.ts', 'export const token = Symbol();');
    const cell = "import { f, type T } from './lib/outer'; const r: T = f(); r";
    expect(await value(cell)).toBe('10');
    await value("import { token as first } from './lib/other.ts'");
    file('lib/inner.ts', 'export const n: number = 25;');
    expect(await value(cell)).toBe('250');
    // What did not change stays the same module.
    expect(await value("import { token as second } from './lib/other.ts'; first === second")).toBe(
      'true',
    );
  });

  it('survive a module that fails, and load it once it is mended', async () => {
    file('broken.ts', 'export const v = 1; throw new Error("at load");');
    expect((await kernel.execute("import { v } from './broken.ts'")).error?.evalue).toBe('at load');
    file('broken.ts', 'export const v = = 2;');
    const syntax = await kernel.execute("import { v } from './broken.ts'");
    expect(syntax.error?.traceback.join('\n')).toMatch(/broken\.ts:1:18/);
    file('broken.ts', 'export const v = 3;');
    expect(await value("import { v } from './broken.ts'; v")).toBe('3');
  });

  it('follow paths of tsconfig.json', async () => {
    file('tsconfig.json', '{ "compilerOptions": { "paths": { "@lib/*": ["./lib/*"] } } }');
    file('lib/mapped.ts', 'export const mapped = "by paths";');
    expect(await value("import { mapped } from '@lib/mapped'; mapped")).toBe("'by paths'");
  });

  it('know modules that import each other', async () => {
    file(
      'ring/a.ts',
      "import { b } from './b.ts'; export const a = 1; export const sum = () => a + b();",
    );
    file('ring/b.ts', "import { a } from './a.ts'; export const b = () => a + 1;");
    expect(await value("import { sum } from './ring/a.ts'; sum()")).toBe('3');
  });

  it('give tslab its display', async () => {
    const run = await kernel.execute(`import * as tslab from 'tslab';
      tslab.display.html('<b>bold</b>');
      const d = tslab.newDisplay();
      d.text('first');
      d.text('second');`);
    expect(run.error).toBeUndefined();
    const kinds = run.outputs.map((m) => m.header.msg_type).filter((t) => t.includes('display'));
    expect(kinds).toEqual(['display_data', 'display_data', 'update_display_data']);
  });
});

describe('errors', () => {
  it('point to the line of the cell, without frames of the kernel', async () => {
    const run = await kernel.execute(`interface Shape { a: number }

function area(s: Shape | undefined) {
  return s!.a;
}
area(undefined);`);
    const trace = run.error?.traceback.join('\n') ?? '';
    const n = run.reply['execution_count'];
    expect(run.error?.ename).toBe('TypeError');
    expect(trace).toContain(`at area (Cell [${n}]:4:13)`);
    expect(trace).toContain(`Cell [${n}]:6:1`);
    expect(trace).toContain('4 |   return s!.a;');
    expect(trace).not.toMatch(/kernel-build|node:internal/);
  });

  it('show causes and aggregated errors', async () => {
    const run = await kernel.execute(
      'throw new Error("outer", { cause: new RangeError("inner", { cause: "root" }) })',
    );
    expect(run.error?.traceback.join('\n')).toMatch(/outer[\s\S]*\[cause\].*inner[\s\S]*'root'/);
    const many = await kernel.execute('await Promise.any([Promise.reject(new Error("one"))])');
    expect(many.error?.traceback.join('\n')).toContain('one');
  });

  it('are made of whatever is thrown', async () => {
    for (const [code, evalue] of [
      ['throw 42', '42'],
      ['throw "text"', "'text'"],
      ['throw null', 'null'],
      ['throw undefined', 'undefined'],
      ['throw { a: 1 }', '{ a: 1 }'],
      ['throw Symbol("s")', 'Symbol(s)'],
    ]) {
      const run = await kernel.execute(code);
      expect(run.reply['status']).toBe('error');
      expect(run.error?.evalue).toBe(evalue);
    }
  });

  it('name what is not a function as it was typed', async () => {
    const run = await kernel.execute('const count = 3; (count as any)();');
    expect(run.error?.evalue).toBe('count is not a function');
  });

  it('of files are mapped to their source', async () => {
    file(
      'fails.ts',
      'interface A {\n  x: 1;\n}\nexport function fail(): never {\n  throw new Error("deep");\n}',
    );
    const run = await kernel.execute("import { fail } from './fails.ts';\nfail();");
    expect(run.error?.traceback.join('\n')).toMatch(/fails\.ts:5:9/);
  });

  it('in the background are reported on stderr', async () => {
    const run = await kernel.execute(
      'setTimeout(() => { throw new Error("late") }, 5); await new Promise((r) => setTimeout(r, 60)); 1',
    );
    expect(run.result).toBe('1');
    expect(run.stderr).toMatch(/Uncaught error in the background of Cell \[\d+\][\s\S]*late/);
  });
});

describe('the process of the cells', () => {
  it('may die: the cell says what was lost, and a fresh one is ready', async () => {
    await value('const precious = 1; let other = 2;');
    const run = await kernel.execute(
      'process.kill(process.pid, "SIGSEGV"); await new Promise(() => {})',
    );
    expect(run.reply['status']).toBe('error');
    expect(run.error?.evalue).toMatch(/SIGSEGV.*Lost: .*precious.*fresh process is ready/);
    expect(await value('1 + 1')).toBe('2');
    expect((await kernel.execute('precious')).error?.ename).toBe('ReferenceError');
  });
});

describe('gibbs in a notebook elsewhere', { timeout: 600_000 }, () => {
  /** Reading all sources takes seconds, and on a busy machine minutes. */
  const PATIENCE = 300_000;
  const shape = "import { runToy } from 'gibbs'; [typeof runToy, import.meta.resolve('gibbs')]";

  it('is the package that the kernel belongs to', async () => {
    const { result } = await kernel.execute(shape, {}, PATIENCE);
    expect(result).toMatch(/'function',[\s\S]*\/(dist\/index\.js|src\/index\.ts)'/);
  });

  it('is made of the sources as long as there is no build', async () => {
    const repository = resolve(import.meta.dirname, '../../..');
    const root = mkdtempSync(join(tmpdir(), 'gibbs-package-'));
    cpSync(join(repository, 'package.json'), join(root, 'package.json'));
    cpSync(dirname(dirname(buildKernel())), join(root, 'built'), { recursive: true });
    for (const name of ['src', 'node_modules']) {
      symlinkSync(join(repository, name), join(root, name));
    }
    const other = await KernelClient.start({ entry: join(root, 'built', 'kernel', 'main.js') });
    try {
      expect((await other.execute(shape, {}, PATIENCE)).result).toMatch(
        /'function',[\s\S]*\/src\/index\.ts'/,
      );
      mkdirSync(join(root, 'dist'));
      writeFileSync(join(root, 'dist', 'index.js'), "export const built = 'yes';");
      const found = await other.execute("import { built } from 'gibbs'; built");
      expect(found.result).toBe("'yes'");
    } finally {
      await other.close();
      rmSync(root, { recursive: true });
    }
  });
});
