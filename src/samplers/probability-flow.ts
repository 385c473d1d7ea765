import type { SubVp } from '../diffusion/sub-vp.ts';
import { stopGradient } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';

export interface ProbabilityFlowOptions {
  /** Heun steps. */
  readonly steps: number;
  /** Where the flow ends; 0.01 is what score-based ODE sampling commonly uses. */
  readonly lastTime: number;
}

/**
 * Samples of a score model by its probability-flow ODE (Song et al., ICLR 2021),
 * dx/dt = −½β(t)x − ½g(t)²∇log p_t(x), from `start` ~ N(0, I) [B, ...] at t = 1 down to
 * `lastTime`, by Heun's method on times whose roots are equidistant (finer towards the data).
 * Traceable; `score` is called at fixed times.
 */
export function probabilityFlow(
  diffusion: SubVp,
  score: (x: Tensor, t: number) => Tensor,
  start: Tensor,
  { steps, lastTime }: ProbabilityFlowOptions,
): Tensor {
  const slope = (x: Tensor, t: number): Tensor => {
    const beta = diffusion.rate(t);
    const squared = beta * -Math.expm1(-2 * diffusion.integral(t));
    return tf.add(tf.mul(x, -0.5 * beta), tf.mul(score(x, t), -0.5 * squared));
  };
  const root = Math.sqrt(lastTime);
  const time = (i: number) => (root + ((1 - root) * (steps - i)) / steps) ** 2;
  let x = start;
  for (let i = 0; i < steps; i++) {
    const h = time(i + 1) - time(i);
    const first = slope(x, time(i));
    const second = slope(tf.add(x, tf.mul(first, h)), time(i + 1));
    x = stopGradient(tf.add(x, tf.mul(tf.add(first, second), 0.5 * h)));
  }
  return x;
}
