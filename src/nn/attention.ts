import { type Tensor, tf } from '../jit/tf.ts';
import { groupNorm, groupNormSpecs } from './group-norm.ts';
import { layerOutput } from './layer-log.ts';
import { nin, ninSpecs } from './nin.ts';
import { type ParamSpecs, type Params, under } from './params.ts';
import { residual } from './res-block.ts';

/** A group norm, and query, key, value and output maps `NIN_0` to `NIN_3`. */
export function attentionSpecs(name: string, channels: number): ParamSpecs {
  const map = (i: number, scale: number) =>
    ninSpecs(under(name, `NIN_${i}`), channels, channels, scale);
  return {
    ...groupNormSpecs(under(name, 'GroupNorm_0'), channels),
    ...map(0, 0.1),
    ...map(1, 0.1),
    ...map(2, 0.1),
    ...map(3, 0),
  };
}

/**
 * Self-attention with one head over all positions of `x` [B, C, H, W], added to x:
 * weights softmax(qᵀk/√C) over the keys. With `rescale` the sum is divided by √2.
 */
export function attention(params: Params, name: string, x: Tensor, rescale = true): Tensor {
  const [batch, channels, height, width] = x.shape;
  const positions = height * width;
  const normed = groupNorm(params, under(name, 'GroupNorm_0'), x);
  const flat = (i: number) =>
    tf.reshape(nin(params, under(name, `NIN_${i}`), normed), [batch, channels, positions]);
  const query = tf.mul(flat(0), channels ** -0.5);
  const weights = tf.softmax(tf.matMul(query, flat(1), true, false));
  const mixed = tf.matMul(flat(2), weights, false, true);
  const seen = layerOutput(
    { name, kind: 'attention', operations: 4 * batch * channels * positions ** 2 },
    tf.reshape(mixed, x.shape),
  );
  return residual(x, nin(params, under(name, 'NIN_3'), seen), rescale);
}
