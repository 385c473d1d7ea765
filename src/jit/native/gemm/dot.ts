import type { Isa } from './isa.ts';
import { type Bias, range } from './micro.ts';
import { cutEvenly, share, shareOut } from './tiles.ts';
import { vectorType } from './vector.ts';

/** A product with few columns whose operands are both contiguous along `k`. */
export interface DotProduct {
  readonly name: string;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly bias: Bias;
  readonly accumulate: boolean;
}

const SUMS = 12;

/**
 * C of `NAME(a, b, c, out, me, all)` with a [m, k] and b [n, k]: vectors lie along `k` and are added up at
 * the end, in a fixed order.
 */
export function emitDot(
  { name, m, n, k, bias, accumulate }: DotProduct,
  isa: Isa,
): { readonly source: string; readonly pieces: number } {
  const v = vectorType(isa);
  const { width } = isa;
  const body = (rows: number) => {
    // A single sum would wait for itself: several chains share its terms.
    const chains = Math.max(1, Math.min(Math.floor(8 / (rows * n)), Math.floor(k / width)));
    const step = chains * width;
    const names = (i: number, j: number) => range(chains).map((u) => `s${i}_${j}_${u}`);
    const all = range(rows).flatMap((i) => range(n).map((j) => [i, j] as const));
    const products = (at: string, u: number, first?: number) => {
      const load = (p: string) =>
        first === undefined ? `${v}_load(${p})` : `${v}_load_first(${p}, ${first})`;
      return [
        ...range(n).map((j) => `${v} y${j} = ${load(`b + ${j * k} + ${at}`)};`),
        ...range(rows).map((i) => {
          const sums = range(n).map((j) => `s${i}_${j}_${u} += x * y${j};`);
          return `{ ${v} x = ${load(`a + ${i * k} + ${at}`)}; ${sums.join(' ')} }`;
        }),
      ].join('\n    ');
    };
    const lines = all.flatMap(([i, j]) => names(i, j).map((s) => `${v} ${s} = {0};`));
    const whole = k - (k % step);
    if (whole > 0) {
      lines.push(`for (long p = 0; p < ${whole}; p += ${step}) {`);
      for (const u of range(chains)) lines.push(`  { ${products(`p + ${u * width}`, u)} }`);
      lines.push('}');
    }
    for (let p = whole; p < k; p += width) {
      const first = Math.min(width, k - p);
      lines.push(`{ ${products(`${p}`, 0, first === width ? undefined : first)} }`);
    }
    for (const [i, j] of all) {
      const at = i * n + j;
      const terms = [`${v}_sum(${names(i, j).join(' + ')})`];
      if (bias === 'row') terms.push(`c[${j}]`);
      if (bias === 'column') terms.push(`c[${i}]`);
      if (bias === 'full') terms.push(`c[${at}]`);
      if (accumulate) terms.push(`out[${at}]`);
      lines.push(`out[${at}] = ${terms.join(' + ')};`);
    }
    return `GIBBS_KERNEL void ${name}_${rows}(const float *a, const float *b, const float *c, float *out) {
  ${lines.join('\n  ')}
}
`;
  };
  const groups = cutEvenly(m, Math.max(1, Math.floor(SUMS / n)));
  const cStep = { none: 0, row: 0, column: 1, full: n }[bias];
  const [pieces, loops] = shareOut(groups, 'i');
  const calls = groups.map(
    ({ start, size }, g) =>
      `${loops[g]} ${name}_${size}(a + (${start} + i * ${size}) * ${k}, b, c + (${start} + i * ${size}) * ${cStep}, out + (${start} + i * ${size}) * ${n});`,
  );
  const source = `${groups.map(({ size }) => body(size)).join('')}static void ${name}(const float *a, const float *b, const float *c, float *out, long me, long all) {
  ${share(pieces)}
  ${calls.join('\n  ')}
}
`;
  return { source, pieces };
}
