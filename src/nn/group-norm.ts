import { ShapeError } from '../core/errors.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { checkChannels } from './conv.ts';
import { fanAverage } from './initialise.ts';
import { layerOutput } from './layer-log.ts';
import { linear } from './linear.ts';
import { type ParamSpecs, type Params, parameter, under } from './params.ts';

/** Added to the variance (NCSN++; PyTorch's own default is 1e-5). */
export const GROUP_NORM_EPS = 1e-6;

/** min(⌊C/4⌋, 32), the number of groups in NCSN++ and DDPM++. */
export function groupsFor(channels: number): number {
  return Math.min(Math.floor(channels / 4), 32);
}

/** Weight (1) and bias (0) per channel. */
export function groupNormSpecs(name: string, channels: number): ParamSpecs {
  return {
    [under(name, 'weight')]: { shape: [channels], init: { kind: 'constant', value: 1 } },
    [under(name, 'bias')]: { shape: [channels], init: { kind: 'constant', value: 0 } },
  };
}

/** Group normalisation (Wu & He 2018) of `x` [B, C, H, W] with learned scale and shift. */
export function groupNorm(params: Params, name: string, x: Tensor): Tensor {
  const weight = parameter(params, under(name, 'weight'));
  const bias = parameter(params, under(name, 'bias'));
  checkChannels('groupNorm', name, x, weight.size);
  return normalised(name, 'group norm', x, weight, bias);
}

/** The affine map from a style vector to scale (starts at 1) and shift (0). */
export function adaptiveGroupNormSpecs(
  name: string,
  channels: number,
  styleDim: number,
): ParamSpecs {
  return {
    [under(name, 'style.weight')]: {
      shape: [2 * channels, styleDim],
      init: fanAverage(1, styleDim, 2 * channels),
    },
    [under(name, 'style.bias')]: {
      shape: [2 * channels],
      init: { kind: 'halves', first: 1, second: 0 },
    },
  };
}

/**
 * γ(z)·norm(x) + β(z): group normalisation whose scale and shift come from the latent. `style`
 * [B, d], `x` [B, C, H, W].
 */
export function adaptiveGroupNorm(params: Params, name: string, x: Tensor, style: Tensor): Tensor {
  const [gamma, beta] = tf.split(linear(params, under(name, 'style'), style), 2, 1);
  checkChannels('adaptiveGroupNorm', name, x, gamma.shape[1] as number);
  return normalised(name, 'adaptive group norm', x, gamma, beta);
}

/** `scale` and `shift` are [C] or [B, C]. */
function normalised(name: string, kind: string, x: Tensor, scale: Tensor, shift: Tensor): Tensor {
  const [batch, channels, height, width] = x.shape;
  const groups = groupsFor(channels);
  if (groups < 1 || channels % groups !== 0) {
    throw new ShapeError(
      `groupNorm: '${name}' has ${channels} channels, which do not divide into min(C/4, 32) groups; use a multiple of 4 (of 32 from 128 on)`,
    );
  }
  const perGroup = channels / groups;
  const grouped = tf.reshape(x, [batch, groups, perGroup * height * width]);
  const centred = tf.sub(grouped, tf.mean(grouped, 2, true));
  const variance = tf.mean(tf.square(centred), 2, true);
  const precision = tf.rsqrt(tf.add(variance, GROUP_NORM_EPS));
  // Per channel first, so that the image is multiplied once.
  const factor = tf.mul(precision, tf.reshape(scale, [-1, groups, perGroup]));
  const scaled = tf.mul(
    tf.reshape(centred, [batch, channels, height * width]),
    tf.reshape(factor, [batch, channels, 1]),
  );
  const y = tf.add(scaled, tf.reshape(shift, [-1, channels, 1]));
  return layerOutput(
    { name, kind, operations: 7 * x.size },
    tf.reshape(y, [batch, channels, height, width]),
  );
}
