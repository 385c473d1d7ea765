import { type Tensor, tf } from '../jit/tf.ts';
import type { Initialiser } from './initialise.ts';
import type { ParamSpecs, Params } from './params.ts';

export interface ConvConfig {
  /** Default 1. */
  readonly stride?: number;
  /** Zeros around the image, on every side. Default 0. */
  readonly pad?: number;
}

/**
 * Weight [out, in, k, k] and bias [out] of a convolution as PyTorch draws them:
 * U(±1/√fanIn) for both, with fanIn = in·k².
 */
export function convSpecs(name: string, input: number, output: number, k: number): ParamSpecs {
  const init: Initialiser = { kind: 'uniform', bound: 1 / Math.sqrt(input * k * k) };
  return {
    [`${name}.weight`]: { shape: [output, input, k, k], init },
    [`${name}.bias`]: { shape: [output], init },
  };
}

/**
 * Weight [in, out, k, k] and bias [out] of a transposed convolution as PyTorch draws them: there
 * the fan-in is out·k².
 */
export function convTransposeSpecs(
  name: string,
  input: number,
  output: number,
  k: number,
): ParamSpecs {
  const init: Initialiser = { kind: 'uniform', bound: 1 / Math.sqrt(output * k * k) };
  return {
    [`${name}.weight`]: { shape: [input, output, k, k], init },
    [`${name}.bias`]: { shape: [output], init },
  };
}

/** `x` [B, in, h, w] * `${name}.weight` + bias → [B, out, h′, w′], h′ = ⌊(h + 2 pad − k)/stride⌋ + 1. */
export function conv2d(
  params: Params,
  name: string,
  x: Tensor,
  { stride = 1, pad = 0 }: ConvConfig = {},
): Tensor {
  // TensorFlow.js wants its filters as [k, k, in, out]; the transpose vanishes in the trace.
  const filter = tf.transpose(params[`${name}.weight`], [2, 3, 1, 0]) as tf.Tensor4D;
  const y = tf.conv2d(x as tf.Tensor4D, filter, stride, pad, 'NCHW', 1, 'floor');
  return tf.add(y, channels(params[`${name}.bias`]));
}

/**
 * The adjoint of a convolution: `x` [B, in, h, w] → [B, out, h′, w′], h′ = (h − 1)·stride − 2 pad + k
 * (PyTorch's ConvTranspose2d without output padding).
 */
export function convTranspose2d(
  params: Params,
  name: string,
  x: Tensor,
  { stride = 1, pad = 0 }: ConvConfig = {},
): Tensor {
  const weight = params[`${name}.weight`];
  const [batch, , height, width] = x.shape;
  const [, output, kh, kw] = weight.shape as number[];
  const size = (n: number, k: number) => (n - 1) * stride - 2 * pad + k;
  // The weight [in, out, k, k] is that of the convolution from `out` to `in` channels.
  const filter = tf.transpose(weight, [2, 3, 1, 0]);
  const attrs = {
    strides: stride,
    pad,
    dataFormat: 'NCHW',
    dimRoundingMode: 'floor',
    inputShape: [batch, output, size(height as number, kh), size(width as number, kw)],
  };
  const y = tf.engine().runKernel('Conv2DBackpropInput', { dy: x, filter }, attrs as never);
  return tf.add(y as Tensor, channels(params[`${name}.bias`]));
}

/** A vector of one value per channel, to be added to images. */
export function channels(values: Tensor): Tensor {
  return tf.reshape(values, [1, values.size, 1, 1]);
}
