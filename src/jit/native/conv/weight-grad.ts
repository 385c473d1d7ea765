import { multiplyPairs, toPairs } from '../gemm/bf16.ts';
import { parted } from '../gemm/gemm.ts';
import type { Isa } from '../gemm/isa.ts';
import { range } from '../gemm/micro.ts';
import { emitSums } from '../gemm/reduce.ts';
import { cutEvenly, share, shareOut } from '../gemm/tiles.ts';
import { vectorType } from '../gemm/vector.ts';
import { align, type Emitted } from './forward.ts';
import type { Geometry } from './geometry.ts';
import { emitPadding } from './padded.ts';

/** Pixels that are worked on together: rows of x that long stay in the first cache level. */
const PIXELS_AT_ONCE = 1024;

/**
 * C of `NAME(x, dy, c, out, scratch)`: every weight is a dot product over the pixels of all images.
 * Vectors lie along the pixels and are added up once per block of images, in a fixed order.
 */
export function emitWeightGrad(name: string, g: Geometry, isa: Isa): Emitted {
  const { width } = isa;
  const [filtersAtOnce, placesAtOnce] = isa.vectors === 3 ? [4, 6] : [3, 3];
  const most = Math.max(1, Math.floor(PIXELS_AT_ONCE / g.pixels));
  const blocks = cutEvenly(g.batch, most);
  const paired = g.precision === 'bf16';
  const together = paired ? 2 : 1;
  const perVector = width * together;
  const longest = Math.max(...blocks.map((b) => b.size)) * g.pixels;
  const lines = Math.ceil(longest / perVector);
  // An odd number: rows a power of two apart would share a few places of the cache.
  const length = (lines + 1 - (lines % 2)) * width;
  const paddedFloats = g.bare
    ? 0
    : align(Math.max(...blocks.map((b) => b.size)) * g.paddedImage, isa);
  const tiles = cutEvenly(g.groupFilters, filtersAtOnce);
  const places = cutEvenly(g.depth, placesAtOnce);
  const parts: string[] = g.bare ? [] : [emitPadding(`${name}_pad`, g)];
  for (const { size: rows } of tiles) {
    for (const { size: columns } of places) {
      parts.push(
        emitDots(`${name}_${rows}x${columns}`, rows, columns, length, g.depth, isa, paired),
      );
    }
  }
  const image = g.bare ? g.channels * g.height * g.width : g.paddedImage;
  const [pieces, loops] = shareOut(places, 'place');
  // A row as it is, or by way of one in floats.
  const placed = (write: (to: string) => string, to: string) =>
    paired
      ? `{ ${write('row')} ${toPairs('row', to, { k: lines * perVector, other: 1, alongRows: true })} }`
      : write(to);
  const products = places.map(
    ({ start, size }, h) => `${loops[h]} {
          const long k = ${start} + place * ${size};
          for (long u = 0; u < ${size}; u++) ${placed((to) => `${name}_row(image + group * ${g.groupChannels * g.paddedHeight * g.paddedWidth}, k + u, images, ${to});`, `rows + u * ${length}`)}
          ${tiles
            .map(
              (t) =>
                `for (long o = ${t.start}; o < ${t.start + t.size * t.count}; o += ${t.size}) ${name}_${t.size}x${size}(turned + (group * ${g.groupFilters} + o) * ${length}, rows, out + (group * ${g.groupFilters} + o) * ${g.depth} + k, vectors, n != 0);`,
            )
            .join('\n          ')}
        }`,
  );
  const body = blocks.map(
    ({
      start,
      size,
      count,
    }) => `for (long n = ${start}; n < ${start + size * count}; n += ${size}) {
    const long images = ${size}, vectors = ${Math.ceil((size * g.pixels) / perVector)};
    ${g.bare ? `const float *image = x + n * ${image};` : `const float *image = scratch;\n    ${name}_pad(x + n * ${g.channels * g.height * g.width}, scratch, images);`}
    for (long o = 0; o < ${g.filters}; o++) ${placed(
      (to) => `{
      float *to = ${to};
      for (long i = 0; i < images; i++)
        __builtin_memcpy(to + i * ${g.pixels}, dy + ((n + i) * ${g.filters} + o) * ${g.pixels}, ${4 * g.pixels});
      for (long i = images * ${g.pixels}; i < vectors * ${perVector}; i++) to[i] = 0;
    }`,
      `turned + o * ${length}`,
    )}
    for (long group = 0; group < ${g.groups}; group++) {
        ${products.join('\n        ')}
    }
  }`,
  );
  const whole = `float *turned = scratch + ${paddedFloats};
  float *rows = turned + ${g.filters * length};
  ${paired ? `float *row = rows + ${placesAtOnce * length};` : ''}
  ${share(pieces)}
  ${body.join('\n  ')}`;
  return {
    scratch: paddedFloats + (g.filters + placesAtOnce + (paired ? 2 : 0)) * length,
    pieces,
    source: `${parts.join('')}${emitRow(`${name}_row`, g, image, perVector)}${parted(name, 'x, dy, c, out', whole)}`,
  };
}

