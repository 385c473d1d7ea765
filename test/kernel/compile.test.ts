import { beforeEach, describe, expect, it } from 'vitest';
import { Scope } from '../../src/kernel/cell/box.ts';
import { cellFunction } from '../../src/kernel/cell/cell-function.ts';
import { compileCell } from '../../src/kernel/cell/compile.ts';
import { babelHelpers } from '../../src/kernel/cell/helpers.ts';
import { plainProgram } from '../../src/kernel/cell/plain.ts';
import { originalPosition } from '../../src/kernel/cell/source-position.ts';

/** Runs cells of one notebook as the kernel does, with `modules` for its imports. */
class Notebook {
  readonly scope = new Scope();
  readonly modules: Record<string, Record<string, unknown>> = {};

  async run(code: string, options: { experimentalDecorators?: boolean } = {}): Promise<unknown> {
    const cell = compileCell(code, this.scope, { fileName: 'Cell [1]', lowering: () => options });
    for (const { name, constant } of cell.declared) this.scope.box(name).constant = constant;
    const value = { v: undefined as unknown };
    const load = async (
      specifier: string,
      _options?: unknown,
      links: [{ v: unknown; setMissing(s: string): void }, string][] = [],
    ) => {
      const namespace = this.modules[specifier];
      for (const [box, name] of links) {
        if (name === '*') box.v = namespace;
        else if (name in namespace) box.v = namespace[name];
        else box.setMissing(specifier);
      }
      return namespace;
    };
    const boxes = cell.boxes.map((name) => this.scope.box(name));
    const run = cellFunction(cell, 'Cell [1]');
    await run(value, load, { url: 'file:///n' }, babelHelpers, ...boxes);
    return value.v;
  }
}

let nb: Notebook;
beforeEach(() => {
  nb = new Notebook();
});

