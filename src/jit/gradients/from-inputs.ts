import { type Tensor, tf } from '../tf.ts';
import type { GradientRules } from './define.ts';

/**
 * Gradients that TensorFlow.js writes with the op's OUTPUT, written with its input instead. The
 * saved output enters the tape before the op that made it, so a second derivative silently loses
 * everything that flows through it: that of exp comes out as 0, that of sigmoid too. Computing the
 * output again costs nothing in a trace, where equal computations are one.
 *
 * `tf.logSoftmax` cannot be mended here (it hides a gradient of that kind inside the op): where a
 * second derivative is needed, write x − logSumExp(x).
 */
export const FROM_INPUT_GRADIENTS: GradientRules = {
  Exp: ofInput('x', (dy, x) => tf.mul(dy, tf.exp(x))),
  Sigmoid: ofInput('x', (dy, x) => {
    const y = tf.sigmoid(x);
    return tf.mul(dy, tf.mul(y, tf.sub(1, y)));
  }),
  Tanh: ofInput('x', (dy, x) => tf.mul(dy, tf.sub(1, tf.square(tf.tanh(x))))),
  Elu: ofInput('x', (dy, x) => tf.mul(dy, tf.exp(tf.minimum(x, 0)))),
  Softmax: ofInput('logits', (dy, x, { dim }) => {
    const y = tf.softmax(x, dim);
    const weighted = tf.mul(dy, y);
    return tf.sub(weighted, tf.mul(tf.sum(weighted, dim, true), y));
  }),
  LogSoftmax: ofInput('logits', (dy, x, { axis }) =>
    tf.sub(dy, tf.mul(tf.sum(dy, axis, true), tf.softmax(x, axis))),
  ),
};

function ofInput(
  name: string,
  // biome-ignore lint/suspicious/noExplicitAny: attribute types differ per kernel
  derive: (dy: Tensor, x: Tensor, attrs: any) => Tensor,
): GradientRules[string] {
  return {
    inputs: [name],
    gradient: ([dy], [x], attrs) => ({ [name]: () => derive(dy, x, attrs) }),
  };
}
