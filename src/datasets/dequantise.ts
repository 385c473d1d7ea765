import { ShapeError } from '../core/errors.ts';
import { type Key, uniform } from '../core/random.ts';

/** Bounds of a pixel before the logit; y = logit(x) then lies in ±6.9068. */
export const LOGIT_CLAMP = 1e-3;

const LOWEST = logit(LOGIT_CLAMP);
const HIGHEST = logit(1 - LOGIT_CLAMP);

/**
 * Bytes → logits, as the NICE experiments of the field do it (VERA, sliced score matching):
 * x = k/255 + (u − ½)/256 with u ~ U(0,1), clamped to [1e-3, 1 − 1e-3], then y = log(x/(1−x)).
 * The noise is drawn afresh at every access, for training and test images alike, and follows from
 * `key`.
 *
 * Log-likelihoods of the experiments are densities of y: the Jacobian of the logit is left out.
 * Three quarters of the dequantised background pixels meet the clamp, so the law of y has atoms
 * and likelihoods compare only at equal preprocessing, network and budget.
 */
export function logitPixels(pixels: Uint8Array, key: Key): Float32Array {
  return logitPixelsOf(pixels, uniform(key, pixels.length));
}

/** `logitPixels` with the draws u, one per pixel, given. */
export function logitPixelsOf(pixels: ArrayLike<number>, u: ArrayLike<number>): Float32Array {
  const out = new Float32Array(pixels.length);
  for (let i = 0; i < out.length; i++) {
    const x = pixels[i] / 255 + (u[i] - 0.5) / 256;
    // Most pixels of a digit are background, and most of those meet the clamp.
    if (x <= LOGIT_CLAMP) out[i] = LOWEST;
    else if (x >= 1 - LOGIT_CLAMP) out[i] = HIGHEST;
    else out[i] = logit(x);
  }
  return out;
}

/** The inverse of the logit, [0, 1]: what is shown of a sample. */
export function pixelsOfLogits(y: ArrayLike<number>): Float32Array {
  return Float32Array.from(y, (v) => 1 / (1 + Math.exp(-v)));
}

/**
 * Σ log[x(1 − x)] per row of `dim` logits: subtracted from log p(y) it gives the density per unit
 * of dequantised pixel, log p(x) = log p(y) − Σ log[x_i(1 − x_i)].
 */
export function logitJacobian(y: ArrayLike<number>, dim: number): Float64Array {
  if (y.length % dim !== 0) {
    throw new ShapeError(`logitJacobian: ${y.length} values are no rows of ${dim}`);
  }
  const out = new Float64Array(y.length / dim);
  for (let i = 0; i < y.length; i++) {
    // x(1 − x) = e^{-|y|}/(1 + e^{-|y|})², without cancellation at either end.
    const a = Math.abs(y[i]);
    out[Math.floor(i / dim)] += -a - 2 * Math.log1p(Math.exp(-a));
  }
  return out;
}

function logit(x: number): number {
  return Math.log(x) - Math.log(1 - x);
}
