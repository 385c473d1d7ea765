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
  const pixels = height * width;
  const y = affineNorm(
    tf.reshape(x, [batch, channels, pixels]),
    tf.reshape(scale, [-1, channels, 1]),
    tf.reshape(shift, [-1, channels, 1]),
    groups,
  );
  return layerOutput(
    { name, kind, operations: 7 * x.size },
    tf.reshape(y, [batch, channels, height, width]),
  );
}

/**
 * γ·x̂ + β for `x` [B, C, P] with γ and β [1 or B, C, 1], x̂ being x with mean 0 and variance 1 per
 * sample and group.
 *
 * The gradient is written out, in differentiable ops so that every order exists: sums of dy and of
 * dy·x̂ per channel give dγ and dβ and, weighted by γ, all that dx needs of a group. Differentiating
 * the forward pass op by op visits every image about twice as often.
 */
function affineNorm(x: Tensor, gamma: Tensor, beta: Tensor, groups: number): Tensor {
  const [, channels, pixels] = x.shape as [number, number, number];
  const size = (channels / groups) * pixels;
  const norm = tf.customGrad((x, gamma, beta, save) => {
    const [input, factor, offset] = [x, gamma, beta] as Tensor[];
    (save as tf.GradSaveFunc)([input, factor]);
    return {
      value: tf.add(tf.mul(standardise(input, groups), factor), offset),
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const normed = standardise(saved[0], groups);
        const precision = spread(inverseDeviation(saved[0], groups), channels);
        const sums = tf.sum(dy, 2, true);
        const products = tf.sum(tf.mul(dy, normed), 2, true);
        const share = (perChannel: Tensor) => {
          const weighted = tf.mul(tf.mul(perChannel, saved[1]), 1 / size);
          return tf.mul(spread(groupSum(weighted, groups), channels), precision);
        };
        const direct = tf.mul(dy, tf.mul(saved[1], precision));
        const pulled = tf.add(tf.mul(normed, share(products)), share(sums));
        return [tf.sub(direct, pulled), sumTo(products, saved[1].shape), sumTo(sums, offset.shape)];
      },
    };
  });
  return norm(x, gamma, beta);
}

/** x̂ of `x` [B, C, P]. Its gradient is r·(dy − mean dy − x̂·mean(dy·x̂)). */
function standardise(x: Tensor, groups: number): Tensor {
  const [batch, channels, pixels] = x.shape as [number, number, number];
  const grouped = [batch, groups, (channels / groups) * pixels];
  const run = tf.customGrad((x, save) => {
    const input = x as Tensor;
    (save as tf.GradSaveFunc)([input]);
    return {
      value: tf.reshape(
        tf.mul(centred(tf.reshape(input, grouped)), precisionOf(tf.reshape(input, grouped))),
        [batch, channels, pixels],
      ),
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const normed = tf.reshape(standardise(saved[0], groups), grouped);
        const precision = inverseDeviation(saved[0], groups);
        const d = tf.reshape(dy, grouped);
        const along = tf.mean(tf.mul(d, normed), 2, true);
        const rest = tf.sub(tf.sub(d, tf.mul(normed, along)), tf.mean(d, 2, true));
        return tf.reshape(tf.mul(rest, precision), [batch, channels, pixels]);
      },
    };
  });
  return run(x);
}

/** r = 1/√(variance + ε) per sample and group, [B, G, 1]. Its gradient is −r²·x̂/size. */
function inverseDeviation(x: Tensor, groups: number): Tensor {
  const [batch, channels, pixels] = x.shape as [number, number, number];
  const size = (channels / groups) * pixels;
  const grouped = [batch, groups, size];
  const run = tf.customGrad((x, save) => {
    const input = x as Tensor;
    (save as tf.GradSaveFunc)([input]);
    return {
      value: precisionOf(tf.reshape(input, grouped)),
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const precision = inverseDeviation(saved[0], groups);
        const factor = tf.mul(tf.mul(dy, tf.square(precision)), -1 / size);
        return tf.mul(standardise(saved[0], groups), spread(factor, channels));
      },
    };
  });
  return run(x);
}

const centred = (grouped: Tensor) => tf.sub(grouped, tf.mean(grouped, 2, true));

const precisionOf = (grouped: Tensor) =>
  tf.rsqrt(tf.add(tf.mean(tf.square(centred(grouped)), 2, true), GROUP_NORM_EPS));

/** A value per group, [B, G, 1], for each of its channels: [B, C, 1]. */
function spread(perGroup: Tensor, channels: number): Tensor {
  const [batch, groups] = perGroup.shape as [number, number];
  const wide = tf.broadcastTo(perGroup, [batch, groups, channels / groups]);
  return tf.reshape(wide, [batch, channels, 1]);
}

/** Sums over the channels of each group: [B, C, 1] → [B, G, 1]. */
function groupSum(perChannel: Tensor, groups: number): Tensor {
  const [batch, channels] = perChannel.shape as [number, number];
  return tf.sum(tf.reshape(perChannel, [batch, groups, channels / groups]), 2, true);
}

/** Sums over the samples where the parameter is shared by all. */
const sumTo = (perSample: Tensor, shape: readonly number[]) =>
  shape[0] === perSample.shape[0] ? perSample : tf.sum(perSample, 0, true);
