import { type Tensor, tf } from '../jit/tf.ts';
import { conv2d, convSpecs } from './conv.ts';
import { type ParamSpecs, type Params, under } from './params.ts';
import { residual } from './res-block.ts';
import {
  FIR_TAPS,
  type ResampleFilter,
  separableKernel,
  upfirdn2d,
  upsample2,
} from './resample.ts';

/**
 * Resampling with a learned 3×3 convolution. Keys: `Conv2d_0` where the low-pass and the
 * convolution are one layer of the official code, else `Conv_0`.
 */
export function resampleConvSpecs(
  name: string,
  fanIn: number,
  fanOut: number,
  filter: ResampleFilter,
): ParamSpecs {
  return convSpecs(under(name, convName(filter)), fanIn, fanOut, 3);
}

const convName = (filter: ResampleFilter) => (filter === 'fir' ? 'Conv2d_0' : 'Conv_0');

/**
 * Half the size. `fir`: low-pass, then 3×3 at stride 2; `box`: zeros below and to the right, then
 * 3×3 at stride 2, without a low-pass.
 */
export function downsampleConv(
  params: Params,
  name: string,
  x: Tensor,
  filter: ResampleFilter,
  taps = FIR_TAPS,
): Tensor {
  const key = under(name, convName(filter));
  if (filter === 'box') return conv2d(params, key, x, { stride: 2, padding: [0, 1, 0, 1] });
  const surplus = taps.length - 2 + 2;
  const pad = [Math.floor((surplus + 1) / 2), Math.floor(surplus / 2)] as const;
  const smooth = upfirdn2d(x, separableKernel(taps), { pad });
  return conv2d(params, key, smooth, { stride: 2, padding: 0 });
}

/** Twice the size by nearest neighbours, then 3×3. */
export function upsampleConv(params: Params, name: string, x: Tensor): Tensor {
  return conv2d(params, under(name, 'Conv_0'), upsample2(x, 'box'));
}

/** How an input pyramid joins the features: a 1×1 convolution, then sum or concatenation. */
export type CombineMethod = 'sum' | 'cat';

export function combineSpecs(name: string, fanIn: number, fanOut: number): ParamSpecs {
  return convSpecs(under(name, 'Conv_0'), fanIn, fanOut, 1);
}

/** `pyramid` [B, D, H, W] through a 1×1 convolution, joined with `h` [B, C, H, W]. */
export function combine(
  params: Params,
  name: string,
  pyramid: Tensor,
  h: Tensor,
  method: CombineMethod,
): Tensor {
  const mapped = conv2d(params, under(name, 'Conv_0'), pyramid);
  return method === 'cat' ? tf.concat([mapped, h], 1) : residual(mapped, h, false);
}
