import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { complete } from '../../src/kernel/language/completions.ts';
import { diagnose } from '../../src/kernel/language/diagnostics.ts';
import { inspect } from '../../src/kernel/language/inspection.ts';
import { MemberCompletions } from '../../src/kernel/language/member-completions.ts';
import { LanguageSession } from '../../src/kernel/language/session.ts';

const cwd = mkdtempSync(join(tmpdir(), 'gibbs-session-'));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const never = () => ({ cancelled: new Int32Array(1), current: 1 });
const session = new LanguageSession(cwd, never());
beforeEach(() => session.reset());

let count = 0;
const run = (code: string) => session.record({ cellId: 'c', code, executionCount: ++count });
const codes = (code: string) => diagnose(session, session.open(code)).map((d) => d.code);
const messages = (code: string) => diagnose(session, session.open(code)).map((d) => d.message);
const matches = (code: string, offset = code.length) =>
  complete(session, session.open(code), offset).matches;
const about = (code: string, offset: number, level: 0 | 1 = 0) =>
  inspect(session, session.open(code), offset, level);

// Long limits: every cell makes a program, and a busy machine has time for one in a second.
describe('diagnostics over cells', () => {
  it('say what is wrong, where, in the coordinates of the cell', () => {
    const code = 'const ok = 1;\nconst s: string = ok;';
    expect(diagnose(session, session.open(code))).toEqual([
      {
        code: 2322,
        category: 'error',
        message: "Type 'number' is not assignable to type 'string'.",
        start: 20,
        end: 21,
        line: 2,
        column: 7,
      },
    ]);
  });

  it('see the bindings of earlier cells with their types', () => {
    run('const n = 3; let word = "a"; function half(x: number) { return x / 2; }');
    run('class Model<T> { constructor(readonly value: T) {} }\ntype Pair = [number, string];');
    run('const model = new Model(n); enum Colour { Red, Blue }');
    expect(
      codes('half(n) + model.value; word = "b"; const p: Pair = [1, ""]; Colour.Red;'),
    ).toEqual([]);
    expect(codes('const s: string = half(n)')).toEqual([2322]);
    expect(codes('word = 5')).toEqual([2322]);
    expect(codes('model.missing')).toEqual([2339]);
    expect(codes('const q: Pair = [1]')).toEqual([2322]);
    expect(codes('undeclared')).toEqual([2304]);
  });

  it('let a later cell declare a name again with another type', () => {
    run('const x = 1;');
    expect(codes('const x = "a"; x.toUpperCase();')).toEqual([]);
    run('const x = "a";');
    expect(codes('x.toUpperCase()')).toEqual([]);
    expect(codes('x.getTime()')).toEqual([2339]);
    run('import { join as x } from "node:path";');
    expect(codes('x("a", "b").length')).toEqual([]);
    run('class x { a = 1 }');
    expect(codes('new x().a')).toEqual([]);
  });

  it('keep a constant from widening too little or being assigned', () => {
    run('const n = 100;');
    expect(codes('let k = n; k = k - 1;')).toEqual([]);
    expect(messages('n = 5')).toEqual(["Cannot assign to 'n' because it is a constant."]);
  });

  it('know imports of earlier cells, of Node, and awaits at the top level', () => {
    run('import * as path from "node:path"; import fs, { readFileSync as read } from "node:fs";');
    expect(
      codes('await Promise.resolve(path.join("a", read("f", "utf8"))); fs.statSync(".")'),
    ).toEqual([]);
    expect(codes('for await (const v of [1]) { console.log(v, process.pid); }')).toEqual([]);
    expect(codes('path.nothing')).toEqual([2339]);
    expect(codes('import { q } from "not-installed"; import "neither";')).toEqual([2307, 2882]);
  });

  it('are silent about what is only usual in a notebook', () => {
    run('let maybe: number | undefined;');
    expect(codes('1 + 1\n"text"\nconst unused = 2')).toEqual([]);
    expect(codes('maybe.toFixed()')).toEqual([]);
    expect(
      codes('let own: number | undefined = Math.random() > 1 ? 1 : undefined; own.toFixed()'),
    ).toEqual([18048]);
  });

  it('report syntax errors alone, within the cell', () => {
    const found = diagnose(session, session.open('const a: string = 1;\nfoo('));
    expect(found.map((d) => [d.code, d.start])).toEqual([[1005, 25]]);
    expect(codes('const t = `abc')).toEqual([1160]);
  });

  it('hold a type that has no name to write, from its source', () => {
    run(
      'const secret: unique symbol = Symbol(); const box = { [secret]: 1 as const, f() { return this; } };',
    );
    run(
      'const make = () => { class Hidden { private key = 1; show() { return this.key; } } return Hidden; };\nconst Hidden = make();\nconst hidden = new Hidden();',
    );
    expect(codes('const one: 1 = box[secret]; hidden.show().toFixed();')).toEqual([]);
    expect(codes('hidden.show().length')).toEqual([2339]);
  });

  it('do not infer again along a chain of cells', () => {
    run('const v0 = 0;');
    for (let i = 1; i <= 100; i++) run(`const v${i} = v${i - 1} + 1;`);
    expect(codes('const s: string = v100')).toEqual([2322]);
    const files = session.service.getProgram()?.getSourceFiles() ?? [];
    expect(files.filter((f) => f.fileName.includes('gibbs-cell-')).length).toBe(1);
  });

  it('keep no cell whose names have all been declared again, but what later ones stand on', () => {
    run('class Model { fit() { return 1; } }');
    run('const first = new Model();');
    run('class Model { predict() { return "two"; } }');
    const kept = () => {
      let modules = 0;
      for (let i = 1; i <= count + 10; i++) {
        for (const end of ['.d.mts', '.mts']) {
          if (session.cellOf(join(cwd, `gibbs-cell-${i}${end}`)) !== undefined) modules++;
        }
      }
      return modules;
    };
    const before = kept();
    for (let i = 0; i < 60; i++) run(`const x${i % 5} = ${i};`);
    expect(kept()).toBeLessThan(before + 40);
    // Cell 1 is named by nobody any more, and the type of `first` is declared there.
    expect(codes('first.fit().toFixed(); new Model().predict().length; x4.toFixed();')).toEqual([]);
    expect(codes('first.predict()')).toEqual([2339]);
  });

  it('leave out of the program what a cell does not mention', () => {
    const before = session.service.getProgram()?.getSourceFiles().length;
    for (let i = 0; i < 50; i++) run(`const w${i} = ${i}; function g${i}() { return w${i}; }`);
    expect(codes('1 + 1')).toEqual([]);
    expect(session.service.getProgram()?.getSourceFiles().length).toBe(before);
  });

  it('see an edited local file at the next question', () => {
    writeFileSync(join(cwd, 'util.ts'), 'export const f = () => 1;');
    expect(codes('import { f } from "./util.ts"; f().toFixed()')).toEqual([]);
    writeFileSync(join(cwd, 'util.ts'), 'export const f = () => "text";');
    expect(codes('import { f } from "./util.ts"; f().toFixed()')).toEqual([2551]);
    expect(codes('import { f } from "./util"; f().length')).toEqual([]);
    writeFileSync(join(cwd, 'data.json'), '{"a": 1}');
    expect(codes('import d from "./data.json"; d.a + 1')).toEqual([]);
    expect(codes('import { g } from "./later.ts"; g()')).toEqual([2307]);
    writeFileSync(join(cwd, 'later.ts'), 'export const g = () => 1;');
    expect(codes('import { g } from "./later.ts"; g() ')).toEqual([]);
  });

  it('know the display API of tslab', () => {
    run('import * as tslab from "tslab";');
    expect(codes('tslab.display.html("<b>"); tslab.newDisplay().text("a");')).toEqual([]);
    expect(codes('tslab.display.html(3)')).toEqual([2345]);
  });

  it('know what the kernel provides, until a cell takes the name', () => {
    expect(codes('display.html("<b>"); const line = await readline("?"); line.trim();')).toEqual(
      [],
    );
    expect(codes('const bar = display.progress(10); bar.step(); prompt("name").length;')).toEqual(
      [],
    );
    expect(codes('comms.open("target").send({ a: 1 })')).toEqual([]);
    expect(codes('display.html(3)')).toEqual([2345]);
    expect(codes('const display = 5; display.toFixed()')).toEqual([]);
    expect(matches('disp')[0]).toBe('display');
    run('const display = 5;');
    expect(codes('display.html("a")')).toEqual([2339]);
  });
});

