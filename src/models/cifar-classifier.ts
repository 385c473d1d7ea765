import { type Tensor, tf } from '../jit/tf.ts';
import {
  BATCH_NORM_EPS,
  batchNormBufferSpecs,
  batchNormSpecs,
  type NormMode,
} from '../nn/batch-norm.ts';
import { conv2d, convSpecs } from '../nn/conv.ts';
import { linearSpecs } from '../nn/initialise.ts';
import { linear } from '../nn/linear.ts';
import type { ParamSpec, Params } from '../nn/params.ts';
import type { NetworkSpec } from './network.ts';

export interface CifarClassifierConfig {
  /** Channels at 32, 16, 8 and 4 pixels. Default 24, 48, 96, 192. */
  readonly widths?: readonly [number, number, number, number];
}

/** Features before the last layer, with the default widths. */
export const CIFAR_FEATURES = 192;
export const CIFAR_CLASSES = 10;

export interface CifarClassifier extends NetworkSpec {
  /** Length of the features. */
  readonly features: number;
  /** Features [B, F] before the last layer, of images [B, 3, 32, 32] in [−1, 1]. */
  embed(params: Params, x: Tensor, mode: NormMode): Tensor;
  /** Features → logits [B, 10]. */
  classify(params: Params, features: Tensor): Tensor;
}

const WIDTHS = [24, 48, 96, CIFAR_FEATURES] as const;

/**
 * A small residual classifier of CIFAR-10, whose last hidden layer gives the features of "FD (own
 * features)". A 3×3 convolution, then three stages that halve the image: convolution, 2×2 maximum,
 * batch norm, ReLU, and one more convolution with batch norm and ReLU that is added to its input.
 * The features are the maximum over the 4×4 positions.
 */
export function cifarClassifier({ widths = WIDTHS }: CifarClassifierConfig = {}): CifarClassifier {
  const params: Record<string, ParamSpec> = {};
  const buffers: Record<string, ParamSpec> = {};
  const norms: string[] = [];
  const layer = (name: string, from: number, to: number) => {
    Object.assign(params, convSpecs(`${name}.conv`, from, to, 3, { bias: false, start: 'torch' }));
    Object.assign(params, batchNormSpecs(`${name}.norm`, to));
    Object.assign(buffers, batchNormBufferSpecs(`${name}.norm`, to));
    norms.push(`${name}.norm`);
  };
  layer('stem', 3, widths[0]);
  for (let stage = 1; stage <= 3; stage++) {
    layer(`stage${stage}.down`, widths[stage - 1], widths[stage]);
    layer(`stage${stage}.same`, widths[stage], widths[stage]);
  }
  Object.assign(params, linearSpecs('classes', widths[3], CIFAR_CLASSES));

  return {
    params,
    buffers,
    norms,
    idleNorms: [],
    features: widths[3],
    embed(p, x, mode) {
      const apply = (name: string, h: Tensor, pool: boolean): Tensor => {
        const y = conv2d(p, `${name}.conv`, h);
        return tf.relu(imageNorm(p, `${name}.norm`, pool ? maximumOfFour(y) : y, mode));
      };
      let h = apply('stem', x, false);
      for (let stage = 1; stage <= 3; stage++) {
        h = apply(`stage${stage}.down`, h, true);
        h = tf.add(h, apply(`stage${stage}.same`, h, false));
      }
      return tf.max(h, [2, 3]);
    },
    classify: (p, features) => linear(p, 'classes', features),
  };
}

/**
 * Maximum over windows of 2×2: of pairs of rows, then of pairs of columns. Taken so and not of four
 * strided slices, whose gradient would have to weave them together again.
 */
function maximumOfFour(x: Tensor): Tensor {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const planes = batch * channels;
  const rows = tf.max(tf.reshape(x, [planes * (height / 2), 2, width]), 1);
  const both = tf.max(tf.reshape(rows, [planes * (height / 2) * (width / 2), 2]), 1);
  return tf.reshape(both, [batch, channels, height / 2, width / 2]);
}

/** Batch norm of images [B, C, h, w] per channel, as `batchNorm` of rows. */
function imageNorm(p: Params, name: string, x: Tensor, mode: NormMode): Tensor {
  const perChannel = (v: Tensor) => tf.reshape(v, [1, v.size, 1, 1]);
  const weight = p[`${name}.weight`];
  const bias = p[`${name}.bias`];
  let [mean, variance]: (Tensor | undefined)[] = [];
  if (mode.kind === 'running') {
    mean = mode.buffers[`${name}.running_mean`];
    variance = mode.buffers[`${name}.running_var`];
  } else {
    const count = x.size / weight.size;
    mean = tf.mean(x, [0, 2, 3]);
    variance = tf.sub(tf.mean(tf.square(x), [0, 2, 3]), tf.square(mean));
    if (mode.collect) {
      mode.collect[`${name}.running_mean`] = mean;
      mode.collect[`${name}.running_var`] = tf.mul(variance, count / (count - 1));
    }
  }
  const scale = tf.mul(weight, tf.rsqrt(tf.add(variance, BATCH_NORM_EPS)));
  const shift = tf.sub(bias, tf.mul(mean, scale));
  return tf.add(tf.mul(x, perChannel(scale)), perChannel(shift));
}
