import { ShapeError } from '../core/errors.ts';
import { rankCount, rankMean } from '../jit/ranks.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import type { ParamSpecs, Params } from './params.ts';

/** PyTorch's defaults: added to the variance; share of the new batch in the running average. */
export const BATCH_NORM_EPS = 1e-5;
export const BATCH_NORM_MOMENTUM = 0.1;

/**
 * Where the statistics come from: the batch itself (training, and sampling in the toy experiments
 * of the paper, which never switch to evaluation), or the running averages.
 */
export type NormMode =
  | { readonly kind: 'batch'; readonly collect?: Record<string, Tensor> }
  | { readonly kind: 'running'; readonly buffers: Params };

/** Affine parameters of a batch norm over `size` features. */
export function batchNormSpecs(name: string, size: number): ParamSpecs {
  return {
    [`${name}.weight`]: { shape: [size], init: { kind: 'constant', value: 1 } },
    [`${name}.bias`]: { shape: [size], init: { kind: 'constant', value: 0 } },
  };
}

/** Its running statistics, without the counter of batches. */
export function batchNormBufferSpecs(name: string, size: number): ParamSpecs {
  return {
    [`${name}.running_mean`]: { shape: [size], init: { kind: 'constant', value: 0 } },
    [`${name}.running_var`]: { shape: [size], init: { kind: 'constant', value: 1 } },
  };
}

/**
 * Batch normalisation of `x` [B, C] over B (Ioffe & Szegedy 2015), with the biased variance. In
 * batch mode the mean and the *unbiased* variance of the batch are put into `mode.collect` under
 * the keys of the running statistics; average them in with `averageStatistics`.
 * On several processes the statistics are those of all their samples.
 * @throws ShapeError in batch mode when B is 1, which has no variance.
 */
export function batchNorm(params: Params, name: string, x: Tensor, mode: NormMode): Tensor {
  const weight = params[`${name}.weight`];
  const bias = params[`${name}.bias`];
  if (mode.kind === 'running') {
    const scale = tf.mul(
      weight,
      tf.rsqrt(tf.add(mode.buffers[`${name}.running_var`], BATCH_NORM_EPS)),
    );
    const shift = tf.sub(bias, tf.mul(mode.buffers[`${name}.running_mean`], scale));
    return tf.add(tf.mul(x, scale), shift);
  }
  const batch = x.shape[0];
  if (batch < 2) {
    throw new ShapeError(
      `batchNorm: '${name}' got a batch of ${batch}; batch statistics need at least 2 samples (or use running statistics)`,
    );
  }
  const mean = rankMean(tf.mean(x, 0));
  const centred = tf.sub(x, mean);
  const variance = rankMean(tf.mean(tf.square(centred), 0));
  if (mode.collect) {
    mode.collect[`${name}.running_mean`] = mean;
    const whole = batch * rankCount();
    mode.collect[`${name}.running_var`] = tf.mul(variance, whole / (whole - 1));
  }
  const scale = tf.mul(weight, tf.rsqrt(tf.add(variance, BATCH_NORM_EPS)));
  return tf.add(tf.mul(centred, scale), bias);
}
