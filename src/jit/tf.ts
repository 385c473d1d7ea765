/**
 * TensorFlow.js, for every other room. The `@tensorflow/tfjs` entry is used because that of
 * tfjs-core alone registers no gradients under Node.
 */
import * as tf from '@tensorflow/tfjs';

export { tf };
export type Tensor = tf.Tensor;
