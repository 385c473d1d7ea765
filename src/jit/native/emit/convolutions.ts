import { type ConvNode, convCallOf, roundsConvolution } from '../conv/call.ts';
import { convKernel } from '../conv/conv.ts';
import type { CallRule } from './call.ts';

const convolution: CallRule<ConvNode['op']> = (c, node) => {
  const call = convCallOf(node, c.shape(0), c.shape(1));
  const rounds = c.precision === 'bfloat16' && roundsConvolution(call);
  return c.kernel(
    convKernel({ ...call, precision: rounds ? 'bf16' : 'float32' }),
    c.operand(0),
    c.operand(1),
    call.bias ? c.operand(2) : 'NULL',
    c.result(),
  );
};

export const CONVOLUTIONS = {
  conv2d: convolution as CallRule<'conv2d'>,
  conv2dBias: convolution as CallRule<'conv2dBias'>,
  conv2dInputGrad: convolution as CallRule<'conv2dInputGrad'>,
  conv2dWeightGrad: convolution as CallRule<'conv2dWeightGrad'>,
};