describe('a cell', () => {
  it('has the value of its last expression', async () => {
    expect(await nb.run('1 + 1')).toBe(2);
    expect(await nb.run('const x: number = 3;\nx * 2 // six')).toBe(6);
    expect(await nb.run('({ a: 1 })')).toEqual({ a: 1 });
    expect(await nb.run('"text"')).toBe('text');
    expect(await nb.run('const y = 1')).toBeUndefined();
    expect(await nb.run('1; if (true) { 2 }')).toBeUndefined();
    expect(await nb.run('')).toBeUndefined();
    expect(await nb.run('// nothing')).toBeUndefined();
    expect(await nb.run('export default 5')).toBe(5);
    expect(await nb.run('[1, 2].map((v) => v + 1)')).toEqual([2, 3]);
  });

  it('awaits at its top level', async () => {
    expect(await nb.run('const v = await Promise.resolve(4); v + 1')).toBe(5);
    expect(await nb.run('let s = 0; for await (const i of [1, 2, 3]) s += i; s')).toBe(6);
  });

  it('may declare again what another declared, in any form', async () => {
    for (const [code, value] of [
      ['const a = 1; a', 1],
      ['let a = 2; a', 2],
      ['var a = 3; a', 3],
      ['function a() { return 4 } a()', 4],
      ['class a { static v = 5 } a.v', 5],
      ['const { a } = { a: 6 }; a', 6],
      ['enum a { x = 7 } a.x', 7],
      ['const a = 8; a', 8],
    ] as const) {
      expect(await nb.run(code)).toBe(value);
    }
  });

  it('lets closures of earlier cells see the later value', async () => {
    await nb.run('let rate = 1; function f() { return rate * scale }');
    await nb.run('const scale = 10;');
    expect(await nb.run('f()')).toBe(10);
    await nb.run('const rate = 2');
    expect(await nb.run('f()')).toBe(20);
  });

  it('keeps the bindings made before a throw', async () => {
    await expect(nb.run('const kept = 1; throw new Error("no"); const lost = 2')).rejects.toThrow();
    expect(await nb.run('kept')).toBe(1);
    await expect(nb.run('lost')).rejects.toThrow(ReferenceError);
    await expect(nb.run('lost')).rejects.toThrow('lost is not defined');
    expect(await nb.run('typeof lost')).toBe('undefined');
  });

  it('destructures with defaults, renames and rests', async () => {
    await nb.run('const { a, b: [c, ...d], e = a + 1, ...rest } = { a: 1, b: [2, 3, 4], f: 5 }');
    expect(await nb.run('[a, c, d, e, rest]')).toEqual([1, 2, [3, 4], 2, { f: 5 }]);
    expect(await nb.run('let p, q; [p, q] = [1, 2]; ({ p, q = 9 } = { p: 7 }); [p, q]')).toEqual([
      7, 9,
    ]);
    expect(await nb.run('const o = { a, c, a2: a }; o')).toEqual({ a: 1, c: 2, a2: 1 });
  });

  it('keeps inner scopes apart from notebook variables', async () => {
    await nb.run('const x = 1; const n = 5');
    expect(
      await nb.run(`
        const inner = [];
        for (let x = 0; x < 2; x++) inner.push(() => x);
        function g(x, { n } = { n: x }) { { const x = 100; inner.push(() => x + n) } return x }
        try { throw 7 } catch (x) { inner.push(() => x) }
        switch (1) { case 1: let x = 50; inner.push(() => x) }
        label: for (const k in { x: 1 }) { continue label }
        class A { x = n; static { const n = 3; A.s = n } m() { return x } }
        g(2);
        [inner.map((f) => f()), x, new A().x, A.s, new A().m()]`),
    ).toEqual([[0, 1, 7, 50, 102], 1, 5, 3, 1]);
  });

  it('shares `var` of blocks and loops with later cells', async () => {
    await nb.run('for (var i = 0; i < 3; i++) {} if (true) { var w = i } for (var k of [8]) {}');
    expect(await nb.run('[i, w, k]')).toEqual([3, 3, 8]);
    await nb.run('for (var [m, { z }] of [[1, { z: 2 }]]) {}');
    expect(await nb.run('[m, z]')).toEqual([1, 2]);
    await nb.run('var w;');
    expect(await nb.run('w')).toBe(3);
  });

  it('hoists functions and names anonymous ones', async () => {
    expect(await nb.run('const early = h(); function h() { return 1 } early')).toBe(1);
    expect(
      await nb.run('const arrow = () => {}; const K = class {}; [arrow.name, K.name, h.name]'),
    ).toEqual(['arrow', 'K', 'h']);
    expect(
      await nb.run(
        'function even(n) { return n === 0 || odd(n - 1) } function odd(n) { return n !== 0 && even(n - 1) } even(10)',
      ),
    ).toBe(true);
  });

  it('does not change what was never declared', async () => {
    await expect(nb.run('nothing++')).rejects.toThrow('nothing is not defined');
    await expect(nb.run('nothing += 1')).rejects.toThrow(ReferenceError);
  });

  it('refuses to assign to a constant, also of an earlier cell', async () => {
    await expect(nb.run('const c = 1; c = 2')).rejects.toThrow('Assignment to constant variable.');
    await expect(nb.run('c += 1')).rejects.toThrow(TypeError);
    expect(await nb.run('let c = 5; c++; c')).toBe(6);
    expect(await nb.run('c = 9; c')).toBe(9);
  });

  it('may use the name of a global without changing the global', async () => {
    expect(await nb.run('const URL = "here"; URL')).toBe('here');
    expect(globalThis.URL).toBeTypeOf('function');
    expect(await nb.run('const URL = 2; new globalThis.URL("file:///a").href')).toBe('file:///a');
    expect(await nb.run('[typeof Map, typeof nothing, typeof URL]')).toEqual([
      'function',
      'undefined',
      'number',
    ]);
  });

  it('imports defaults, names and namespaces; a type costs nothing', async () => {
    nb.modules['m'] = {
      default: 1,
      b: 2,
      'a-b': 3,
      f() {
        return this;
      },
    };
    await nb.run(
      "import d, { b as bee, 'a-b' as ab, f, Missing, type T } from 'm'; import * as all from 'm'",
    );
    expect(await nb.run('[d, bee, ab, all.b, f()]')).toEqual([1, 2, 3, 2, undefined]);
    await expect(nb.run('Missing()')).rejects.toThrow("does not provide an export named 'Missing'");
    expect(await nb.run("(await import('m')).b")).toBe(2);
    expect(await nb.run('import.meta.url')).toBe('file:///n');
  });

  it('knows enums, namespaces, parameter properties and satisfies', async () => {
    await nb.run(
      'enum E { A = 1, B } namespace N { export const v = E.B } class P { constructor(public q: number) {} }',
    );
    expect(await nb.run('namespace M { export const v = 1 }')).toBeUndefined();
    expect(await nb.run('[E.B, N.v, new P(3).q, (1 satisfies number)]')).toEqual([2, 2, 3, 1]);
  });

  it('disposes what `using` holds when the cell ends, and keeps other names', async () => {
    await nb.run('const log: string[] = []');
    await nb.run(
      'using r = { [Symbol.dispose ?? Symbol.for("dispose")]() { log.push("end") } }; const other = 4; enum E { A = 3 } log.push("in")',
    );
    expect(await nb.run('[log.join(), other, E.A]')).toEqual(['in,end', 4, 3]);
  });

  it('applies decorators of the older kind when tsconfig says so', async () => {
    const code =
      'function twice(t: any, k: string, d: any) { const f = d.value; d.value = () => f() * 2 } class D { @twice m() { return 4 } } new D().m()';
    expect(await nb.run(code, { experimentalDecorators: true })).toBe(8);
  });

  it('says where the syntax is wrong', async () => {
    const error = await nb.run('let ok = 1;\nconst x: = 3;').catch((e: unknown) => e as Error);
    if (!(error instanceof Error)) throw new Error('did not throw');
    expect(error).toBeInstanceOf(SyntaxError);
    expect(error.stack).toContain('Cell [1]:2:10');
    await expect(nb.run('foo(')).rejects.toThrow(SyntaxError);
  });

  it('of plain expressions needs no lowering', async () => {
    await nb.run('let a = 0, o = { n: 1 }; function f(x: number) { a += x; return a }');
    const cells: [code: string, value: unknown][] = [
      ['a = 1\nf(2)\nf(3)', 6],
      ['a\nf(1) // one\n;', 7],
      ["'use strict'\nf(0); `\x24{a}\x24{[...'xy'].join()}`", '7x,y'],
      ['({ a, b: o?.n ?? 2, ...o })', { a: 7, b: 1, n: 1 }],
      ['await Promise.resolve(a > 1 && -a)', -7],
      ['new Map([[1, typeof missing]]).get(1)', 'undefined'],
      ['o.n++, o.n', 2],
    ];
    for (const [code, value] of cells) {
      expect(plainProgram(code, 'Cell [1]'), code).toBeDefined();
      expect(await nb.run(code), code).toEqual(value);
    }
  });

  it('is lowered where it holds types, functions or statements', () => {
    const cells = ['f<number>(1)', 'a!', '<number>a', 'a satisfies number', '({ m() {} })', 'this'];
    cells.push('x => x', 'class {}', 'a < b > (c)', 'import.meta.url', '{ 1 }', 'enum E { A }');
    cells.push(
      '1 +',
      'foo(',
      '010',
      'using x = y',
      'function f(a?) {}',
      'label: 1',
      '`\x24{a as any}`',
    );
    for (const code of cells) expect(plainProgram(code, 'Cell [1]'), code).toBeUndefined();
  });

  it('maps positions back to what was typed', () => {
    const code = 'interface Long {\n  a: number;\n}\n\nfunction f(x: Long) {\n  return x.b.c;\n}';
    const cell = compileCell(code, nb.scope, { fileName: 'Cell [1]' });
    const lines = cell.body.split('\n').slice(1);
    const line = lines.findIndex((l) => l.includes('x.b.c'));
    const at = originalPosition(cell.mappings(), {
      line: line + 1,
      column: lines[line].indexOf('x.b') + 1,
    });
    expect(at).toEqual({ line: 6, column: 10 });
    const plain = compileCell('1;\n  f(2)\n  x.b.c', nb.scope, { fileName: 'Cell [1]' });
    const row = plain.body.split('\n').findIndex((l) => l.includes('.b.c'));
    const column = plain.body.split('\n')[row].indexOf('.b') + 1;
    expect(originalPosition(plain.mappings(), { line: row, column })).toEqual({
      line: 3,
      column: 4,
    });
  });
});
