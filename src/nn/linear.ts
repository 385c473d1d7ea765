import { type Tensor, tf } from '../jit/tf.ts';
import { layerOutput } from './layer-log.ts';
import { type Params, parameter } from './params.ts';

/**
 * x·Wᵀ + b for `x` [B, in], with W = `${name}.weight` [out, in] and b = `${name}.bias` [out].
 * The bias is added as a vector straight after the product, the form that becomes one Gemm.
 */
export function linear(params: Params, name: string, x: Tensor): Tensor {
  const weight = parameter(params, `${name}.weight`);
  const y = tf.add(matMulTransposed(x, weight), parameter(params, `${name}.bias`));
  return layerOutput({ name, kind: 'linear', operations: 2 * x.shape[0] * weight.size }, y);
}

/** x·Wᵀ for `x` [B, in] and `w` [out, in]. */
export function matMulTransposed(x: Tensor, w: Tensor): Tensor {
  return tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D, false, true);
}