describe('tsconfig.json', () => {
  const folder = (name: string, config: string) => {
    const dir = join(cwd, name);
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'tsconfig.json'), config);
    return dir;
  };
  const check = (s: LanguageSession, code: string) => diagnose(s, s.open(code)).map((d) => d.code);

  it('decides about strictness and paths, and cannot forbid what a cell is', () => {
    const dir = folder(
      'loose',
      `{ "compilerOptions": { "strict": false, "module": "commonjs", "target": "es5",
         "noUnusedLocals": true, "paths": { "#lib/*": ["./lib/*"] } } }`,
    );
    mkdirSync(join(dir, 'lib'), { recursive: true });
    writeFileSync(join(dir, 'lib/a.ts'), 'export const a = 1;');
    const s = new LanguageSession(dir, never());
    expect(check(s, 'const x: string = null; const u = 1; await 1;')).toEqual([]);
    expect(check(s, 'import { a } from "#lib/a"; a.toFixed()')).toEqual([]);
    expect(check(s, 'import { a } from "#lib/a"; a.nothing')).toEqual([2339]);
  });

  it('that cannot be read is named, and defaults hold', () => {
    const s = new LanguageSession(
      folder('broken', '{ "compilerOptions": { "target": "es1999" } }'),
      never(),
    );
    expect(s.project.problem).toMatch(/tsconfig\.json.*target/s);
    expect(check(s, 'await 1; console.log(1)')).toEqual([]);
  });
});

