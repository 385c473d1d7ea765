import { type ReverseCoefficients, reverseChain } from '../diffusion/reverse.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import type { GeneratorNetwork } from '../models/network.ts';
import type { NormMode } from '../nn/batch-norm.ts';
import type { Params } from '../nn/params.ts';

export interface AncestralNoise {
  /** x_T, [B, ...], standard normal. */
  readonly start: Tensor;
  /** Latents, [T, B, m]; row t belongs to step t. */
  readonly z: Tensor;
  /** Posterior noise, [T, B, ...]; row 0 is not used. */
  readonly posterior: Tensor;
}

export interface AncestralOptions {
  /**
   * Batch statistics by default: the official toy script never leaves training mode, so a sample
   * depends on the batch it is drawn in (1000 there). `running` for deterministic samples.
   */
  readonly mode?: NormMode;
  /** z = 0 instead of the given latents (the ablation without latent). Default true. */
  readonly latent?: boolean;
}

/**
 * Samples of a denoising generator in T steps (section 3 of the method). Returns all states
 * x_T, …, x_0, each [B, ...]; the last is the sample. Traceable.
 */
export function ancestralChain(
  coefficients: ReverseCoefficients,
  generator: GeneratorNetwork,
  params: Params,
  noise: AncestralNoise,
  options: AncestralOptions = {},
): Tensor[] {
  const { mode = { kind: 'batch' }, latent = true } = options;
  const latents = tf.unstack(latent ? noise.z : tf.zerosLike(noise.z), 0);
  return reverseChain(
    coefficients,
    (xNext, t) => generator.bind(params, { levels: [t] })(xNext, latents[t], mode),
    noise.start,
    noise.posterior,
  );
}
