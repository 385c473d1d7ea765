import type { Isa } from './isa.ts';

/** `count` neighbouring pieces of `size` each, the first at `start`. */
export interface Pieces {
  readonly start: number;
  readonly size: number;
  readonly count: number;
}

/** Cuts `length` into the fewest pieces of at most `most`, of two sizes that differ by one. */
export function cutEvenly(length: number, most: number): Pieces[] {
  const count = Math.ceil(length / most);
  const size = Math.floor(length / count);
  const longer = length - size * count;
  const pieces = [
    { start: 0, size: size + 1, count: longer },
    { start: longer * (size + 1), size, count: count - longer },
  ];
  return pieces.filter((p) => p.count > 0);
}

/** C that declares `from` and `to`: the share of thread `me` of `count` things, of `each` numbers each. */
export const share = (count: number, each = 1) => {
  const times = each === 1 ? '' : ` * ${each}`;
  return `const long from = ${count} * me / all${times}, to = ${count} * (me + 1) / all${times};`;
};

/**
 * How many pieces there are in all groups, and for each group the head of a loop over the numbers,
 * within it, of those of its pieces that lie between `from` and `to`.
 */
export function shareOut(
  groups: readonly { readonly count: number }[],
  index: string,
): readonly [pieces: number, loops: readonly string[]] {
  let before = 0;
  const loops = groups.map(({ count }) => {
    const first = before === 0 ? 'from' : `(from > ${before} ? from - ${before} : 0)`;
    const head = `for (long ${index} = ${first}; ${index} < ${count} && ${index} + ${before} < to; ${index}++)`;
    before += count;
    return head;
  });
  return [before, loops];
}

/** Columns that are worked on together. */
export interface Panel {
  /** The first column of the first panel. */
  readonly start: number;
  readonly vectors: number;
  /** How many of these stand side by side. */
  readonly count: number;
  /** Floats in the last vector, 1 to the vector's width. */
  readonly tail: number;
}

/** Cuts `n` columns into panels; a last single vector is avoided, since it leaves registers idle. */
export function cutColumns(n: number, isa: Isa, rows: number): Panel[] {
  const { width } = isa;
  const total = Math.ceil(n / width);
  const best = vectorsFor(isa, rows);
  const sizes: number[] = [];
  for (let left = total; left > 0; ) {
    let size = Math.min(best, left);
    if (left - size === 1 && size > 2) size--;
    sizes.push(size);
    left -= size;
  }
  sizes.sort((a, b) => b - a);
  const panels: Panel[] = [];
  let start = 0;
  sizes.forEach((vectors, i) => {
    const tail = i === sizes.length - 1 ? n - (total - 1) * width : width;
    const last = panels.at(-1);
    if (last !== undefined && last.vectors === vectors && last.tail === tail) {
      panels[panels.length - 1] = { ...last, count: last.count + 1 };
    } else panels.push({ start, vectors, count: 1, tail });
    start += vectors * width;
  });
  return panels;
}

/** Vectors per row of a tile; more when there are few rows to fill the registers with. */
function vectorsFor({ rows: limits, vectors }: Isa, rows: number): number {
  for (let more = limits.length; more > vectors; more--) {
    if (rows <= limits[more - 1]) return more;
  }
  return vectors;
}
