import { ConfigError } from '../core/errors.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { CIFAR_CLASSES, type CifarClassifier } from '../models/cifar-classifier.ts';
import type { AdamConfig } from '../optim/adam.ts';
import { type GameState, playersIo, turn } from './game.ts';
import type { Objective } from './objective.ts';
import { player } from './player.ts';

const SHAPE = [3, 32, 32] as const;
const PIXELS = 3 * 32 * 32;

export interface ImageClassificationConfig {
  readonly network: CifarClassifier;
  /** Images per step. Default 128. */
  readonly batch?: number;
  /** Share of the target spread over all classes, in [0, 1). Default 0.1. */
  readonly smoothing?: number;
  /** Default: rate 1e-3, betas (0.9, 0.999). */
  readonly adam?: Partial<AdamConfig>;
}

/**
 * Cross-entropy of a classifier of 32×32 colour images, with label smoothing (Szegedy et al. 2016).
 * A row of the batch holds the 3072 pixels in [−1, 1], by channel, and then ten numbers, 1 at the
 * class and 0 elsewhere.
 * @throws ConfigError for a smoothing outside [0, 1).
 */
export function imageClassification(
  config: ImageClassificationConfig,
): Objective<GameState<'classifier'>> {
  const { network, batch = 128, smoothing = 0.1 } = config;
  if (!(smoothing >= 0 && smoothing < 1)) {
    throw new ConfigError(`imageClassification: smoothing must be in [0, 1), got ${smoothing}`);
  }
  const classifier = player({
    networks: { classifier: network },
    adam: { learningRate: 1e-3, ...config.adam },
  });
  return {
    name: 'image-classification',
    batchShape: [batch, PIXELS + CIFAR_CLASSES],
    noise: {},
    ...playersIo('image-classification', { classifier }),
    step(state, { data }) {
      const [pixels, target] = tf.split(data, [PIXELS, CIFAR_CLASSES], 1);
      const after = turn(classifier, state.classifier, ({ classifier: params }) => {
        const collect: Record<string, Tensor> = {};
        const images = tf.reshape(pixels, [batch, ...SHAPE]);
        const features = network.embed(params, images, { kind: 'batch', collect });
        const logits = network.classify(params, features);
        const picked = tf.sum(tf.mul(logits, target), 1);
        const aimed = tf.add(tf.mul(picked, 1 - smoothing), tf.mul(tf.mean(logits, 1), smoothing));
        const hit = tf.greaterEqual(picked, tf.max(logits, 1));
        const loss = tf.mean(tf.sub(tf.logSumExp(logits, 1), aimed));
        const accuracy = tf.mean(tf.cast(hit, 'float32'));
        return [loss, { accuracy }, { classifier: [collect] }] as const;
      });
      return {
        state: { classifier: after.state },
        metrics: { loss: after.loss, ...after.metrics },
      };
    },
  };
}
