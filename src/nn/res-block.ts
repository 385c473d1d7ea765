import { type Tensor, tf } from '../jit/tf.ts';
import { swish } from './activations.ts';
import { addChannels, conv2d, convSpecs } from './conv.ts';
import { dropout } from './dropout.ts';
import {
  adaptiveGroupNorm,
  adaptiveGroupNormSpecs,
  groupNorm,
  groupNormSpecs,
} from './group-norm.ts';
import { denseSpecs } from './initialise.ts';
import { nin, ninSpecs } from './nin.ts';
import { type ParamSpecs, type Params, under } from './params.ts';
import { downsample2, type ResampleFilter, upsample2 } from './resample.ts';
import { type LevelFeatures, levelLinear } from './time-features.ts';

/** `biggan` blocks can resample and have a 1×1 convolution in the shortcut, `ddpm` blocks a NIN. */
export interface ResBlockConfig {
  readonly kind: 'biggan' | 'ddpm';
  readonly inChannels: number;
  readonly outChannels: number;
  /** Dimension of the time features. */
  readonly timeDim: number;
  /** Dimension of the latent features; absent: plain group norms. */
  readonly styleDim?: number;
  /** Which of the two norms take the latent. Default both. */
  readonly styled?: 'both' | 'first';
  /** Resampling by 2, `biggan` only. */
  readonly resample?: 'up' | 'down';
  /** Default `fir`. */
  readonly filter?: ResampleFilter;
  /** Taps of the low-pass. Default [1, 3, 3, 1]. */
  readonly taps?: readonly number[];
  /** Whether the sum is divided by √2. Default true. */
  readonly rescale?: boolean;
  /** Share of the features dropped before the second convolution, in [0, 1). Default 0. */
  readonly dropout?: number;
}

/** What a block is conditioned on. */
export interface Conditioning {
  /** Time features AFTER their activation: a block applies only its affine map. */
  readonly time: LevelFeatures;
  /** Latent features [B, d]. */
  readonly style?: Tensor;
  /**
   * Uniform draws in [0, 1) for dropout, of the shape of the output; absent: nothing is dropped, as
   * in evaluation.
   */
  readonly drawn?: Tensor;
}

/** Keys as in the official classes: GroupNorm_0, Conv_0, Dense_0, GroupNorm_1, Conv_1, shortcut. */
export function resBlockSpecs(name: string, c: ResBlockConfig): ParamSpecs {
  const norm = (i: 0 | 1, channels: number) =>
    takesStyle(c, i)
      ? adaptiveGroupNormSpecs(under(name, `GroupNorm_${i}`), channels, c.styleDim as number)
      : groupNormSpecs(under(name, `GroupNorm_${i}`), channels);
  const { inChannels, outChannels } = c;
  return {
    ...norm(0, inChannels),
    ...convSpecs(under(name, 'Conv_0'), inChannels, outChannels, 3),
    ...denseSpecs(under(name, 'Dense_0'), c.timeDim, outChannels),
    ...norm(1, outChannels),
    ...convSpecs(under(name, 'Conv_1'), outChannels, outChannels, 3, { scale: 0 }),
    ...(c.kind === 'biggan' &&
      (inChannels !== outChannels || c.resample !== undefined) &&
      convSpecs(under(name, 'Conv_2'), inChannels, outChannels, 1)),
    ...(c.kind === 'ddpm' &&
      inChannels !== outChannels &&
      ninSpecs(under(name, 'NIN_0'), inChannels, outChannels)),
  };
}

/**
 * Residual block on `x` [B, C, H, W]: norm, SiLU, (resample,) 3×3, add time, norm, SiLU, dropout, 3×3;
 * plus the shortcut, which is resampled too. Brock et al. 2019 with the changes of Song et al. 2021.
 */
export function resBlock(
  params: Params,
  name: string,
  c: ResBlockConfig,
  x: Tensor,
  conditioning: Conditioning,
): Tensor {
  const norm = (i: 0 | 1, h: Tensor) => {
    const key = under(name, `GroupNorm_${i}`);
    if (!takesStyle(c, i)) return groupNorm(params, key, h);
    return adaptiveGroupNorm(params, key, h, conditioning.style as Tensor);
  };
  let h = swish(norm(0, x));
  let shortcut = x;
  if (c.resample !== undefined) {
    const change = c.resample === 'up' ? upsample2 : downsample2;
    h = change(h, c.filter ?? 'fir', c.taps);
    shortcut = change(shortcut, c.filter ?? 'fir', c.taps);
  }
  h = conv2d(params, under(name, 'Conv_0'), h);
  h = addChannels(h, levelLinear(params, under(name, 'Dense_0'), conditioning.time));
  h = swish(norm(1, h));
  const rate = c.dropout ?? 0;
  if (rate > 0 && conditioning.drawn !== undefined) h = dropout(h, conditioning.drawn, rate);
  h = conv2d(params, under(name, 'Conv_1'), h);
  if (params[under(name, 'Conv_2.weight')] !== undefined) {
    shortcut = conv2d(params, under(name, 'Conv_2'), shortcut);
  } else if (params[under(name, 'NIN_0.W')] !== undefined) {
    shortcut = nin(params, under(name, 'NIN_0'), shortcut);
  }
  return residual(shortcut, h, c.rescale ?? true);
}

/** x + h, divided by √2 with `rescale` so that the variance stays. */
export function residual(x: Tensor, h: Tensor, rescale: boolean): Tensor {
  const sum = tf.add(x, h);
  return rescale ? tf.mul(sum, Math.SQRT1_2) : sum;
}

function takesStyle({ styleDim, styled = 'both' }: ResBlockConfig, norm: 0 | 1): boolean {
  return styleDim !== undefined && (norm === 0 || styled === 'both');
}
