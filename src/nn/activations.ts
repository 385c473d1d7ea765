import { stopGradient } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';

/**
 * max(0,x) + a·min(0,x) with a learned scalar slope `a` of shape [1]; slope `a` at x = 0, as in
 * PyTorch.
 *
 * The gradient is written out, in differentiable ops so that every order exists: ∂a sums
 * dy·min(0,x) directly, where differentiating x·(a + step(x)·(1−a)) subtracts two large sums and
 * loses digits.
 */
export function prelu(x: Tensor, a: Tensor): Tensor {
  return PRELU(x, a);
}

/** max(0,x) + a·min(0,x) with a fixed slope. */
export function leakyRelu(x: Tensor, a: number): Tensor {
  return tf.mul(x, tf.add(tf.mul(positive(x), 1 - a), a));
}

/** x·σ(x), also called swish. */
export function silu(x: Tensor): Tensor {
  return tf.mul(x, tf.sigmoid(x));
}

/** log(1 + eˣ), without overflow. */
export function softplus(x: Tensor): Tensor {
  return tf.softplus(x);
}

const PRELU = tf.customGrad((x, a, save) => {
  const remember = save as tf.GradSaveFunc;
  remember([x as Tensor, a as Tensor]);
  return {
    value: tf.mul(x as Tensor, selectSlope(x as Tensor, a as Tensor)),
    gradFunc: (dy: Tensor, saved: Tensor[]) => {
      const [input, slope] = saved;
      return [
        tf.mul(dy, SLOPE(stopGradient(input), slope)),
        tf.reshape(tf.sum(tf.mul(dy, tf.minimum(input, 0))), slope.shape),
      ];
    },
  };
});

/** The derivative of PReLU in x, 1 or a: constant in x almost everywhere, linear in a. */
const SLOPE = tf.customGrad((x, a, save) => {
  const remember = save as tf.GradSaveFunc;
  remember([x as Tensor, a as Tensor]);
  return {
    value: selectSlope(x as Tensor, a as Tensor),
    gradFunc: (dy: Tensor, saved: Tensor[]) => {
      const [input, slope] = saved;
      const negative = tf.cast(tf.lessEqual(stopGradient(input), 0), 'float32');
      return [tf.zerosLike(input), tf.reshape(tf.sum(tf.mul(dy, negative)), slope.shape)];
    },
  };
});

function selectSlope(x: Tensor, a: Tensor): Tensor {
  const broadcast = tf.reshape(a, new Array<number>(x.rank).fill(1));
  return tf.where(tf.greater(x, 0), tf.onesLike(x), tf.broadcastTo(broadcast, x.shape));
}

/** 1 where x > 0, else 0; constant for differentiation. */
function positive(x: Tensor): Tensor {
  return stopGradient(tf.step(x));
}
