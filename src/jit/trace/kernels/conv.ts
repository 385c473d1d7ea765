import type { GraphBuilder } from '../../ir/builder.ts';
import type { ConvAttrs } from '../../ir/ops.ts';
import { tf } from '../../tf.ts';
import { activeOp, traceError } from '../caller.ts';
import type { TraceRule } from '../rules.ts';
import { epilogue } from './matmul.ts';
import { reshape, transpose } from './shape.ts';

/*
 * TensorFlow.js convolves NHWC or NCHW images with HWIO filters; the IR has NCHW and OIHW. The
 * transposes written here meet those of callers who hold PyTorch weights, and cancel.
 */

const NHWC_TO_NCHW = [0, 3, 1, 2];
const NCHW_TO_NHWC = [0, 2, 3, 1];
const HWIO_TO_OIHW = [3, 2, 0, 1];
const OIHW_TO_HWIO = [2, 3, 1, 0];

type Quad = [number, number, number, number];

interface KernelAttrs {
  strides: number | [number, number];
  pad: 'valid' | 'same' | number | tf.backend_util.ExplicitPadding;
  dataFormat?: 'NHWC' | 'NCHW';
  dilations?: number | [number, number];
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
  filterShape?: Quad;
  inputShape?: Quad;
  activation?: string;
  leakyreluAlpha?: number;
}

function convInfo(inputShape: Quad, filterShape: Quad, a: KernelAttrs, depthwise: boolean) {
  const info = tf.backend_util.computeConv2DInfo(
    inputShape,
    filterShape,
    a.strides,
    a.dilations ?? 1,
    a.pad,
    a.dimRoundingMode,
    depthwise,
    a.dataFormat === 'NCHW' ? 'channelsFirst' : 'channelsLast',
  );
  refuseOblong(a.pad, info);
  const { top, left, bottom, right } = info.padInfo;
  // Rounded up, the last window reaches past the padding; it finds zeros there.
  const reach = (out: number, stride: number, window: number) => (out - 1) * stride + window;
  const down = reach(info.outHeight, info.strideHeight, info.effectiveFilterHeight);
  const across = reach(info.outWidth, info.strideWidth, info.effectiveFilterWidth);
  const attrs: ConvAttrs = {
    strides: [info.strideHeight, info.strideWidth],
    pads: [
      top,
      left,
      Math.max(bottom, down - info.inHeight - top),
      Math.max(right, across - info.inWidth - left),
    ],
    dilations: [info.dilationHeight, info.dilationWidth],
    groups: depthwise ? info.inChannels : 1,
  };
  return { info, attrs };
}

/**
 * Given one number as padding, TensorFlow.js works out the width of the result with the height and
 * vertical stride of the window: right for square windows and equal strides only.
 */
export function refuseOblong(pad: unknown, info: tf.backend_util.Conv2DInfo): void {
  const square =
    info.effectiveFilterHeight === info.effectiveFilterWidth &&
    info.strideHeight === info.strideWidth;
  if (typeof pad !== 'number' || square) return;
  throw traceError(
    activeOp(),
    `pads by one number (${pad}) with a window or stride that is not square, for which ` +
      "TensorFlow.js computes a wrong size; give 'same', 'valid' or padding for each side",
  );
}

const first = (b: GraphBuilder, x: number, a: KernelAttrs) =>
  a.dataFormat === 'NCHW' ? x : transpose(b, x, NHWC_TO_NCHW);

const back = (b: GraphBuilder, x: number, a: KernelAttrs) =>
  a.dataFormat === 'NCHW' ? x : transpose(b, x, NCHW_TO_NHWC);

/** HWIO (or depthwise HWCM, output channel c·M + m) to OIHW. */
function weight(b: GraphBuilder, filter: number, depthwise: boolean): number {
  const [h, w, c, m] = b.shape(filter);
  if (!depthwise) return transpose(b, filter, HWIO_TO_OIHW);
  return reshape(b, transpose(b, filter, [2, 3, 0, 1]), [c * m, 1, h, w]);
}

/** OIHW back to the filter layout of TensorFlow.js. */
function filterOf(b: GraphBuilder, w: number, shape: Quad, depthwise: boolean): number {
  if (!depthwise) return transpose(b, w, OIHW_TO_HWIO);
  const [kh, kw, c, m] = shape;
  return transpose(b, reshape(b, w, [c, m, kh, kw]), [2, 3, 0, 1]);
}

const forward =
  (depthwise: boolean): TraceRule =>
  (b, { x, filter }, a: KernelAttrs) => {
    const { attrs } = convInfo(b.shape(x) as Quad, b.shape(filter) as Quad, a, depthwise);
    const y = b.add('conv2d', [first(b, x, a), weight(b, filter, depthwise)], attrs);
    return back(b, y, a);
  };

const inputGrad =
  (depthwise: boolean): TraceRule =>
  (b, { dy, filter }, a: KernelAttrs) => {
    const shape = a.inputShape as Quad;
    const { info, attrs } = convInfo(shape, b.shape(filter) as Quad, a, depthwise);
    const inputSize = [info.inHeight, info.inWidth] as const;
    const w = weight(b, filter, depthwise);
    return back(b, b.add('conv2dInputGrad', [first(b, dy, a), w], { ...attrs, inputSize }), a);
  };

const weightGrad =
  (depthwise: boolean): TraceRule =>
  (b, { x, dy }, a: KernelAttrs) => {
    const shape = a.filterShape as Quad;
    const { attrs } = convInfo(b.shape(x) as Quad, shape, a, depthwise);
    if (attrs.dilations[0] !== 1 || attrs.dilations[1] !== 1) {
      throw traceError('Conv2DBackpropFilter', 'is traced without dilation only');
    }
    const kernel = [shape[0], shape[1]] as const;
    const operands = [first(b, x, a), first(b, dy, a)];
    return filterOf(b, b.add('conv2dWeightGrad', operands, { ...attrs, kernel }), shape, depthwise);
  };

/** The fused kernels add the bias along the last axis, so they are said in NHWC. */
const fused =
  (depthwise: boolean): TraceRule =>
  (b, inputs, a: KernelAttrs) => {
    if (a.dataFormat === 'NCHW') throw traceError('FusedConv2D', 'is traced for NHWC only');
    const y = forward(depthwise)(b, inputs, a) as number;
    return epilogue(b, y, inputs, a.activation, a.leakyreluAlpha ?? 0.2);
  };

export const CONV_RULES: Record<string, TraceRule> = {
  Conv2D: forward(false),
  Conv2DBackpropInput: inputGrad(false),
  Conv2DBackpropFilter: weightGrad(false),
  DepthwiseConv2dNative: forward(true),
  DepthwiseConv2dNativeBackpropInput: inputGrad(true),
  DepthwiseConv2dNativeBackpropFilter: weightGrad(true),
  FusedConv2D: fused(false),
  FusedDepthwiseConv2D: fused(true),
};
