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

/**
 * The same as `silu`, with first and second derivative written out: σ + y(1−σ), and
 * σ(1−σ)(2 + x(1−2σ)). A gradient penalty then visits every activation half as often.
 */
export function swish(x: Tensor): Tensor {
  return SWISH(x);
}

/** log(1 + eˣ), without overflow. */
export function softplus(x: Tensor): Tensor {
  return tf.softplus(x);
}

const SWISH = tf.customGrad((x, save) => {
  (save as tf.GradSaveFunc)([x as Tensor]);
  return {
    value: silu(x as Tensor),
    gradFunc: (dy: Tensor, saved: Tensor[]) => tf.mul(dy, SWISH_SLOPE(saved[0])),
  };
});

const SWISH_SLOPE = tf.customGrad((x, save) => {
  const input = x as Tensor;
  (save as tf.GradSaveFunc)([input]);
  const gate = tf.sigmoid(input);
  return {
    value: tf.add(gate, tf.mul(silu(input), tf.sub(1, gate))),
    gradFunc: (dy: Tensor, saved: Tensor[]) => tf.mul(dy, swishCurvature(saved[0])),
  };
});

function swishCurvature(x: Tensor): Tensor {
  const gate = tf.sigmoid(x);
  const shut = tf.sub(1, gate);
  return tf.mul(tf.mul(gate, shut), tf.add(2, tf.mul(x, tf.sub(shut, gate))));
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
