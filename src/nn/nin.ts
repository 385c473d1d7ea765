import type { Tensor } from '../jit/tf.ts';
import { addChannels, checkChannels, mixChannels } from './conv.ts';
import { fanAverage } from './initialise.ts';
import { layerOutput } from './layer-log.ts';
import { type ParamSpecs, type Params, parameter, under } from './params.ts';

/** Weight `W` [in, out], the transpose of a convolution's, and bias `b` [out]. */
export function ninSpecs(name: string, fanIn: number, fanOut: number, scale = 0.1): ParamSpecs {
  return {
    [under(name, 'W')]: { shape: [fanIn, fanOut], init: fanAverage(scale, fanIn, fanOut) },
    [under(name, 'b')]: { shape: [fanOut], init: { kind: 'constant', value: 0 } },
  };
}

/** The same affine map of the channels at every position: `x` [B, C, H, W] → [B, O, H, W]. */
export function nin(params: Params, name: string, x: Tensor): Tensor {
  const weight = parameter(params, under(name, 'W'));
  checkChannels('nin', name, x, weight.shape[0]);
  const y = addChannels(mixChannels(weight, x, true), parameter(params, under(name, 'b')));
  return layerOutput({ name, kind: 'NIN', operations: 2 * y.size * weight.shape[0] }, y);
}
