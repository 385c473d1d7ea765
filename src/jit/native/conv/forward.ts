import { multiplyPairs, toPairs } from '../gemm/bf16.ts';
import { parted } from '../gemm/gemm.ts';
import type { Isa } from '../gemm/isa.ts';
import { emitMicro, range } from '../gemm/micro.ts';
import { cutColumns, cutEvenly, share, shareOut } from '../gemm/tiles.ts';
import { vectorType } from '../gemm/vector.ts';
import type { Geometry } from './geometry.ts';
import { emitPadding } from './padded.ts';

/** C of a body and the floats of scratch that it needs. */
export interface Emitted {
  readonly source: string;
  /** Of each thread. */
  readonly scratch: number;
  /** Into how many pieces it can be cut. */
  readonly pieces: number;
}

/** Products of a sum before it is put down, and vectors of columns that are copied at a time. */
const LONGEST_SUM = 640;
const VECTORS_AT_A_TIME = 12;

/** Panels of columns: pixels of the result, over one image or several. */
interface Run {
  readonly start: number;
  readonly vectors: number;
  readonly count: number;
  readonly tail: number;
}

interface Plan {
  /** Images that are worked on together. */
  readonly images: number;
  readonly vectorsPerImage: number;
  readonly runs: readonly Run[];
  /** Distance in the result between the vectors of one panel. */
  readonly outVector: number;
}

/** Panels fill registers best when they are three or four vectors wide and end with an image. */
function plan(g: Geometry, isa: Isa): Plan {
  const { width } = isa;
  const widths = isa.vectors === 3 ? [4, 3, 2] : [2, 3];
  const perImage = g.pixels / width;
  const divisor = (n: number, most: number) =>
    range(most)
      .map((i) => most - i)
      .find((d) => n % d === 0) ?? 1;
  if (Number.isInteger(perImage)) {
    const within = widths.find((v) => perImage % v === 0);
    const across = perImage === 1 ? widths.find((v) => g.batch % v === 0) : undefined;
    const vectors = within ?? across;
    if (vectors !== undefined) {
      const wanted = Math.max(1, Math.floor(VECTORS_AT_A_TIME / perImage));
      const images =
        within !== undefined
          ? divisor(g.batch, Math.min(wanted, g.batch))
          : vectors * divisor(g.batch / vectors, Math.max(1, Math.floor(wanted / vectors)));
      return {
        images,
        vectorsPerImage: perImage,
        runs: [{ start: 0, vectors, count: (images * perImage) / vectors, tail: width }],
        outVector: within !== undefined ? width : g.filters * g.pixels,
      };
    }
  }
  const panels = cutColumns(g.pixels, isa, g.groupFilters);
  return {
    images: 1,
    vectorsPerImage: Math.ceil(g.pixels / width),
    runs: panels.map((p) => ({ ...p, start: p.start / width })),
    outVector: width,
  };
}

/**
 * C of `NAME(x, w, c, out, scratch)` and `NAME_part`: a product of the weights [O, C·kh·kw] with the pixels under
 * the kernel [C·kh·kw, pixels], of which a few columns at a time are copied out of the padded image.
 */
