import { ShapeError } from '../core/errors.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { fanAverage, type Initialiser } from './initialise.ts';
import { layerOutput } from './layer-log.ts';
import { type ParamSpecs, type Params, parameter, under } from './params.ts';

/** Zeros around the image: the same on all sides, or [top, bottom, left, right]. */
export type Padding = number | readonly [number, number, number, number];

export interface ConvOptions {
  /** Default 1. */
  readonly stride?: number;
  /** Default (kernel − 1)/2, which keeps the size at stride 1. */
  readonly padding?: Padding;
}

export interface ConvSpecOptions {
  /** Default true. */
  readonly bias?: boolean;
  /** Scale of the `fanAverage` start; 0 starts the layer next to zero. Default 1. */
  readonly scale?: number;
  /** `torch` draws weight and bias as PyTorch does by default; `scale` is then not used. */
  readonly start?: 'fan-average' | 'torch';
}

/** Weight [out, in, k, k] and bias [out] of a convolution. */
export function convSpecs(
  name: string,
  fanIn: number,
  fanOut: number,
  kernel: number,
  options: ConvSpecOptions = {},
): ParamSpecs {
  const { bias = true, scale = 1, start = 'fan-average' } = options;
  const taps = kernel * kernel;
  const torch: Initialiser = { kind: 'uniform', bound: 1 / Math.sqrt(taps * fanIn) };
  const zero: Initialiser = { kind: 'constant', value: 0 };
  const weight = start === 'torch' ? torch : fanAverage(scale, fanIn, fanOut, taps);
  return {
    [under(name, 'weight')]: { shape: [fanOut, fanIn, kernel, kernel], init: weight },
    ...(bias && {
      [under(name, 'bias')]: { shape: [fanOut], init: start === 'torch' ? torch : zero },
    }),
  };
}

/**
 * Convolution of `x` [B, C, H, W] with `${name}.weight` [O, C, k, k], plus `${name}.bias` [O] where
 * there is one: [B, O, H', W'], H' = ⌊(H + padding above and below − k)/stride⌋ + 1.
 * @throws ShapeError when x is no image batch of C channels.
 */
export function conv2d(params: Params, name: string, x: Tensor, options: ConvOptions = {}): Tensor {
  const weight = parameter(params, under(name, 'weight'));
  const [out, channels, kernel] = weight.shape as [number, number, number, number];
  checkChannels('conv2d', name, x, channels);
  const { stride = 1, padding = (kernel - 1) / 2 } = options;
  const pointwise = kernel === 1 && stride === 1 && padding === 0;
  const y = pointwise
    ? mixChannels(tf.reshape(weight, [out, channels]), x)
    : tf.conv2d(
        x as tf.Tensor4D,
        tf.transpose(weight, [2, 3, 1, 0]) as tf.Tensor4D,
        stride,
        explicit(padding),
        'NCHW',
        1,
        'floor',
      );
  const bias = params[under(name, 'bias')];
  const operations = (2 * y.size * weight.size) / out;
  const kind = `conv ${kernel}×${kernel}${stride === 1 ? '' : ` /${stride}`}`;
  return layerOutput({ name, kind, operations }, bias === undefined ? y : addChannels(y, bias));
}

/**
 * Weight [in, out, k, k] and bias [out] of a transposed convolution as PyTorch draws them: there
 * the fan-in is out·k².
 */
export function convTransposeSpecs(
  name: string,
  input: number,
  output: number,
  kernel: number,
): ParamSpecs {
  const init: Initialiser = { kind: 'uniform', bound: 1 / Math.sqrt(output * kernel * kernel) };
  return {
    [under(name, 'weight')]: { shape: [input, output, kernel, kernel], init },
    [under(name, 'bias')]: { shape: [output], init },
  };
}

/**
 * The adjoint of a convolution with `padding` zeros on every side: `x` [B, in, h, w] with
 * `${name}.weight` [in, out, k, k] and `${name}.bias` [out] → [B, out, h', w'],
 * h' = (h − 1)·stride − 2·padding + k (PyTorch's ConvTranspose2d without output padding).
 * @throws ShapeError when x is no image batch of `in` channels.
 */
export function convTranspose2d(
  params: Params,
  name: string,
  x: Tensor,
  { stride = 1, padding = 0 }: { readonly stride?: number; readonly padding?: number } = {},
): Tensor {
  const weight = parameter(params, under(name, 'weight'));
  const [channels, output, kh, kw] = weight.shape as [number, number, number, number];
  checkChannels('convTranspose2d', name, x, channels);
  const [batch, , height, width] = x.shape as [number, number, number, number];
  const size = (n: number, k: number) => (n - 1) * stride - 2 * padding + k;
  const attrs = {
    strides: stride,
    pad: padding,
    dataFormat: 'NCHW',
    dimRoundingMode: 'floor',
    inputShape: [batch, output, size(height, kh), size(width, kw)],
  };
  // The weight is that of the convolution from `out` to `in` channels.
  const filter = tf.transpose(weight, [2, 3, 1, 0]);
  const y: Tensor = tf.engine().runKernel('Conv2DBackpropInput', { dy: x, filter }, attrs as never);
  const operations = (2 * x.size * weight.size) / channels;
  const kind = `conv transposed ${kh}×${kw}${stride === 1 ? '' : ` /${stride}`}`;
  const bias = parameter(params, under(name, 'bias'));
  return layerOutput({ name, kind, operations }, addChannels(y, bias));
}

/** w·x at every position: `w` [O, C] and `x` [B, C, H, W] → [B, O, H, W]. */
export function mixChannels(w: Tensor, x: Tensor, transposed = false): Tensor {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const out = w.shape[transposed ? 1 : 0] as number;
  const flat = tf.reshape(x, [batch, channels, height * width]);
  return tf.reshape(tf.matMul(w, flat, transposed, false), [batch, out, height, width]);
}

/** Adds one number per channel, [C], or per sample and channel, [B, C] or [1, C]. */
export function addChannels(x: Tensor, bias: Tensor): Tensor {
  const rows = bias.rank === 1 ? 1 : bias.shape[0];
  return tf.add(x, tf.reshape(bias, [rows, x.shape[1] as number, 1, 1]));
}

/** @throws ShapeError unless `x` is [B, channels, H, W]. */
export function checkChannels(caller: string, name: string, x: Tensor, channels: number): void {
  if (x.rank === 4 && x.shape[1] === channels) return;
  throw new ShapeError(
    `${caller}: '${name}' takes images [batch, ${channels}, height, width], got [${x.shape}]`,
  );
}

function explicit(padding: Padding): number | tf.backend_util.ExplicitPadding {
  if (typeof padding === 'number') return padding;
  const [top, bottom, left, right] = padding;
  return [
    [0, 0],
    [0, 0],
    [top, bottom],
    [left, right],
  ];
}
