import { GibbsError } from '../../core/errors.ts';
import { sizeOf } from '../../core/host-tensor.ts';
import type { ConvAttrs, Node } from '../ir/ops.ts';
import type { Emitter } from './emitter.ts';
import { type Product, productOf } from './half.ts';
import type { LoweringRules } from './lower.ts';
import { timesTransposed } from './products.ts';

type Dims = readonly number[];

const convAttributes = (a: ConvAttrs, kernel: readonly number[]) => ({
  strides: a.strides,
  pads: a.pads,
  dilations: a.dilations,
  group: a.groups,
  kernel_shape: kernel,
});

const unitStride = (a: ConvAttrs) => a.strides[0] === 1 && a.strides[1] === 1;

/** How far the kernel reaches beyond its first tap, along each axis. */
const kernelReach = (a: ConvAttrs, kh: number, kw: number) => [
  a.dilations[0] * (kh - 1),
  a.dilations[1] * (kw - 1),
];

/**
 * With unit stride the adjoint is a convolution with the kernel turned by 180° and its channel
 * axes exchanged: ONNX Runtime's Conv is several times faster than its ConvTranspose.
 */
function turnedConv(e: Emitter, node: Node<'conv2dInputGrad'>, p: Product): string {
  const a = node.attrs;
  const [, , kh, kw] = e.shapeOf(node, 1);
  const original = p.second;
  // One weight has many adjoints: in each pass of a chain, in each gradient.
  const weight = e.once(`turned ${original}`, () => {
    const turned = e.op('Slice', [
      original,
      e.ints([kh - 1, kw - 1]),
      e.ints([-(2 ** 31), -(2 ** 31)]),
      e.ints([2, 3]),
      e.ints([-1, -1]),
    ]);
    return e.op('Transpose', [turned], { perm: [1, 0, 2, 3] });
  });
  const reach = kernelReach(a, kh, kw);
  const pads = a.pads.map((p, i) => reach[i % 2] - p) as unknown as ConvAttrs['pads'];
  return e.op('Conv', [p.first, weight], convAttributes({ ...a, pads }, [kh, kw]));
}

/** All k·k shifts of x under the kernel, stacked: [N, C·k·k, h·w]. */
function columns(e: Emitter, node: Node<'conv2dWeightGrad'>, p: Product): string {
  const { kernel } = node.attrs;
  const [n, c] = e.shapeOf(node, 0);
  const [, , h, w] = e.shapeOf(node, 1);
  const shifts = shiftedSlices(e, node, p).map((s) => e.reshape(s, [n, c, 1, h * w]));
  return e.reshape(e.concat(shifts, 2), [n, c * kernel[0] * kernel[1], h * w]);
}

function shiftedSlices(e: Emitter, node: Node<'conv2dWeightGrad'>, p: Product): string[] {
  const { kernel, strides, pads } = node.attrs;
  const [, , height, width] = e.shapeOf(node, 0);
  const [, , h, w] = e.shapeOf(node, 1);
  const reach = [(h - 1) * strides[0] + kernel[0], (w - 1) * strides[1] + kernel[1]];
  const bottom = Math.max(0, reach[0] - height - pads[0]);
  const right = Math.max(0, reach[1] - width - pads[1]);
  const padded =
    pads[0] + pads[1] + bottom + right === 0
      ? p.first
      : e.op('Pad', [p.first, e.ints([0, 0, pads[0], pads[1], 0, 0, bottom, right]), p.zero()]);
  const slices: string[] = [];
  for (let i = 0; i < kernel[0]; i++) {
    for (let j = 0; j < kernel[1]; j++) {
      slices.push(
        e.op('Slice', [
          padded,
          e.ints([i, j]),
          e.ints([i + (h - 1) * strides[0] + 1, j + (w - 1) * strides[1] + 1]),
          e.ints([2, 3]),
          e.ints(strides),
        ]),
      );
    }
  }
  return slices;
}

/**
 * With unit stride a tap of the kernel sees the padded image from some place on, as one piece: give
 * the outputs the image's row length, zeros filling the starts of rows, and every tap is a product
 * of [O, L] with [L, C] over the pixels of all images. Nothing is gathered row by row. The taps of
 * one row of the kernel are one product: the outputs, shifted against each other, are stacked.
 */
function shiftedProducts(e: Emitter, node: Node<'conv2dWeightGrad'>, p: Product): string {
  const { kernel, pads } = node.attrs;
  const [kh, kw] = kernel;
  const [n, c, height, width] = e.shapeOf(node, 0);
  const [, o, h, w] = e.shapeOf(node, 1);
  const [rows, row] = [h + kh - 1, w + kw - 1];
  const padded = (images: string, before: Dims, after: Dims) =>
    [...before, ...after].every((n) => n === 0)
      ? images
      : e.op('Pad', [images, e.ints([0, 0, ...before, 0, 0, ...after]), p.zero()]);
  const image = padded(
    p.first,
    [pads[0], pads[1]],
    [rows - height - pads[0], row - width - pads[1]],
  );
  const spread = padded(p.second, [0, kw - 1], [kh - 1, 0]);
  const pixels = n * rows * row;
  const x = e.reshape(e.op('Transpose', [image], { perm: [0, 2, 3, 1] }), [pixels, c]);
  const dy = e.reshape(e.op('Transpose', [spread], { perm: [1, 0, 2, 3] }), [o, pixels]);
  // The rows below the last output are zeros.
  const length = pixels - (kh - 1) * row;
  const seen = (of: string, axis: number, from: number) =>
    length === pixels
      ? of
      : e.op('Slice', [of, e.ints([from]), e.ints([from + length]), e.ints([axis])]);
  const shifted = Array.from({ length: kw }, (_, j) => seen(dy, 1, kw - 1 - j));
  const shifts = e.concat(shifted, 0);
  const taps = e.concat(
    Array.from({ length: kh }, (_, i) =>
      e.op('Gemm', [shifts, seen(x, 0, i * row)], { transA: 0, transB: 0 }),
    ),
    0,
  );
  const wide = p.result(e.reshape(taps, [kh * kw, o * c]));
  const turned = e.op('Transpose', [wide], { perm: [1, 0] });
  return e.reshape(turned, node.shape);
}