export function emitForward(name: string, g: Geometry, isa: Isa): Emitted {
  const { width } = isa;
  const { images, vectorsPerImage, runs, outVector } = plan(g, isa);
  const paired = g.precision === 'bf16';
  // Numbers that stand in the place of one float, all of them of the same block of channels.
  const together = paired ? 2 : 1;
  const most = Math.floor(LONGEST_SUM / g.taps / together);
  const channelBlocks = cutEvenly(g.groupChannels / together, Math.max(1, most)).map(
    ({ start, size, count }) => ({ start: start * together, size: size * together, count }),
  );
  const split = channelBlocks.length > 1 || channelBlocks[0].count > 1;
  const parts: string[] = g.bare ? [] : [emitPadding(`${name}_pad`, g)];
  const paddedFloats = g.bare ? 0 : images * g.paddedImage;
  const image = g.bare ? g.channels * g.height * g.width : g.paddedImage;
  const bias = g.bias ? 'column' : 'none';
  const lines: string[] = [];
  const steps = g.batch / images;
  // Threads share the images; where all of them are one piece, the filters.
  const byFilters = steps === 1 && runs.length === 1;
  let pieces = steps;
  let widest = 0;
  let panelMost = 0;
  const weights = paired ? 'weights' : 'w';
  for (const run of runs) {
    const packer = `${name}_pack_${run.vectors}_${run.tail}`;
    parts.push(emitPacker(packer, g, run, isa));
    const panelFloats = run.vectors * width;
    const blocks = cutEvenly(run.count, Math.max(1, Math.floor(VECTORS_AT_A_TIME / run.vectors)));
    for (const block of blocks) {
      for (const channelsOf of channelBlocks) {
        const depth = channelsOf.size * g.taps;
        widest = Math.max(widest, (block.size * panelFloats * depth) / together);
        panelMost = Math.max(panelMost, panelFloats * depth);
        const tiles = cutEvenly(g.groupFilters, isa.rows[run.vectors - 1]);
        const [tileCount, shares] = shareOut(tiles, 'tile');
        if (byFilters) pieces = tileCount;
        const calls = tiles.flatMap(({ start, size, count }, h) => {
          const kernel = {
            name: `${name}_${size}x${run.vectors}_${run.tail}`,
            rows: size,
            vectors: run.vectors,
            tail: run.tail,
            k: split ? ('k' as const) : g.depth / together,
            aRow: g.depth / together,
            aColumn: 1,
            bRow: panelFloats,
            outRow: g.pixels,
            outVector,
            bPadded: true,
            bias: split ? ('none' as const) : (bias as 'none' | 'column'),
            accumulate: split,
            multiply: paired ? multiplyPairs : undefined,
          };
          const source = emitMicro(kernel, isa);
          if (!parts.includes(source)) parts.push(source);
          return [
            `${byFilters ? shares[h] : `for (long tile = 0; tile < ${count}; tile++)`} {`,
            `  const long i = ${start} + tile * ${size};`,
            `  for (long q = 0; q < ${block.size}; q++) {`,
            `    const long t = first + q * ${run.vectors};`,
            `    ${kernel.name}(${weights} + (group * ${g.groupFilters} + i) * ${g.depth / together} + k, panels + q * ${(panelFloats * depth) / together}, c + ${bias === 'none' ? 0 : `group * ${g.groupFilters} + i`},`,
            `      out + ((n + t / ${vectorsPerImage}) * ${g.filters} + group * ${g.groupFilters} + i) * ${g.pixels} + t % ${vectorsPerImage} * ${width}${split ? `, ${depth / together}` : ''});`,
            '  }',
            '}',
          ];
        });
        lines.push(
          `for (long first = ${run.start + block.start * run.vectors}; first < ${run.start + (block.start + block.size * block.count) * run.vectors}; first += ${block.size * run.vectors})`,
          `  for (long ch = ${channelsOf.start}; ch < ${channelsOf.start + channelsOf.size * channelsOf.count}; ch += ${channelsOf.size}) {`,
          `    const long k = ch * ${g.taps} / ${together};`,
          `    for (long q = 0; q < ${block.size}; q++) {`,
          `      const long t = first + q * ${run.vectors};`,
          `      ${packer}(image + (group * ${g.groupChannels} + ch) * ${g.paddedHeight * g.paddedWidth}, t, ${channelsOf.size}, ${paired ? 'panel' : `panels + q * ${panelFloats * depth}`});`,
          paired
            ? `      ${toPairs('panel', `panels + q * ${(panelFloats * depth) / 2}`, { k: depth, other: panelFloats, alongRows: false })}`
            : '',
          '    }',
          ...calls.map((line) => `    ${line}`),
          '  }',
        );
      }
    }
  }
  const rows = cutEvenly(g.groupFilters, isa.rows[runs[0].vectors - 1]);
  const [, beginning] = shareOut(rows, 'tile');
  const set = (from: string, to: string) => `for (long o = ${from}; o < ${to}; o++)
        for (long j = 0; j < ${g.pixels}; j++) out[((n + r) * ${g.filters} + o) * ${g.pixels} + j] = ${g.bias ? 'c[o]' : '0'};`;
  const begin = byFilters
    ? `for (long group = 0; group < ${g.groups}; group++) {
      ${rows
        .map(({ start, size }, h) => {
          const first = `group * ${g.groupFilters} + ${start} + tile * ${size}`;
          return `${beginning[h]} ${set(first, `${first} + ${size}`)}`;
        })
        .join('\n      ')}
      }`
    : set('0', `${g.filters}`);
  const before = align(paddedFloats, isa);
  const weightFloats = paired ? align((g.filters * g.depth) / 2, isa) : 0;
  const panelFloats = paired ? panelMost : 0;
  const pairs = `float *weights = scratch + ${before}, *panel = weights + ${weightFloats};
  ${toPairs('w', 'weights', { k: g.depth, other: g.filters, alongRows: true })}`;
  const body = `float *panels = scratch + ${before + weightFloats + panelFloats};
  ${paired ? pairs : ''}
  ${share(pieces)}
  for (long n = ${byFilters ? 0 : `from * ${images}`}; n < ${byFilters ? g.batch : `to * ${images}`}; n += ${images}) {
    ${split ? `for (long r = 0; r < ${images}; r++) ${begin}` : ''}
    ${g.bare ? `const float *image = x + n * ${image};` : `const float *image = scratch;\n    ${name}_pad(x + n * ${g.channels * g.height * g.width}, scratch, ${images});`}
    for (long group = 0; group < ${g.groups}; group++) {
      ${lines.join('\n      ')}
    }
  }`;
  const source = `${parts.join('')}${parted(name, 'x, w, c, out', body)}`;
  return { source, scratch: before + weightFloats + panelFloats + widest, pieces };
}

