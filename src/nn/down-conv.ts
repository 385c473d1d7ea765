import type { Tensor } from '../jit/tf.ts';
import { leakyRelu } from './activations.ts';
import { addChannels, conv2d, convSpecs } from './conv.ts';
import { denseSpecs } from './initialise.ts';
import { type ParamSpecs, type Params, under } from './params.ts';
import { residual } from './res-block.ts';
import { downsample2 } from './resample.ts';
import { type LevelFeatures, levelLinear } from './time-features.ts';

export const LEAK = 0.2;

/** Keys of the block in the official large encoder. */
export function downConvSpecs(
  name: string,
  fanIn: number,
  fanOut: number,
  timeDim: number,
): ParamSpecs {
  return {
    ...convSpecs(under(name, 'conv1.0.conv'), fanIn, fanOut, 3),
    ...convSpecs(under(name, 'conv2.0.conv'), fanOut, fanOut, 3, { scale: 0 }),
    ...denseSpecs(under(name, 'dense_t1'), timeDim, fanOut),
    ...convSpecs(under(name, 'skip.0.conv'), fanIn, fanOut, 1, { bias: false }),
  };
}

/**
 * Residual block of an encoder on `x` [B, C, H, W]: LeakyReLU, 3×3, add time, LeakyReLU, (halve
 * both branches by FIR,) 3×3, plus a 1×1 shortcut; the sum is divided by √2 (DDGAN).
 */
export function downConv(
  params: Params,
  name: string,
  x: Tensor,
  time: LevelFeatures,
  down: boolean,
): Tensor {
  let h = conv2d(params, under(name, 'conv1.0.conv'), leakyRelu(x, LEAK));
  h = addChannels(h, levelLinear(params, under(name, 'dense_t1'), time));
  h = leakyRelu(h, LEAK);
  const halve = (y: Tensor) => (down ? downsample2(y, 'fir') : y);
  h = conv2d(params, under(name, 'conv2.0.conv'), halve(h));
  return residual(conv2d(params, under(name, 'skip.0.conv'), halve(x)), h, true);
}
