import type { GemmCall } from './gemm.ts';
import type { Isa } from './isa.ts';
import { emitMicro, type MicroKernel } from './micro.ts';
import { type Packing, pack } from './pack.ts';
import { cutColumns, cutEvenly, type Panel, share, shareOut } from './tiles.ts';

/** One product, brought into the form that is best for it. */
export type Product = Omit<GemmCall, 'batch'> & {
  /** Exchange a and b in the call. */
  readonly swapped: boolean;
};

/** C of a function that computes the share of a thread. */
export interface Emitted {
  readonly source: string;
  /** Floats, of each thread. */
  readonly scratch: number;
  /** Into how many pieces it can be cut. */
  readonly pieces: number;
}

export const signature = (name: string) =>
  `static void ${name}_body(const float *a, const float *b, const float *c, float *out, float *scratch, long me, long all)`;

/** Products per sum before it is put down: longer ones would leave the cache. */
const LONGEST_SUM = 1024;
/** Rows of b that are read where they lie while all of them fit the second cache level. */
const READ_IN_PLACE = 192 * 1024;
/** With fewer rows, copying b costs more than it saves. */
const ROWS_WORTH_PACKING = 32;

/**
 * A product tile by tile: panels of columns, which are copied where that pays, and below each of
 * them tiles of rows. Threads share the panels, or else the tiles of each panel.
 */
export function tiled(
  name: string,
  product: Product,
  isa: Isa,
  multiply?: MicroKernel['multiply'],
): Emitted {
  const { m, n, k, transA, transB } = product;
  const { width } = isa;
  const packing: Packing = transB
    ? 'transpose'
    : Math.min(k, LONGEST_SUM) * n > READ_IN_PLACE && m >= ROWS_WORTH_PACKING
      ? 'copy'
      : 'none';
  const blocks = cutEvenly(k, LONGEST_SUM);
  const split = blocks.length > 1 || blocks[0].count > 1;
  const panels = cutColumns(n, isa, m);
  const { pieces, panelLoops, tileLoops, bounds } = cut(product, panels, isa, packing !== 'none');
  const parts: string[] = [];
  const body: string[] = [bounds];
  // Sums that are put down in between begin with what is added and go on from the result.
  if (split) body.push(...begin(product, panels, panelLoops, tileLoops, isa));
  const [bias, accumulate] = split
    ? (['none', true] as const)
    : ([product.bias, product.accumulate] as const);
  const cStep = { none: [0, 0], row: [0, 1], column: [1, 0], full: [n, 1] }[bias];

  for (const block of blocks) {
    const inner: string[] = [];
    panels.forEach((panel, g) => {
      const tiles = cutEvenly(m, isa.rows[panel.vectors - 1]);
      inner.push(
        `${panelLoops[g]} {`,
        `  const long j = ${panel.start} + q * ${panel.vectors * width};`,
        ...pack(packing, panel, block.size, product, isa).map((line) => `  ${line}`),
        ...tileLoops[g].bounds.map((line) => `  ${line}`),
      );
      const [aRow, aColumn] = transA ? [1, m] : [k, 1];
      tiles.forEach(({ start, size }, h) => {
        const kernel: MicroKernel = {
          name: `${name}_${size}x${panel.vectors}_${panel.tail}`,
          rows: size,
          vectors: panel.vectors,
          tail: panel.tail,
          k: split ? 'k' : k,
          aRow,
          aColumn,
          bRow: packing === 'none' ? n : panel.vectors * width,
          outRow: n,
          bPadded: packing !== 'none',
          bias,
          accumulate,
          multiply,
        };
        const source = emitMicro(kernel, isa);
        if (!parts.includes(source)) parts.push(source);
        const a = `a + i * ${aRow} + p * ${aColumn}`;
        const b = packing === 'none' ? `b + p * ${n} + j` : 'scratch';
        const length = split ? `, ${block.size}` : '';
        inner.push(
          `  ${tileLoops[g].loops[h]} {`,
          `    const long i = ${start} + t * ${size};`,
          `    ${kernel.name}(${a}, ${b}, c + i * ${cStep[0]} + j * ${cStep[1]}, out + i * ${n} + j${length});`,
          '  }',
        );
      });
      inner.push('}');
    });
    body.push(
      `for (long p = ${block.start}; p < ${block.start + block.size * block.count}; p += ${block.size}) {`,
      ...inner.map((line) => `  ${line}`),
      '}',
    );
  }
  const widest = Math.max(...panels.map((panel) => panel.vectors)) * width;
  const deepest = Math.max(...blocks.map((block) => block.size));
  return {
    scratch: packing === 'none' ? 0 : widest * deepest,
    pieces,
    source: `${parts.join('')}${signature(name)} {
  ${body.join('\n  ')}
}
`,
  };
}

interface Cut {
  readonly pieces: number;
  /** Heads of the loops over the panels of each group. */
  readonly panelLoops: readonly string[];
  /** Heads of the loops over the tiles below them, and what these need declared. */
  readonly tileLoops: readonly {
    readonly bounds: readonly string[];
    readonly loops: readonly string[];
  }[];
  /** What all need declared. */
  readonly bounds: string;
}

/** Cuts a product for threads where two of them get the same, best between panels: each is copied once. */
function cut({ m }: Product, panels: readonly Panel[], isa: Isa, copied: boolean): Cut {
  const excess = (count: number) => (count < 2 ? 2 : Math.ceil(count / 2) / (count / 2));
  const [columns, panelLoops] = shareOut(panels, 'q');
  const tiles = panels.map(({ vectors }) => shareOut(cutEvenly(m, isa.rows[vectors - 1]), 't'));
  const [rows] = tiles[0];
  const all = (groups: readonly { readonly count: number }[], index: string) =>
    groups.map(({ count }) => `for (long ${index} = 0; ${index} < ${count}; ${index}++)`);
  if (excess(columns) <= excess(rows) + (copied ? 0.1 : 0)) {
    const tileLoops = panels.map(({ vectors }) => ({
      bounds: [],
      loops: all(cutEvenly(m, isa.rows[vectors - 1]), 't'),
    }));
    return { pieces: columns, panelLoops, tileLoops, bounds: share(columns) };
  }
  const tileLoops = tiles.map(([count, loops]) => ({ bounds: [share(count)], loops }));
  return { pieces: rows, panelLoops: all(panels, 'q'), tileLoops, bounds: '' };
}

function begin(
  { m, n, bias, accumulate }: Product,
  panels: readonly Panel[],
  panelLoops: Cut['panelLoops'],
  tileLoops: Cut['tileLoops'],
  isa: Isa,
): string[] {
  if (accumulate && bias === 'none') return [];
  const value = { none: '0', row: 'c[j]', column: 'c[i]', full: `c[i * ${n} + j]` }[bias];
  return panels.flatMap(({ start, vectors, tail }, g) => {
    const columns = (vectors - 1) * isa.width + tail;
    const tiles = cutEvenly(m, isa.rows[vectors - 1]);
    return [
      `${panelLoops[g]} {`,
      ...tileLoops[g].bounds,
      `  const long first = ${start} + q * ${vectors * isa.width};`,
      ...tiles.flatMap((tile, h) => [
        `  ${tileLoops[g].loops[h]}`,
        `  for (long i = ${tile.start} + t * ${tile.size}; i < ${tile.start} + (t + 1) * ${tile.size}; i++)`,
        `    for (long j = first; j < first + ${columns}; j++) out[i * ${n} + j] ${accumulate ? '+=' : '='} ${value};`,
      ]),
      '}',
    ];
  });
}