describe('completion over cells', () => {
  it('offers members, nearest names, object keys, literals and modules', () => {
    run(
      'const history = { loss: [1], epochs: 3 }; const historyLength = 1; type Mode = "train" | "test";',
    );
    expect(matches('history.')).toEqual(['epochs', 'loss']);
    expect(matches('history.lo')).toEqual(['loss']);
    expect(matches('his').slice(0, 2)).toEqual(['history', 'historyLength']);
    expect(matches('const m: Mode = "t')).toEqual(['test', 'train']);
    expect(matches('const o: { alpha: 1; beta?: 2 } = { ')).toEqual(['alpha', 'beta']);
    expect(matches('import {} from "node:zl')).toEqual(['node:zlib']);
    writeFileSync(join(cwd, 'helper-file.ts'), 'export const h = 1;');
    expect(matches('import {} from "./helper-')).toEqual(['helper-file.ts']);
    expect(matches('import { r } from "node:path"', 10)).toContain('relative');
  });

  it('of members, asked once per cell, is what the type checker says each time', () => {
    run('class Point { constructor(readonly x: number, readonly y: Date | null) {} }');
    run('let point = new Point(1, null); const nested = { point, list: [1] };');
    const members = new MemberCompletions(session);
    const asked = [
      'point.',
      'const a = point.',
      'const b = point.x',
      'f(nested.point.',
      'nested.list.ma',
      'nested.list.',
      'point.y.',
      'let t: point.',
      'let t: typeof point.',
      'if (nested.',
      'function g(point: string) { point.',
      'point = 1; point.',
      '{ let nested = "text"; nested.',
      'type point = 1; let q: point.',
      '`${point.',
      '// point.',
      '"point.',
      'point.x.point.',
      'x.point.',
    ];
    for (let round = 0; round < 2; round++) {
      for (const code of asked) {
        const plain = complete(session, session.open(code), code.length);
        expect(members.complete(code, code.length), code).toEqual(plain);
      }
    }
    expect(members.complete('point.', 6).matches).toEqual(['x', 'y']);
    run('let point = { z: 1 };');
    expect(members.complete('point.', 6).matches).toEqual(['z']);
  });

  it('of members sees an edited local file', () => {
    writeFileSync(join(cwd, 'made.ts'), 'export const made = { one: 1 };');
    run('import { made } from "./made.ts";');
    const members = new MemberCompletions(session);
    expect(members.complete('made.', 5).matches).toEqual(['one']);
    writeFileSync(join(cwd, 'made.ts'), 'export const made = { one: 1, other: 2 };');
    expect(members.complete('made.', 5).matches).toEqual(['one', 'other']);
  });

  it('asks the type checker once for a variable while no cell runs', () => {
    run('const model = { energy: 1, entropy: 2 };');
    const members = new MemberCompletions(session);
    const program = () => session.service.getProgram();
    expect(members.complete('model.', 6).matches).toEqual(['energy', 'entropy']);
    const before = program();
    expect(members.complete('const a = model.en', 18).matches).toEqual(['energy', 'entropy']);
    expect(members.complete('const ab = model.ent', 20).matches).toEqual(['entropy']);
    expect(program()).toBe(before);
  });

  it('replaces exactly the word before the cursor', () => {
    const code = 'const q = { "foo-bar": 1, x: 1 }; q.';
    const found = complete(session, session.open(code), code.length);
    expect(found.types.map((t) => code.slice(0, found.start) + t.text)).toEqual([
      'const q = { "foo-bar": 1, x: 1 }; q["foo-bar"]',
      'const q = { "foo-bar": 1, x: 1 }; q.x',
    ]);
    const middle = complete(session, session.open('Math.ma + 1'), 7);
    expect(middle).toMatchObject({ matches: ['max'], start: 5, end: 7 });
    expect(middle.types).toEqual([{ text: 'max', type: 'method', start: 5, end: 7 }]);
    const emoji = "'😀'; Math.ma";
    expect(complete(session, session.open(emoji), emoji.length).start).toBe(emoji.length - 2);
  });

  it('prefers the case that was typed, and offers the other', () => {
    run('const Energy = 1; const energy = 2;');
    expect(matches('ener')).toEqual(['energy', 'Energy']);
    expect(matches('Ener')).toEqual(['Energy', 'energy']);
  });

  it('runs no getter and shows nothing of its own documents', () => {
    run('const lazy = { get boom(): number { throw new Error("ran"); } };');
    expect(matches('lazy.')).toEqual(['boom']);
    expect(matches('').filter((m) => m.includes('gibbs'))).toEqual([]);
  });
});

