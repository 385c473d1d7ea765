import type { ConvAttrs } from '../../ir/ops.ts';
import { type ConvCall, convKernel } from '../conv/conv.ts';
import type { CallEmitter, CallRule } from './call.ts';

type Dims = readonly number[];

/** The sizes of a convolution, from the shapes of its image, of what it yields and of its kernel. */
const sizes = (x: Dims, filters: number, kernel: Dims, attrs: ConvAttrs) => ({
  ...{ batch: x[0], channels: x[1], height: x[2], width: x[3], filters },
  ...{ kernel: [kernel[0], kernel[1]] as const, strides: attrs.strides, pads: attrs.pads },
  ...{ dilations: attrs.dilations, groups: attrs.groups },
});

const call = (c: CallEmitter, conv: ConvCall) =>
  c.kernel(
    convKernel(conv),
    c.operand(0),
    c.operand(1),
    conv.bias ? c.operand(2) : 'NULL',
    c.result(),
  );

const convolution: CallRule<'conv2d' | 'conv2dBias'> = (c, node) => {
  const [filters, , ...kernel] = c.shape(1);
  const bias = node.op === 'conv2dBias';
  return call(c, { kind: 'forward', ...sizes(c.shape(0), filters, kernel, node.attrs), bias });
};

const inputGrad: CallRule<'conv2dInputGrad'> = (c, node) => {
  const [filters, , ...kernel] = c.shape(1);
  const of = sizes(node.shape, filters, kernel, node.attrs);
  return call(c, { kind: 'inputGrad', ...of, bias: false });
};

const weightGrad: CallRule<'conv2dWeightGrad'> = (c, node) => {
  const of = sizes(c.shape(0), c.shape(1)[1], node.attrs.kernel, node.attrs);
  return call(c, { kind: 'weightGrad', ...of, bias: false });
};

export const CONVOLUTIONS = {
  conv2d: convolution as CallRule<'conv2d'>,
  conv2dBias: convolution as CallRule<'conv2dBias'>,
  conv2dInputGrad: inputGrad,
  conv2dWeightGrad: weightGrad,
};
