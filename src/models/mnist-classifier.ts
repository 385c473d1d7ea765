import { type Tensor, tf } from '../jit/tf.ts';
import { conv2d, convSpecs } from '../nn/conv.ts';
import { linearSpecs } from '../nn/initialise.ts';
import { linear } from '../nn/linear.ts';
import type { Params } from '../nn/params.ts';
import type { NetworkSpec } from './network.ts';

/** Features before the last layer. */
export const CLASSIFIER_FEATURES = 128;

const TORCH = { start: 'torch' } as const;

export interface MnistClassifier extends NetworkSpec {
  /** Logits [B, 10] of digits [B, 784] in [0, 1]; `keep` [B, 128] multiplies the features. */
  logits(params: Params, x: Tensor, keep?: Tensor): Tensor;
}

/**
 * A small convolutional classifier of MNIST digits, which counts the modes of StackedMNIST: three
 * convolutions 1 → 24 (3×3), 24 → 48 and 48 → 64 (5×5, stride 2), 128 features, 10 classes; ReLU.
 * 508,778 parameters.
 */
export function mnistClassifier(): MnistClassifier {
  return {
    params: {
      ...convSpecs('conv1', 1, 24, 3, TORCH),
      ...convSpecs('conv2', 24, 48, 5, TORCH),
      ...convSpecs('conv3', 48, 64, 5, TORCH),
      ...linearSpecs('fc1', 64 * 7 * 7, CLASSIFIER_FEATURES),
      ...linearSpecs('fc2', CLASSIFIER_FEATURES, 10),
    },
    buffers: {},
    norms: [],
    idleNorms: [],
    logits(p, x, keep) {
      const batch = x.shape[0];
      let h: Tensor = tf.reshape(x, [batch, 1, 28, 28]);
      h = tf.relu(conv2d(p, 'conv1', h));
      h = tf.relu(conv2d(p, 'conv2', h, { stride: 2 }));
      h = tf.relu(conv2d(p, 'conv3', h, { stride: 2 }));
      h = tf.relu(linear(p, 'fc1', tf.reshape(h, [batch, 64 * 7 * 7])));
      return linear(p, 'fc2', keep === undefined ? h : tf.mul(h, keep));
    },
  };
}
