import { ShapeError } from '../core/errors.ts';
import { type Tensor, tf } from '../jit/tf.ts';

export interface ReverseCoefficients {
  /** c1[t], c2[t] and log β̃_t for t = 0..T−1. */
  readonly c1: ArrayLike<number>;
  readonly c2: ArrayLike<number>;
  readonly logVariance: ArrayLike<number>;
}

/**
 * The generation chain: from x_T = `start` down to x_0 with x_t = c1[t]·x̂ + c2[t]·x_{t+1} +
 * 1[t>0]·√β̃_t·ε and x̂ = predict(x_{t+1}, t). Returns x_T, x_{T−1}, …, x_0; T calls of `predict`.
 * `noise` is [T, B, ...]; its row t belongs to step t (row 0 is not used).
 * @throws ShapeError when `noise` does not hold one row per step.
 */
export function reverseChain(
  coefficients: ReverseCoefficients,
  predict: (xNext: Tensor, t: number) => Tensor,
  start: Tensor,
  noise: Tensor,
): Tensor[] {
  const steps = coefficients.c1.length;
  if (noise.shape[0] !== steps || noise.rank !== start.rank + 1) {
    throw new ShapeError(
      `reverseChain: noise must be [${steps}, ${start.shape}], one row per step, got [${noise.shape}]`,
    );
  }
  const rows = tf.unstack(noise, 0);
  const states = [start];
  for (let t = steps - 1; t >= 0; t--) {
    const xNext = states[states.length - 1];
    const mean = tf.add(
      tf.mul(predict(xNext, t), coefficients.c1[t]),
      tf.mul(xNext, coefficients.c2[t]),
    );
    const std = Math.exp(0.5 * coefficients.logVariance[t]);
    states.push(t === 0 ? mean : tf.add(mean, tf.mul(rows[t], std)));
  }
  return states;
}
