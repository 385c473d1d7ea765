/**
 * Jupyter counts cursor positions in Unicode code points, JavaScript and TypeScript in UTF-16 code
 * units; they differ after the first character outside the Basic Multilingual Plane.
 */

const isHigh = (unit: number) => unit >= 0xd800 && unit <= 0xdbff;
const isLow = (unit: number) => unit >= 0xdc00 && unit <= 0xdfff;

/**
 * The UTF-16 offset of code point number `codePoints` of `text` (0-based; clamped to the text).
 * A lone surrogate counts as one code point, as it does in Python.
 */
export function toUtf16Offset(text: string, codePoints: number): number {
  let offset = 0;
  for (let left = codePoints; left > 0 && offset < text.length; left--) {
    const pair = isHigh(text.charCodeAt(offset)) && isLow(text.charCodeAt(offset + 1));
    offset += pair ? 2 : 1;
  }
  return offset;
}

/**
 * How many code points of `text` lie before UTF-16 `offset` (clamped to the text). An offset inside
 * a surrogate pair belongs to the start of that pair.
 */
export function toCodePoints(text: string, offset: number): number {
  const end = Math.min(Math.max(offset, 0), text.length);
  let count = 0;
  let at = 0;
  while (at < end) {
    const pair = isHigh(text.charCodeAt(at)) && isLow(text.charCodeAt(at + 1));
    at += pair ? 2 : 1;
    if (at > end) break;
    count++;
  }
  return count;
}

/** Line and column, both from 1 (column in UTF-16 units), of UTF-16 `offset` in `text`. */
export function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  const end = Math.min(Math.max(offset, 0), text.length);
  let line = 1;
  let start = 0;
  for (let at = text.indexOf('\n'); at >= 0 && at < end; at = text.indexOf('\n', at + 1)) {
    line++;
    start = at + 1;
  }
  return { line, column: end - start + 1 };
}
