import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lineAndColumn, toCodePoints, toUtf16Offset } from '../../src/kernel/language/offsets.ts';

describe('cursor positions', () => {
  it('count an emoji once in code points and twice in UTF-16', () => {
    const text = "const s = '😀é';x";
    expect(toUtf16Offset(text, 12)).toBe(13);
    expect(toCodePoints(text, 13)).toBe(12);
    expect(text.slice(toUtf16Offset(text, 15))).toBe('x');
  });

  it('agree with the string iterator for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(20), (text, n) => {
        const points = [...text];
        const k = Math.min(n, points.length);
        const offset = points.slice(0, k).join('').length;
        expect(toUtf16Offset(text, n)).toBe(offset);
        expect(toCodePoints(text, offset)).toBe(k);
      }),
    );
  });

  it('survive lone surrogates and positions outside the text', () => {
    expect(toUtf16Offset('\ud83dx', 1)).toBe(1);
    expect(toCodePoints('x\ude00y', 2)).toBe(2);
    expect(toUtf16Offset('ab', 9)).toBe(2);
    expect(toUtf16Offset('ab', -1)).toBe(0);
    expect(toCodePoints('ab', 9)).toBe(2);
    expect(toCodePoints('😀', 1)).toBe(0);
  });

  it('are told as line and column from 1', () => {
    expect(lineAndColumn('a\nbc\n', 0)).toEqual({ line: 1, column: 1 });
    expect(lineAndColumn('a\nbc\n', 1)).toEqual({ line: 1, column: 2 });
    expect(lineAndColumn('a\nbc\n', 3)).toEqual({ line: 2, column: 2 });
    expect(lineAndColumn('a\nbc\n', 5)).toEqual({ line: 3, column: 1 });
  });
});
