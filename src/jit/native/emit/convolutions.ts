import { sizeOf } from '../../../core/host-tensor.ts';
import type { ConvAttrs } from '../../ir/ops.ts';
import type { GemmCall } from '../gemm/gemm.ts';
import type { CallEmitter, CallRule } from './call.ts';

/** Sizes of a convolution, by group: `c` and `o` channels in and out of each. */
interface Sizes {
  readonly n: number;
  readonly groups: number;
  readonly c: number;
  readonly o: number;
  readonly image: readonly [number, number];
  readonly out: readonly [number, number];
  readonly kernel: readonly [number, number];
  readonly attrs: ConvAttrs;
}

type Dims = readonly number[];

function sizes(x: Dims, dy: Dims, kernel: Dims, attrs: ConvAttrs): Sizes {
  const { groups } = attrs;
  return {
    n: x[0],
    groups,
    c: x[1] / groups,
    o: dy[1] / groups,
    image: [x[2], x[3]],
    out: [dy[2], dy[3]],
    kernel: [kernel[0], kernel[1]],
    attrs,
  };
}

/** Rows and columns of the matrix of patches: what each tap sees, for all outputs. */
const patch = ({ c, kernel, out }: Sizes) => ({
  taps: c * kernel[0] * kernel[1],
  pixels: out[0] * out[1],
});

/** A kernel of one pixel on every pixel: the image is its own matrix of patches. */
const isPlain = ({ kernel, attrs }: Sizes) =>
  sizeOf(kernel) === 1 && sizeOf(attrs.strides) === 1 && attrs.pads.every((p) => p === 0);

/** Loops over the elements of the matrix of patches; `inside` says whether it lies in the image. */
function overPatches(s: Sizes, statement: string): string {
  const { strides, dilations, pads } = s.attrs;
  const [h, w] = s.out;
  return `
    for (long c = 0; c < ${s.c}; c++)
    for (long u = 0; u < ${s.kernel[0]}; u++)
    for (long v = 0; v < ${s.kernel[1]}; v++)
    for (long y = 0; y < ${h}; y++) {
      const long row = y * ${strides[0]} + u * ${dilations[0]} - ${pads[0]};
      const long at = (((c * ${s.kernel[0]} + u) * ${s.kernel[1]} + v) * ${h} + y) * ${w};
      const long from = (c * ${s.image[0]} + row) * ${s.image[1]} + v * ${dilations[1]} - ${pads[1]};
      const long rest = v * ${dilations[1]} - ${pads[1]};
      const int there = row >= 0 && row < ${s.image[0]};
      for (long x = 0; x < ${w}; x++) {
        const long column = x * ${strides[1]} + rest;
        const int inside = there && column >= 0 && column < ${s.image[1]};
        ${statement.replaceAll('$at', 'at + x').replaceAll('$from', `from + x * ${strides[1]}`)}
      }
    }`;
}

/** The matrix of patches of an image, as statements and the name of the array that holds it. */
function patches(c: CallEmitter, s: Sizes, image: string): { code: string; name: string } {
  if (isPlain(s)) return { code: '', name: image };
  const { taps, pixels } = patch(s);
  const name = c.scratch(taps * pixels);
  const code = overPatches(s, `${name}[$at] = inside ? image[$from] : 0.0f;`);
  return { code: `    const float *image = ${image};${code}`, name };
}

/** Loops over images and groups around `body`. */
const perGroup = (s: Sizes, body: string) => `
  for (long n = 0; n < ${s.n}; n++)
  for (long g = 0; g < ${s.groups}; g++) {
${body}
  }`;

const imageAt = (name: string, s: Sizes) =>
  `${name} + (n * ${s.groups} + g) * ${s.c * sizeOf(s.image)}`;
const outputAt = (name: string, s: Sizes) =>
  `${name} + (n * ${s.groups} + g) * ${s.o * sizeOf(s.out)}`;
const weightAt = (name: string, s: Sizes) => `${name} + g * ${s.o * patch(s).taps}`;

const PLAIN_CALL = {
  transA: false,
  transB: false,
  batch: 1,
  accumulate: false,
  bias: 'none',
} as const;

const convolution: CallRule<'conv2d' | 'conv2dBias'> = (c, node) => {
  const s = sizes(c.shape(0), node.shape, c.shape(1).slice(2), node.attrs);
  const { taps, pixels } = patch(s);
  const biased = node.op === 'conv2dBias';
  const x = patches(c, s, imageAt(c.operand(0), s));
  const call: GemmCall = {
    ...PLAIN_CALL,
    m: s.o,
    n: pixels,
    k: taps,
    bias: biased ? 'column' : 'none',
  };
  const bias = biased ? `${c.operand(2)} + g * ${s.o}` : 'NULL';
  const product = c.product(call, weightAt(c.operand(1), s), x.name, bias, outputAt(c.result(), s));
  return perGroup(s, `${x.code}\n    ${product}`);
};

const inputGrad: CallRule<'conv2dInputGrad'> = (c, node) => {
  const s = sizes(node.shape, c.shape(0), c.shape(1).slice(2), node.attrs);
  const { taps, pixels } = patch(s);
  const image = imageAt(c.result(), s);
  const call: GemmCall = { ...PLAIN_CALL, m: taps, n: pixels, k: s.o, transA: true };
  const product = (out: string) =>
    c.product(call, weightAt(c.operand(1), s), outputAt(c.operand(0), s), 'NULL', out);
  if (isPlain(s)) return perGroup(s, `    ${product(image)}`);
  const columns = c.scratch(taps * pixels);
  const body = `
    float *image = ${image};
    ${product(columns)}
    for (long i = 0; i < ${s.c * sizeOf(s.image)}; i++) image[i] = 0.0f;
    ${overPatches(s, `if (inside) image[$from] += ${columns}[$at];`)}`;
  return perGroup(s, body);
};

const weightGrad: CallRule<'conv2dWeightGrad'> = (c, node) => {
  const s = sizes(c.shape(0), c.shape(1), node.attrs.kernel, node.attrs);
  const { taps, pixels } = patch(s);
  const x = patches(c, s, imageAt(c.operand(0), s));
  const call: GemmCall = {
    ...PLAIN_CALL,
    m: s.o,
    n: taps,
    k: pixels,
    transB: true,
    accumulate: true,
  };
  const out = c.result();
  const product = c.product(call, outputAt(c.operand(1), s), x.name, 'NULL', weightAt(out, s));
  const zero = `  for (long i = 0; i < ${sizeOf(node.shape)}; i++) ${out}[i] = 0.0f;`;
  return `${zero}${perGroup(s, `${x.code}\n    ${product}`)}`;
};

export const CONVOLUTIONS = {
  conv2d: convolution as CallRule<'conv2d'>,
  conv2dBias: convolution as CallRule<'conv2dBias'>,
  conv2dInputGrad: inputGrad,
  conv2dWeightGrad: weightGrad,
};
