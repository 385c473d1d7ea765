import { describe, expect, it } from 'vitest';
import { Scope } from '../../src/kernel/cell/box.ts';
import { completeRuntime } from '../../src/kernel/user/complete.ts';
import { plainNames } from '../../src/kernel/user/stack.ts';

const scope = new Scope();
let ran = 0;
scope.define('model', {
  layers: { first: 1, fast: 2 },
  get danger() {
    ran++;
    return { inside: 1 };
  },
});
scope.define('proxy', new Proxy({}, { get: () => ran++, getPrototypeOf: () => Object(ran++) }));
scope.define('modulus', 3);
scope.box('moduleNeverSet');

const names = (code: string) =>
  completeRuntime(code, code.length, scope).matches.map((m) => m.text);

describe('runtime completion', () => {
  it('offers variables that have a value, and members of chains', () => {
    expect(names('mod')).toEqual(['model', 'modulus']);
    expect(names('f(model.layers.f')).toEqual(['first', 'fast']);
    expect(names('model?.layers.fi')).toEqual(['first']);
    expect(names('modulus.toFi')).toEqual(['toFixed']);
    const { start, end } = completeRuntime('x + model.la', 12, scope);
    expect([start, end]).toEqual([10, 12]);
  });

  it('runs no getter and asks no proxy', () => {
    expect(names('model.')).toContain('danger');
    expect(names('model.danger.')).toEqual([]);
    expect(names('proxy.')).toEqual([]);
    expect(names('proxy.x.')).toEqual([]);
    expect(ran).toBe(0);
  });

  it('says nothing about members of what it cannot follow', () => {
    expect(names('f().x')).not.toContain('model');
    expect(names('missing.x.')).toEqual([]);
  });
});

describe('names', () => {
  it('show variables as they were typed', () => {
    expect(plainNames('(0 , f·.v) is not a function')).toBe('f is not a function');
    expect(plainNames('a·.g.b is not a constructor')).toBe('a.b is not a constructor');
  });
});
