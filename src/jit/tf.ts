/**
 * TensorFlow.js, for every other room. The `@tensorflow/tfjs` entry is used because that of
 * tfjs-core alone registers no gradients under Node.
 */
import * as tf from '@tensorflow/tfjs';

// Without this, the first tensor prints advice to install another backend.
tf.enableProdMode();

export { tf };
export type Tensor = tf.Tensor;
