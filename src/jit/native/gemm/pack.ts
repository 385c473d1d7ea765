import type { Isa } from './isa.ts';
import type { Panel } from './tiles.ts';
import { vectorType } from './vector.ts';

/** How b is brought to rows of whole vectors: where it lies, copied, or transposed. */
export type Packing = 'none' | 'copy' | 'transpose';

/** C that writes rows `p` to `p + depth` of the panel at column `j` of b to the scratch. */
export function pack(
  packing: Packing,
  { vectors, tail }: Panel,
  depth: number,
  { n, k }: { readonly n: number; readonly k: number },
  isa: Isa,
): string[] {
  const v = vectorType(isa);
  const { width } = isa;
  const row = vectors * width;
  if (packing === 'none') return [];
  if (packing === 'copy') {
    const copies = Array.from({ length: vectors }, (_, u) => {
      const from = `b + (p + r) * ${n} + j + ${u * width}`;
      const whole = u < vectors - 1 || tail === width;
      const value = whole ? `${v}_load(${from})` : `${v}_load_first(${from}, ${tail})`;
      return `${v}_store(scratch + r * ${row} + ${u * width}, ${value});`;
    });
    return [`for (long r = 0; r < ${depth}; r++) { ${copies.join(' ')} }`];
  }
  const columns = (vectors - 1) * width + tail;
  const squares = depth >= width ? Math.floor(columns / width) : 0;
  const lines: string[] = [];
  const square = (r: string) =>
    `for (long u = 0; u < ${squares * width}; u += ${width}) ${v}_transpose(b + (j + u) * ${k} + p + ${r}, ${k}, scratch + ${r} * ${row} + u, ${row});`;
  if (squares > 0) {
    lines.push(
      `for (long r = 0; r + ${width} <= ${depth}; r += ${width}) ${square('r')}`,
      // The last rows once more: cheaper than going through them one by one.
      ...(depth % width === 0 ? [] : [square(`${depth - width}l`)]),
    );
  }
  if (squares * width < columns) {
    lines.push(
      `for (long u = ${squares * width}; u < ${columns}; u++)`,
      `  for (long r = 0; r < ${depth}; r++) scratch[r * ${row} + u] = b[(j + u) * ${k} + p + r];`,
    );
  }
  if (columns < row) {
    // What is read beyond the last column is not stored, but must not be slow (denormals, NaN).
    lines.push(
      `for (long r = 0; r < ${depth}; r++)`,
      `  for (long u = ${columns}; u < ${row}; u++) scratch[r * ${row} + u] = 0;`,
    );
  }
  return lines;
}