/** How many pixels the zeros of `shiftedProducts` may add, relative to the outputs. */
const MOST_PADDING = 1.7;

function shiftsPay(e: Emitter, node: Node<'conv2dWeightGrad'>): boolean {
  const { kernel, strides, pads } = node.attrs;
  const [, , height, width] = e.shapeOf(node, 0);
  const [, , h, w] = e.shapeOf(node, 1);
  const [rows, row] = [h + kernel[0] - 1, w + kernel[1] - 1];
  const unit = strides[0] === 1 && strides[1] === 1;
  // Rounded down, the last rows of the image are seen by no window.
  const covered = rows - height - pads[0] >= 0 && row - width - pads[1] >= 0;
  // The outputs are shifted by up to a row of the kernel within the zeros below them.
  const room = kernel[1] - 1 <= (kernel[0] - 1) * row;
  return unit && covered && room && rows * row <= MOST_PADDING * h * w;
}

/** Each channel meets its own outputs only: products and sums, no matrix product. */
function depthwiseWeightGrad(e: Emitter, node: Node<'conv2dWeightGrad'>, p: Product): string {
  const [n, c] = e.shapeOf(node, 0);
  const [, o, h, w] = e.shapeOf(node, 1);
  const dy = e.reshape(p.second, [n, c, o / c, h, w]);
  const taps = shiftedSlices(e, node, p).map((slice) => {
    const x = e.reshape(slice, [n, c, 1, h, w]);
    const product = e.op('Mul', [x, dy]);
    return e.reshape(e.op('ReduceSum', [product, e.ints([0, 3, 4])], { keepdims: 0 }), [o, 1]);
  });
  return e.reshape(e.concat(taps, 1), node.shape);
}

function convolution(e: Emitter, node: Node<'conv2d' | 'conv2dBias'>): string {
  const weight = e.shapeOf(node, 1);
  const attributes = convAttributes(node.attrs, weight.slice(2));
  const p = productOf(e, node, sizeOf(weight.slice(1)));
  const bias = node.inputs.slice(2).map((i) => e.name(i));
  if (p.exact) return e.op('Conv', [p.first, p.second, ...bias], attributes);
  const sum = p.result(e.op('Conv', [p.first, p.second], attributes));
  return bias.length === 0 ? sum : e.op('Add', [sum, e.reshape(bias[0], [1, weight[0], 1, 1])]);
}

export const CONV_LOWERING: LoweringRules<
  'conv2d' | 'conv2dBias' | 'conv2dInputGrad' | 'conv2dWeightGrad'
> = {
  conv2d: convolution,
  conv2dBias: convolution,
  conv2dInputGrad: (e, node) => {
    const a = node.attrs;
    const [filters, , kh, kw] = e.shapeOf(node, 1);
    const p = productOf(e, node, (filters / a.groups) * kh * kw);
    const extent = kernelReach(a, kh, kw);
    const covered = a.pads.every((p, i) => p <= extent[i % 2]);
    if (unitStride(a) && a.groups === 1 && covered) return p.result(turnedConv(e, node, p));
    const [h, w] = e.shapeOf(node, 0).slice(2);
    const reach = (size: number, k: number, axis: 0 | 1) =>
      (size - 1) * a.strides[axis] + a.dilations[axis] * (k - 1) + 1;
    // Rows of the input that no window reaches are cut off by the pads and come back as zeros.
    const bottom = reach(h, kh, 0) - a.pads[0] - a.inputSize[0];
    const right = reach(w, kw, 1) - a.pads[1] - a.inputSize[1];
    const out = [Math.max(0, -bottom), Math.max(0, -right)];
    const pads = [a.pads[0], a.pads[1], Math.max(0, bottom), Math.max(0, right)] as const;
    const adjoint = e.op('ConvTranspose', [p.first, p.second], {
      ...convAttributes({ ...a, pads }, [kh, kw]),
      output_padding: out,
    });
    return p.result(adjoint);
  },
  conv2dWeightGrad: (e, node) => {
    const { groups } = node.attrs;
    const channels = e.shapeOf(node, 0)[1];
    const [n, o, h, w] = e.shapeOf(node, 1);
    const p = productOf(e, node, n * h * w);
    if (groups > 1 && groups === channels) return p.result(depthwiseWeightGrad(e, node, p));
    if (groups > 1) {
      throw new GibbsError(
        'internal',
        `conv2dWeightGrad: ${groups} groups of ${channels} channels are not lowered`,
      );
    }
    if (shiftsPay(e, node)) return shiftedProducts(e, node, p);
    const dy = e.reshape(p.second, [n, o, h * w]);
    const perImage = p.result(timesTransposed(e, dy, columns(e, node, p)));
    const total = e.op('ReduceSum', [perImage, e.ints([0])], { keepdims: 0 });
    return e.reshape(total, node.shape);
  },
};
