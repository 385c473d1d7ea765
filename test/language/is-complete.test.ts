import { describe, expect, it } from 'vitest';
import { isComplete } from '../../src/kernel/language/index.ts';

const status = (code: string) => isComplete(code).status;

describe('isComplete', () => {
  it.each([
    '',
    '1 + 1',
    'const x = [1, 2].map((v) => v * 2);',
    'await fetch("x")',
    'for await (const x of f()) { x }',
    'if (a) b(); else c();',
    'function f(x: number): number { return x; }',
    'declare function f(x: number): void',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the code under test is a template
    'const s = `a ${`b ${c}`} d`;',
    'const r = /[}{(]/u;',
    'class A { static { this.x = 1; } static x: number }',
    'import * as tf from "@tensorflow/tfjs"; export const y = tf',
    'type T = { a: 1 } | (() => void)',
    'enum E { A } namespace N { export const q = 1 }',
    'using r = open();',
    '@sealed class C {}',
    '// only a comment',
    'x = <number>y',
  ])('takes %j as complete', (code) => {
    expect(isComplete(code)).toEqual({ status: 'complete', indent: '' });
  });

  it.each([
    'function f() {',
    'if (x)',
    'const x =',
    'a +',
    'foo(1,',
    'foo(',
    'a.',
    '[1, 2',
    'const o = { a: 1,',
    'x => {',
    'class A {',
    'for (let i = 0; i < 3',
    'while (true)',
    'try { x() }',
    'do { x() }',
    'switch (x) {\n  case 1:',
    'x ? 1',
    'import { a } from',
    'import {',
    'async function f(x)',
    'function f(x: number): string',
    '@decorated',
    'const s = `abc',
    'const s = `abc ${x',
    '/* a comment',
    '/** doc',
    'if (a) {} else',
    "'abc\\\n",
  ])('asks for more after %j', (code) => {
    expect(status(code)).toBe('incomplete');
  });

  it.each([
    ')',
    'foo)',
    'foo(]',
    '{ [ }',
    'x x',
    'const 1 = 2',
    "const s = 'abc",
    'const s = "abc\nfoo(',
    'const r = /abc',
    'foo(1, 2\nbar()',
    'a b {',
    'else { x }',
    'let let = 1 2',
  ])('refuses %j whatever follows', (code) => {
    expect(isComplete(code)).toEqual({ status: 'invalid', indent: '' });
  });

  it('agrees with itself on every prefix: an invalid text never becomes valid again', () => {
    const code =
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the code under test is a template
      'class A<T> {\n  /* c */ m(x: T = `${"y"}`) {\n    return [/re/g, { a: (1 + 2) }];\n  }\n}\n';
    // A prefix may end inside a string, a regular expression or the slash of a comment.
    const inLiteral = (k: number) => /"[^"\n]?$|\/(?:re?)?$/.test(code.slice(0, k));
    for (let k = 0; k <= code.length; k++) {
      if (inLiteral(k)) continue;
      expect(status(code.slice(0, k)), JSON.stringify(code.slice(0, k))).not.toBe('invalid');
    }
  });

  it('indents by one level from the line that was left open', () => {
    expect(isComplete('function f() {').indent).toBe('  ');
    expect(isComplete('class A {\n  m() {').indent).toBe('    ');
    expect(isComplete('class A {\n    m() {').indent).toBe('        ');
    expect(isComplete('class A {\n\tm() {').indent).toBe('\t\t');
    expect(isComplete('class A {\n  m() {\n  }').indent).toBe('  ');
    expect(isComplete('foo(\n  1,').indent).toBe('  ');
    expect(isComplete('if (x)').indent).toBe('  ');
    expect(isComplete('const s = `{').indent).toBe('');
    expect(isComplete('const s = "{"; f(').indent).toBe('  ');
  });
});
