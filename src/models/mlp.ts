import { ConfigError } from '../core/errors.ts';
import type { Tensor } from '../jit/tf.ts';
import { leakyRelu, prelu, silu, softplus } from '../nn/activations.ts';
import {
  batchNorm,
  batchNormBufferSpecs,
  batchNormSpecs,
  type NormMode,
} from '../nn/batch-norm.ts';
import { linearSpecs, preluSpecs } from '../nn/initialise.ts';
import { linear } from '../nn/linear.ts';
import type { ParamSpecs, Params } from '../nn/params.ts';
import type { NetworkSpec } from './network.ts';

export type Activation = 'prelu' | 'softplus' | 'silu' | 'leaky-relu';

export interface MlpConfig {
  /** Sizes from input to output, at least two: [2, 300, 300, 1]. */
  readonly widths: readonly number[];
  /** After every layer but the last. `leaky-relu` has slope 0.2. Default `prelu`. */
  readonly activation?: Activation;
  /** Batch norm between each affine layer and its activation. Default false. */
  readonly batchNorm?: boolean;
  /** State_dict name of affine layer i. Default `layers.${i}`. */
  readonly layerName?: (i: number) => string;
  /** Prefix of all keys, e.g. `net.`. Default none. */
  readonly prefix?: string;
  /**
   * Also declare a batch norm and a PReLU for the last layer, which never run: the state dicts of
   * the official toy networks hold them. Default false.
   */
  readonly idleTail?: boolean;
}

export interface Mlp extends NetworkSpec {
  readonly depth: number;
  /** `x` [B, widths[0]] → [B, widths.at(-1)]. `mode` matters with batch norm only. */
  apply(params: Params, x: Tensor, mode?: NormMode): Tensor;
  /** All layers but the last, activations included: [B, widths.at(-2)]. */
  hidden(params: Params, x: Tensor, mode?: NormMode): Tensor;
  /** Normalisation and activation that follow affine layer `i`. */
  activate(params: Params, i: number, h: Tensor, mode?: NormMode): Tensor;
  /** All that follows the first affine layer, from its result [B, widths[1]]. */
  rest(params: Params, h: Tensor, mode?: NormMode): Tensor;
  /** Name of affine layer `i` with the prefix, e.g. `net.layers.0`. */
  layerName(i: number): string;
}

const BATCH: NormMode = { kind: 'batch' };

/**
 * A multilayer perceptron: affine → (batch norm) → activation, the last layer affine only.
 * @throws ConfigError when there are fewer than two widths or one is not a positive integer.
 */
export function mlp(config: MlpConfig): Mlp {
  const { widths, activation = 'prelu', prefix = '', idleTail = false } = config;
  const withNorm = config.batchNorm ?? false;
  if (widths.length < 2 || widths.some((w) => !Number.isInteger(w) || w < 1)) {
    throw new ConfigError(
      `mlp: widths must be two or more positive integers, got [${widths.join(', ')}]`,
    );
  }
  const depth = widths.length - 1;
  const nameOf = config.layerName ?? ((i: number) => `layers.${i}`);
  const layerName = (i: number) => `${prefix}${nameOf(i)}`;
  const normName = (i: number) => `${prefix}layers_bn.${i}`;
  const slopeName = (i: number) => `${prefix}activation_fn.${i}`;

  const params: Record<string, ParamSpecs[string]> = {};
  const buffers: Record<string, ParamSpecs[string]> = {};
  const norms: string[] = [];
  const idleNorms: string[] = [];
  for (let i = 0; i < depth; i++) {
    Object.assign(params, linearSpecs(layerName(i), widths[i], widths[i + 1]));
    const runs = i < depth - 1;
    if (!runs && !idleTail) continue;
    if (withNorm) {
      Object.assign(params, batchNormSpecs(normName(i), widths[i + 1]));
      Object.assign(buffers, batchNormBufferSpecs(normName(i), widths[i + 1]));
      (runs ? norms : idleNorms).push(normName(i));
    }
    if (activation === 'prelu') Object.assign(params, preluSpecs(slopeName(i)));
  }

  const activate = (p: Params, i: number, h: Tensor, mode: NormMode = BATCH): Tensor => {
    const y = withNorm ? batchNorm(p, normName(i), h, mode) : h;
    switch (activation) {
      case 'prelu':
        return prelu(y, p[`${slopeName(i)}.weight`]);
      case 'softplus':
        return softplus(y);
      case 'silu':
        return silu(y);
      case 'leaky-relu':
        return leakyRelu(y, 0.2);
    }
  };
  const hidden = (p: Params, x: Tensor, mode: NormMode = BATCH): Tensor => {
    let h = x;
    for (let i = 0; i < depth - 1; i++) h = activate(p, i, linear(p, layerName(i), h), mode);
    return h;
  };
  const apply = (p: Params, x: Tensor, mode: NormMode = BATCH): Tensor =>
    linear(p, layerName(depth - 1), hidden(p, x, mode));
  const rest = (p: Params, first: Tensor, mode: NormMode = BATCH): Tensor => {
    let h = first;
    for (let i = 1; i < depth; i++) h = linear(p, layerName(i), activate(p, i - 1, h, mode));
    return h;
  };
  return { params, buffers, norms, idleNorms, depth, apply, hidden, activate, rest, layerName };
}
