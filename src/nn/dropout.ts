import { ShapeError } from '../core/errors.ts';
import { sameShape } from '../core/host-tensor.ts';
import { type Tensor, tf } from '../jit/tf.ts';

/** Uniform draws in [0, 1), by the block whose features they drop. */
export type DropoutDraws = Readonly<Record<string, Tensor>>;

/**
 * `x` with the entries set to 0 whose draw is below `rate`, the others divided by 1 − rate, so that
 * the mean stays (Srivastava et al. 2014). The draws come from outside, uniform in [0, 1).
 * @throws ShapeError unless there is one draw per entry.
 */
export function dropout(x: Tensor, drawn: Tensor, rate: number): Tensor {
  if (!sameShape(x.shape, drawn.shape)) {
    throw new ShapeError(
      `dropout: takes one draw per feature, [${x.shape}], got [${drawn.shape}]; draw them in the shapes that dropoutShapes(batch) gives`,
    );
  }
  const kept = tf.cast(tf.greaterEqual(drawn, rate), 'float32');
  return tf.mul(x, tf.mul(kept, 1 / (1 - rate)));
}
