import { valueAndGrad } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { CLASSIFIER_FEATURES, type MnistClassifier } from '../models/mnist-classifier.ts';
import type { AdamConfig } from '../optim/adam.ts';
import { type GameState, playersIo } from './game.ts';
import type { Objective } from './objective.ts';
import { player } from './player.ts';

const CLASSES = 10;
const PIXELS = 784;

export interface ClassificationConfig {
  readonly network: MnistClassifier;
  /** Images per step. Default 128. */
  readonly batch?: number;
  /** Share of the features left out at random. Default 0.4. */
  readonly dropout?: number;
  /** Default: rate 1e-3, betas (0.9, 0.999). */
  readonly adam?: Partial<AdamConfig>;
}

/**
 * Cross-entropy of a digit classifier. A row of the batch holds the 784 pixels in [0, 1] and then
 * ten numbers, 1 at the digit and 0 elsewhere.
 */
export function classification(config: ClassificationConfig): Objective<GameState<'classifier'>> {
  const { network, batch = 128, dropout = 0.4 } = config;
  const classifier = player({
    networks: { classifier: network },
    adam: { learningRate: 1e-3, ...config.adam },
  });
  return {
    name: 'classification',
    batchShape: [batch, PIXELS + CLASSES],
    noise: { dropout: { kind: 'uniform', shape: [batch, CLASSIFIER_FEATURES] } },
    ...playersIo('classification', { classifier }),
    step(state, { data }, noise) {
      const [pixels, target] = tf.split(data, [PIXELS, CLASSES], 1);
      const kept = tf.cast(tf.greaterEqual(noise['dropout'], dropout), 'float32');
      const keep = tf.mul(kept, 1 / (1 - dropout));
      const { value, grad, aux } = valueAndGrad(
        (flat: Tensor) => {
          const params = classifier.unpack(flat).classifier;
          const logits = network.logits(params, pixels, keep);
          const picked = tf.sum(tf.mul(logits, target), 1);
          const hit = tf.greaterEqual(picked, tf.max(logits, 1));
          const loss = tf.mean(tf.sub(tf.logSumExp(logits, 1), picked));
          return [loss, tf.mean(tf.cast(hit, 'float32'))] as const;
        },
        { hasAux: true },
      )(state.classifier.params);
      return {
        state: { classifier: classifier.update(state.classifier, grad) },
        metrics: { loss: value, accuracy: aux },
      };
    },
  };
}
