import { type Tensor, tf } from '../jit/tf.ts';
import { swish } from '../nn/activations.ts';
import { conv2d, convSpecs } from '../nn/conv.ts';
import type { DropoutDraws } from '../nn/dropout.ts';
import { groupNorm, groupNormSpecs } from '../nn/group-norm.ts';
import type { ParamSpecs, Params } from '../nn/params.ts';
import { type Conditioning, residual } from '../nn/res-block.ts';
import { downsample2, upsample2 } from '../nn/resample.ts';
import {
  combine,
  combineSpecs,
  downsampleConv,
  resampleConvSpecs,
  upsampleConv,
} from '../nn/resample-layer.ts';
import type { ResolvedUnet } from './unet-config.ts';

/** What the steps of one forward pass hand on. */
export interface UnetRun {
  readonly params: Params;
  readonly given: Conditioning;
  readonly dropout: DropoutDraws;
  /** The features. */
  h: Tensor;
  /** What the way down left for the way up. */
  readonly skips: Tensor[];
  /** The image at the present size, on the way down; the output so far, on the way up. */
  pyramid: Tensor;
}

export type Step = (run: UnetRun) => void;

/** Modules are declared in the order of the official list, steps in the order in which they run. */
export interface UnetBuilder {
  readonly config: ResolvedUnet;
  /** Height and width of the features where the next module stands. */
  size: number;
  /** Declares the next module and returns its name. */
  module(specs: (name: string) => ParamSpecs): string;
  step(run: Step): void;
  /** A residual block on the features. */
  block(inChannels: number, outChannels: number, resample?: 'up' | 'down'): void;
}

/** The step to the next level: a resampling block, or a resampling layer with `ddpm` blocks. */
export function transition(build: UnetBuilder, channels: number, to: 'up' | 'down'): void {
  const { block, resampleConv, filter, taps } = build.config;
  build.size *= to === 'up' ? 2 : 0.5;
  if (block !== 'ddpm') {
    build.block(channels, channels, to);
    return;
  }
  const name = build.module((n) =>
    resampleConv ? resampleConvSpecs(n, channels, channels, filter) : {},
  );
  build.step((s) => {
    if (!resampleConv) s.h = (to === 'up' ? upsample2 : downsample2)(s.h, filter, taps);
    else if (to === 'up') s.h = upsampleConv(s.params, name, s.h);
    else s.h = downsampleConv(s.params, name, s.h, filter, taps);
  });
}

/** The image, made smaller, joins the features; returns the channels of both. */
export function pyramidIn(
  build: UnetBuilder,
  channels: number,
  pyramid: number,
): [channels: number, pyramid: number] {
  const { progressiveInput, combine: method, filter, taps, rescale } = build.config;
  if (progressiveInput === 'none') return [channels, pyramid];
  if (progressiveInput === 'input-skip') {
    const name = build.module((n) => combineSpecs(n, pyramid, channels));
    build.step((s) => {
      s.pyramid = downsample2(s.pyramid, filter, taps);
      s.h = combine(s.params, name, s.pyramid, s.h, method);
    });
    return [method === 'cat' ? 2 * channels : channels, pyramid];
  }
  const name = build.module((n) => resampleConvSpecs(n, pyramid, channels, filter));
  build.step((s) => {
    const smaller = downsampleConv(s.params, name, s.pyramid, filter, taps);
    s.pyramid = residual(smaller, s.h, rescale);
    s.h = s.pyramid;
  });
  return [channels, channels];
}

/** The output pyramid of one level; returns its channels. */
export function pyramidOut(
  build: UnetBuilder,
  channels: number,
  pyramid: number,
  first: boolean,
): number {
  const { progressive, channels: image, filter, taps, rescale } = build.config;
  if (progressive === 'none') return pyramid;
  if (progressive === 'residual' && !first) {
    const name = build.module((n) => resampleConvSpecs(n, pyramid, channels, filter));
    build.step((s) => {
      s.pyramid = residual(upsampleConv(s.params, name, s.pyramid), s.h, rescale);
      s.h = s.pyramid;
    });
    return channels;
  }
  const out = progressive === 'residual' ? channels : image;
  const scale = progressive === 'residual' ? 1 : 0;
  const norm = build.module((n) => groupNormSpecs(n, channels));
  const exit = build.module((n) => convSpecs(n, channels, out, 3, { scale }));
  build.step((s) => {
    const level = conv2d(s.params, exit, swish(groupNorm(s.params, norm, s.h)));
    s.pyramid = first ? level : tf.add(upsample2(s.pyramid, filter, taps), level);
  });
  return out;
}
