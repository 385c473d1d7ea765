import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InterruptedError } from '../../src/core/errors.ts';
import {
  enterNative,
  INTERRUPT,
  installInterrupt,
  LAST_ASKED,
  leaveNative,
  NATIVE_DEPTH,
  runNative,
  shield,
  throwIfInterrupted,
} from '../../src/core/interrupt.ts';

let words: Int32Array;
beforeEach(() => {
  words = new Int32Array(new SharedArrayBuffer(8));
  installInterrupt(words);
});
afterEach(() => installInterrupt(undefined));

describe('the handshake between Stop and native calls', () => {
  it('does nothing where no kernel is', () => {
    installInterrupt(undefined);
    enterNative();
    leaveNative();
    throwIfInterrupted();
    expect(runNative(() => 3)).toBe(3);
  });

  it('counts the calls it is inside of', () => {
    runNative(() => {
      expect(words[NATIVE_DEPTH]).toBe(1);
      runNative(() => expect(words[NATIVE_DEPTH]).toBe(2));
    });
    expect(words[NATIVE_DEPTH]).toBe(0);
  });

  it('refuses to enter once Stop was pressed', () => {
    words[INTERRUPT] = 1;
    let called = false;
    expect(() =>
      runNative(() => {
        called = true;
      }),
    ).toThrow(InterruptedError);
    expect(called).toBe(false);
    expect(words[NATIVE_DEPTH]).toBe(0);
    expect(() => throwIfInterrupted()).toThrow(InterruptedError);
  });

  it('throws on the way out when Stop was pressed meanwhile', () => {
    expect(() =>
      runNative(() => {
        words[INTERRUPT] = 1;
      }),
    ).toThrow(InterruptedError);
    expect(words[NATIVE_DEPTH]).toBe(0);
  });

  it('lets the own error of a call through', async () => {
    const boom = new Error('boom');
    expect(() =>
      runNative(() => {
        throw boom;
      }),
    ).toThrow(boom);
    await expect(runNative(() => Promise.reject(boom))).rejects.toBe(boom);
    expect(words[NATIVE_DEPTH]).toBe(0);
  });

  it('stays inside until a promise settles', async () => {
    const result = runNative(async () => {
      await null;
      return 5;
    });
    expect(words[NATIVE_DEPTH]).toBe(1);
    expect(await result).toBe(5);
    expect(words[NATIVE_DEPTH]).toBe(0);
    const stopped = runNative(async () => {
      words[INTERRUPT] = 1;
    });
    await expect(stopped).rejects.toThrow(InterruptedError);
    expect(words[NATIVE_DEPTH]).toBe(0);
  });

  it('leaves a note of when it asked, where there is room for one', () => {
    const roomy = new Int32Array(new SharedArrayBuffer(12));
    installInterrupt(roomy);
    const before = Date.now() | 0;
    throwIfInterrupted();
    expect((roomy[LAST_ASKED] - before) | 0).toBeGreaterThanOrEqual(0);
    roomy[LAST_ASKED] = 0;
    runNative(() => 1);
    expect((roomy[LAST_ASKED] - before) | 0).toBeGreaterThanOrEqual(0);
  });

  it('lets a shielded section finish', async () => {
    words[INTERRUPT] = 1;
    expect(shield(() => words[NATIVE_DEPTH])).toBe(1);
    expect(await shield(async () => 7)).toBe(7);
    expect(words[NATIVE_DEPTH]).toBe(0);
  });

  it('lets native calls inside a shielded section finish with their results', () => {
    const result = shield(() =>
      runNative(() => {
        words[INTERRUPT] = 1;
        return 'kept';
      }),
    );
    expect(result).toBe('kept');
    expect(() => runNative(() => 0)).toThrow(InterruptedError);
    expect(words[NATIVE_DEPTH]).toBe(0);
  });
});