/**
 * C of `NAME(image, k, images, row)`: the pixels that weight `k` of a filter meets, and zeros up to a
 * multiple of `whole`.
 */
function emitRow(name: string, g: Geometry, image: number, whole: number): string {
  const [kh, kw] = g.kernel;
  const [sh, sw] = g.strides;
  const copy =
    sw === 1
      ? `__builtin_memcpy(row, p, ${4 * g.columns});`
      : `for (long i = 0; i < ${g.columns}; i++) row[i] = p[i * ${sw}];`;
  return `GIBBS_KERNEL void ${name}(const float *image, long k, long images, float *row) {
  const long tap = k % ${kh * kw};
  image += k / ${kh * kw} * ${g.paddedHeight * g.paddedWidth} + tap / ${kw} * ${g.dilations[0] * g.paddedWidth} + tap % ${kw} * ${g.dilations[1]};
  const float *end = row + (images * ${g.pixels} + ${whole - 1}) / ${whole} * ${whole};
  for (long n = 0; n < images; n++)
    for (long y = 0; y < ${g.rows}; y++, row += ${g.columns}) {
      const float *p = image + n * ${image} + y * ${sh * g.paddedWidth};
      ${copy}
    }
  while (row < end) *row++ = 0;
}
`;
}

/** C of `NAME(a, b, out, vectors, add)`: dot products of each row of a with each of b. */
function emitDots(
  name: string,
  rows: number,
  columns: number,
  length: number,
  outRow: number,
  isa: Isa,
  paired: boolean,
): string {
  const multiply = paired
    ? multiplyPairs
    : (s: string, a: string, b: string) => `${s} += ${a} * ${b};`;
  const v = vectorType(isa);
  const all = range(rows).flatMap((i) => range(columns).map((j) => [i, j] as const));
  const loads = range(rows).map((i) => `${v} a${i} = ${v}_load(a + ${i * length});`);
  const steps = range(columns).map((j) => {
    const sums = range(rows).map((i) => multiply(`s${i}_${j}`, `a${i}`, 'x'));
    return `{ ${v} x = ${v}_load(b + ${j * length}); ${sums.join(' ')} }`;
  });
  return `GIBBS_KERNEL void ${name}(const float *a, const float *b, float *out, long vectors, int add) {
  ${all.map(([i, j]) => `${v} s${i}_${j} = {0};`).join('\n  ')}
  for (long p = 0; p < vectors; p++) {
    ${[...loads, ...steps].join('\n    ')}
    a += ${isa.width}; b += ${isa.width};
  }
  float t[${all.length}];
${emitSums(
  all.map(([i, j]) => `s${i}_${j}`),
  't',
  isa,
).join('\n')}
  for (int i = 0; i < ${rows}; i++)
    for (int j = 0; j < ${columns}; j++) out[i * ${outRow} + j] = t[i * ${columns} + j] + (add ? out[i * ${outRow} + j] : 0);
}
`;
}
