import { type Tensor, tf } from '../jit/tf.ts';
import { linear } from './linear.ts';
import type { Params } from './params.ts';

/** Features of the diffusion levels of a batch: computed once per distinct level. */
export interface LevelFeatures {
  /** [R, d], one row per distinct level. */
  readonly rows: Tensor;
  /** One-hot [B, R]: whose row is whose; absent when R is B, or 1 for all samples. */
  readonly select?: Tensor;
}

/** An affine map of the features per sample: [B, out], or [1, out] when all share a level. */
export function levelLinear(params: Params, name: string, levels: LevelFeatures): Tensor {
  const rows = linear(params, name, levels.rows);
  if (levels.select === undefined) return rows;
  return tf.matMul(levels.select as tf.Tensor2D, rows as tf.Tensor2D);
}
