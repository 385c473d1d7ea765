import { ConfigError } from '../core/errors.ts';
import { stopGradient, valueAndGrad } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import type { LogDensity } from './langevin.ts';

/**
 * One step uphill without noise, x + η∇E(x): the extra denoising step after the last one of a
 * sampler (DDAEBM, Section 4.3, after Song & Ermon 2020). Their step is σ²∇log p with σ² the
 * smallest variance of the noise; for DDAEBM that is η = β₀ = 1 − ᾱ₀, an inferred value, which the
 * paper does not give.
 * @param stepSize η, in squared units of x.
 * @throws ConfigError for a step size that is not positive.
 */
export function denoise(logDensity: LogDensity, x: Tensor, stepSize: number): Tensor {
  if (!(stepSize > 0)) {
    throw new ConfigError(`denoise: stepSize must be positive, got ${stepSize}`);
  }
  const { grad } = valueAndGrad((y: Tensor) => tf.sum(logDensity(y)))(x);
  return stopGradient(tf.add(x, tf.mul(grad, stepSize)));
}
