import { type Tensor, tf } from '../jit/tf.ts';
import type { NormMode } from '../nn/batch-norm.ts';
import { linearSpecs } from '../nn/initialise.ts';
import { linear } from '../nn/linear.ts';
import type { Params } from '../nn/params.ts';
import type { EncoderNetwork, GeneratorNetwork, NetworkSpec, TimeInput } from './network.ts';

/** What generator and encoder of vectors have in common: net([x_encoder(input), t_encoder(e(t))]). */
export interface Trunk {
  readonly spec: NetworkSpec;
  /** Vectors [B, n] → features [B, m]. */
  bind(params: Params, time: TimeInput): (x: Tensor, mode: NormMode) => Tensor;
}

/** All that several parts declare, in their order. */
export function joinedSpec(parts: readonly NetworkSpec[]): NetworkSpec {
  return {
    params: Object.assign({}, ...parts.map((p) => p.params)),
    buffers: Object.assign({}, ...parts.map((p) => p.buffers)),
    norms: parts.flatMap((p) => p.norms),
    idleNorms: parts.flatMap((p) => p.idleNorms),
  };
}

/** One row per sample from one row per distinct level, [R, m] → [B, m]. */
export function rowsOfSamples(rows: Tensor, { select }: TimeInput): Tensor {
  return select === undefined ? rows : tf.matMul(select as tf.Tensor2D, rows as tf.Tensor2D);
}

/** G_φ([x_{t+1}, z], t) → predicted clean data. */
export function trunkGenerator(trunk: Trunk): GeneratorNetwork {
  return {
    ...trunk.spec,
    bind(params, time) {
      const run = trunk.bind(params, time);
      return (xNext, z, mode) => run(tf.concat([xNext, z], 1), mode);
    },
  };
}

/** q_ψ(z | x_t, x_{t+1}): input [x_t, x_{t+1}], heads `fc_mu` and `fc_var` (log-variance). */
export function trunkEncoder(trunk: Trunk, features: number, latent: number): EncoderNetwork {
  return {
    ...trunk.spec,
    params: {
      ...trunk.spec.params,
      ...linearSpecs('fc_mu', features, latent),
      ...linearSpecs('fc_var', features, latent),
    },
    bind(params, time) {
      const run = trunk.bind(params, time);
      return (x, xNext, mode) => {
        const h = run(tf.concat([x, xNext], 1), mode);
        return { mean: linear(params, 'fc_mu', h), logVariance: linear(params, 'fc_var', h) };
      };
    },
  };
}
