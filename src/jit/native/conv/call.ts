import type { Node } from '../../ir/ops.ts';
import type { ConvCall } from './geometry.ts';
import { turnedPads } from './input-grad.ts';

type Dims = readonly number[];

export type ConvNode = Node<'conv2d' | 'conv2dBias' | 'conv2dInputGrad' | 'conv2dWeightGrad'>;

export const isConvolution = (node: Node): node is ConvNode => node.op.startsWith('conv2d');

/** The convolution that a node is, from the shapes of its first two operands. */
export function convCallOf(node: ConvNode, first: Dims, second: Dims): ConvCall {
  const { strides, pads, dilations, groups } = node.attrs;
  const forward = node.op === 'conv2d' || node.op === 'conv2dBias';
  const kind = forward ? 'forward' : node.op === 'conv2dInputGrad' ? 'inputGrad' : 'weightGrad';
  const image = kind === 'inputGrad' ? node.shape : first;
  const kernel = kind === 'weightGrad' ? node.shape : second;
  return {
    ...{ kind, batch: image[0], channels: image[1], height: image[2], width: image[3] },
    ...{ filters: kernel[0], kernel: [kernel[2], kernel[3]] as const },
    ...{ strides, pads, dilations, groups, bias: node.op === 'conv2dBias' },
  };
}

/** Results per operand and products per sum from which on rounding costs less than it saves. */
const [WORTH_ROUNDING, DEPTH_WORTH_ROUNDING] = [16, 64];

/**
 * Whether the operands of a convolution are rounded where precision `bfloat16` is chosen. Its sums go
 * over pairs of channels, or of pixels.
 */
export function roundsConvolution(call: ConvCall): boolean {
  const { kind, channels, filters, groups, kernel } = call;
  const taps = kernel[0] * kernel[1];
  const [inputs, outputs] = [channels / groups, filters / groups];
  const wide = (from: number, to: number) =>
    from % 2 === 0 && to >= WORTH_ROUNDING && from * taps >= DEPTH_WORTH_ROUNDING;
  if (kind === 'forward') return wide(inputs, outputs);
  if (kind === 'inputGrad') return turnedPads(call) !== undefined && wide(outputs, inputs);
  return outputs >= WORTH_ROUNDING && inputs * taps >= DEPTH_WORTH_ROUNDING;
}
