import { readFileSync } from 'node:fs';
import { DataError } from '../core/errors.ts';
import { fontFile } from '../core/font-files.ts';

const measures = new Map<number, (text: string) => number>();

/**
 * Width of `text` in the bundled font in pixels, from the advance widths of its glyphs (kerning
 * left out: below a percent).
 */
export function textWidth(text: string, fontSize: number, weight: 400 | 600 = 400): number {
  let measure = measures.get(weight);
  if (!measure) {
    const path = fontFile(weight);
    measure = advanceReader(readFileSync(path), path);
    measures.set(weight, measure);
  }
  return measure(text) * fontSize;
}

/** Breaks `text` at spaces into lines no wider than `width` pixels where words allow it. */
export function wrapText(text: string, width: number, fontSize: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = lines.length > 0 ? `${lines[lines.length - 1]} ${word}` : word;
    if (lines.length > 0 && textWidth(longer, fontSize) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/**
 * Reads a TrueType file's advance widths (OpenType specification: tables head, hhea, hmtx and cmap
 * format 4).
 * @returns the width of a text in em.
 */
function advanceReader(file: Buffer, path: string): (text: string) => number {
  const tables = new Map<string, number>();
  for (let i = 0; i < file.readUInt16BE(4); i++) {
    const at = 12 + 16 * i;
    tables.set(file.toString('latin1', at, at + 4), file.readUInt32BE(at + 8));
  }
  const table = (name: string) => {
    const at = tables.get(name);
    if (at === undefined) throw new DataError(`${path}: no '${name}' table; not a TrueType font?`);
    return at;
  };
  const unitsPerEm = file.readUInt16BE(table('head') + 18);
  const metrics = file.readUInt16BE(table('hhea') + 34);
  const glyphOf = characterMap(file, table('cmap'), path);
  const hmtx = table('hmtx');
  return (text) => {
    let width = 0;
    for (const character of text) {
      const glyph = Math.min(glyphOf(character.codePointAt(0) ?? 0), metrics - 1);
      width += file.readUInt16BE(hmtx + 4 * glyph);
    }
    return width / unitsPerEm;
  };
}

function characterMap(file: Buffer, cmap: number, path: string): (code: number) => number {
  let at = 0;
  for (let i = 0; i < file.readUInt16BE(cmap + 2); i++) {
    const offset = cmap + file.readUInt32BE(cmap + 4 + 8 * i + 4);
    if (file.readUInt16BE(offset) === 4) at = offset;
  }
  if (at === 0) throw new DataError(`${path}: no character map of format 4`);
  const segments = file.readUInt16BE(at + 6) / 2;
  const ends = at + 14;
  const starts = ends + 2 * segments + 2;
  const deltas = starts + 2 * segments;
  const offsets = deltas + 2 * segments;
  return (code) => {
    for (let s = 0; s < segments; s++) {
      if (code > file.readUInt16BE(ends + 2 * s)) continue;
      const start = file.readUInt16BE(starts + 2 * s);
      if (code < start) return 0;
      const delta = file.readUInt16BE(deltas + 2 * s);
      const offset = file.readUInt16BE(offsets + 2 * s);
      if (offset === 0) return (code + delta) & 0xffff;
      const glyph = file.readUInt16BE(offsets + 2 * s + offset + 2 * (code - start));
      return glyph === 0 ? 0 : (glyph + delta) & 0xffff;
    }
    return 0;
  };
}