export const align = (floats: number, { width }: Isa) => Math.ceil(floats / width) * width;

/**
 * C of `NAME(image, t, channels, panel)`: for every place under the kernel a row of the panel, with
 * the pixels of vectors `t`, `t` + 1, … of the result.
 */
function emitPacker(name: string, g: Geometry, run: Run, isa: Isa): string {
  const { width } = isa;
  const v = vectorType(isa);
  const [sh, sw] = g.strides;
  const [dh, dw] = g.dilations;
  const imageFloats = g.bare ? g.channels * g.height * g.width : g.paddedImage;
  const perImage = Math.ceil(g.pixels / width);
  const regular = g.columns % width === 0 || (width % g.columns === 0 && g.pixels % width === 0);
  const head = range(run.vectors).map(
    (j) => `const long pixel${j} = (t + ${j}) % ${perImage} * ${width};
  const float *p${j} = image + (t + ${j}) / ${perImage} * ${imageFloats}${
    regular
      ? ` + pixel${j} / ${g.columns} * ${sh * g.paddedWidth} + pixel${j} % ${g.columns} * ${sw}`
      : ''
  };`,
  );
  const table = regular
    ? []
    : range(run.vectors).flatMap((j) => {
        const lanes = j === run.vectors - 1 ? run.tail : width;
        return [
          `int at${j}[${width}] = {0};`,
          `for (int l = 0; l < ${lanes}; l++) at${j}[l] = (int)((pixel${j} + l) / ${g.columns} * ${sh * g.paddedWidth} + (pixel${j} + l) % ${g.columns} * ${sw});`,
        ];
      });
  const segment = Math.min(g.columns, width);
  const copy = (j: number, at: string) => {
    const to = `panel + ${j * width}`;
    if (!regular)
      return `for (int l = 0; l < ${width}; l++) (${to})[l] = (p${j} + ${at})[at${j}[l]];`;
    if (sw === 1 && segment === width) return `${v}_store(${to}, ${v}_load(p${j} + ${at}));`;
    return range(width / segment)
      .map((s) => {
        const [from, dest] = [
          `p${j} + ${at} + ${s * sh * g.paddedWidth}`,
          `${to} + ${s * segment}`,
        ];
        return sw === 1
          ? `__builtin_memcpy(${dest}, ${from}, ${4 * segment});`
          : `for (int l = 0; l < ${segment}; l++) (${dest})[l] = (${from})[l * ${sw}];`;
      })
      .join(' ');
  };
  const places = range(g.kernel[0]).flatMap((y) =>
    range(g.kernel[1]).map((x) => {
      const at = `${y * dh * g.paddedWidth + x * dw}`;
      return `${range(run.vectors)
        .map((j) => copy(j, at))
        .join(' ')} panel += ${run.vectors * width};`;
    }),
  );
  const next = range(run.vectors).map((j) => `p${j} += ${g.paddedHeight * g.paddedWidth};`);
  return `GIBBS_KERNEL void ${name}(const float *image, long t, long channels, float *panel) {
  ${[...head, ...table].join('\n  ')}
  for (long c = 0; c < channels; c++) {
    ${places.join('\n    ')}
    ${next.join(' ')}
  }
}
`;
}
