import { stopGradient } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';

/**
 * max(0,x) + a·min(0,x) with a learned scalar slope `a` of shape [1]; slope `a` at x = 0, as in
 * PyTorch. Written x·(a + step(x)·(1−a)): the step is piecewise constant, so stopping its gradient
 * is exact, and nothing on the way lacks a second derivative.
 */
export function prelu(x: Tensor, a: Tensor): Tensor {
  return tf.mul(x, slope(x, a));
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

function slope(x: Tensor, a: Tensor): Tensor {
  return tf.add(tf.mul(positive(x), tf.sub(1, a)), a);
}

/** 1 where x > 0, else 0; constant for differentiation. */
function positive(x: Tensor): Tensor {
  return stopGradient(tf.step(x));
}