describe('inspection over cells', () => {
  const CELL = `/**
 * The log-density up to a constant.
 *
 * @param x where
 * @returns high on data
 * @see {@link other}
 */
function energy(x: number): number {
  // half a square
  return -(x ** 2) / 2;
}
class Model {
  private w = 1;

  /** Fits it. */
  fit(x: number) {
    return x + this.w;
  }
}
/** How many. */
let n = 3;`;

  it('shows signature, documentation and tags in Markdown', () => {
    run(CELL);
    expect(about('energy(1)', 3)).toBe(
      '```ts\nfunction energy(x: number): number\n```\n\n' +
        'The log-density up to a constant.\n\n' +
        '*@param* `x` — where\n\n*@returns* — high on data\n\n*@see* — other',
    );
    expect(about('n', 1)).toBe('```ts\nlet n: number\n```\n\nHow many.');
    expect(about('energy(', 7)).toContain('function energy');
    expect(about('energy(1, 2', 9)).toContain('function energy');
    expect(about('1 +   2', 4)).toBeNull();
    expect(about('', 0)).toBeNull();
  });

  it('shows at level 1 the source as it was written', () => {
    run(CELL);
    expect(about('energy', 6, 1)).toContain('// half a square');
    expect(about('energy', 6, 1)).toContain(`Cell [${count}]`);
    const method = about('new Model().fit', 13, 1);
    expect(method).toContain('(method) Model.fit(x: number): number');
    expect(method).toContain('/** Fits it. */\nfit(x: number) {\n  return x + this.w;\n}');
    expect(about('n + 1', 1, 1)).toContain('/** How many. */\nlet n = 3;');
    const here = about('/** Own. */\nconst own = () => 42;\nown', 36, 1);
    expect(here).toContain('/** Own. */\nconst own = () => 42;');
    expect(about('Math.max', 8, 1)).toContain('max(...values: number[]): number;');
  });
});
