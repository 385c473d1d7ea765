import type { Isa } from './isa.ts';
import { range } from './micro.ts';
import { vectorType } from './vector.ts';

/**
 * C that puts the sum of each vector named in `sums` into the float array `into`, in a fixed
 * order of addition. Sixteen vectors are added up together in the number of instructions that four
 * take one by one.
 */
export function emitSums(sums: readonly string[], into: string, isa: Isa): string[] {
  const { width } = isa;
  const v = vectorType(isa);
  const lines = ['#if __has_builtin(__builtin_shufflevector)'];
  for (let start = 0; start < sums.length; start += width) {
    const chunk = sums.slice(start, start + width);
    lines.push(`{ ${together(chunk, isa).join(' ')} `);
    lines.push(`${v}_store_first(${into} + ${start}, r, ${chunk.length}); }`);
  }
  lines.push('#else');
  lines.push(...sums.map((name, i) => `${into}[${i}] = ${v}_sum(${name});`));
  lines.push('#endif');
  return lines;
}

/** Declares `r`, whose lane l is the sum of `sums[l]`. */
function together(sums: readonly string[], isa: Isa): string[] {
  const { width } = isa;
  const v = vectorType(isa);
  const lines: string[] = [];
  let [names, fresh] = [[...sums], 0];
  const add = (a: string, b: string, span: number) => {
    const name = `h${fresh++}`;
    // Lanes without the bit belong to a, those with it to b.
    const pick = (bit: number) =>
      range(width).map((l) => ((l & span) === 0 ? (l & ~span) | bit : ((l & ~span) | bit) + width));
    lines.push(
      `${v} ${name} = __builtin_shufflevector(${a}, ${b}, ${pick(0)}) + __builtin_shufflevector(${a}, ${b}, ${pick(span)});`,
    );
    return name;
  };
  for (let span = 1; span < width; span *= 2) {
    names = range(Math.ceil(names.length / 2)).map((i) =>
      add(names[2 * i], names[2 * i + 1] ?? names[2 * i], span),
    );
  }
  lines.push(`${v} r = ${names[0]};`);
  return lines;
}
