import { type Tensor, tf } from '../jit/tf.ts';
import type { Params } from './params.ts';

/**
 * x·Wᵀ + b for `x` [B, in], with W = `${name}.weight` [out, in] and b = `${name}.bias` [out].
 * The bias is added as a vector straight after the product, the form that becomes one Gemm.
 */
export function linear(params: Params, name: string, x: Tensor): Tensor {
  return tf.add(matMulTransposed(x, params[`${name}.weight`]), params[`${name}.bias`]);
}

/** x·Wᵀ for `x` [B, in] and `w` [out, in]. */
export function matMulTransposed(x: Tensor, w: Tensor): Tensor {
  return tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D, false, true);
}
