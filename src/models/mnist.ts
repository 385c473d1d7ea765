import { type Tensor, tf } from '../jit/tf.ts';
import type { NormMode } from '../nn/batch-norm.ts';
import { embedLevels } from '../nn/embedding.ts';
import { linearSpecs } from '../nn/initialise.ts';
import { linear, matMulTransposed } from '../nn/linear.ts';
import type { Params } from '../nn/params.ts';
import { mlp } from './mlp.ts';
import type { EncoderNetwork, GeneratorNetwork, NetworkSpec, TimeInput } from './network.ts';

/**
 * Sizes of DDAEBM's generator and encoder for MNIST vectors (paper, Table 7). The rows of the
 * decoders are not legible there; they follow the 2-D networks, with the width of the branch.
 */
export interface MnistNetworkConfig {
  /** Dimension of the data. Default 784. */
  readonly dim?: number;
  /** Dimension of the latent. Default 50. */
  readonly latent?: number;
  /** Width of the hidden layers; the encoder's first layer has twice as many. Default 1600. */
  readonly width?: number;
  /** Dimension of the time embedding, and of the first layer behind it. Default 50. */
  readonly timeDim?: number;
  /** Batch norm in data branch and decoder. Default false: Table 7 prints none. */
  readonly batchNorm?: boolean;
}

const DEFAULTS: Required<MnistNetworkConfig> = {
  dim: 784,
  latent: 50,
  width: 1600,
  timeDim: 50,
  batchNorm: false,
};

/** G_φ([x_{t+1}, z], t) → predicted clean logits; no activation at the end. */
export function mnistGenerator(config: MnistNetworkConfig = {}): GeneratorNetwork {
  const c = { ...DEFAULTS, ...config };
  const trunk = conditioned(c, [c.dim + c.latent, c.width, c.width], [c.width, c.width, c.dim]);
  return {
    ...trunk.spec,
    bind(params, time) {
      const run = trunk.bind(params, time);
      return (xNext, z, mode) => run(tf.concat([xNext, z], 1), mode);
    },
  };
}

/** q_ψ(z | x_t, x_{t+1}): heads `fc_mu` and `fc_var` (log-variance). */
export function mnistEncoder(config: MnistNetworkConfig = {}): EncoderNetwork {
  const c = { ...DEFAULTS, ...config };
  const decoder = [c.width, c.width, c.width];
  const trunk = conditioned(c, [2 * c.dim, 2 * c.width, c.width], decoder);
  return {
    ...trunk.spec,
    params: {
      ...trunk.spec.params,
      ...linearSpecs('fc_mu', c.width, c.latent),
      ...linearSpecs('fc_var', c.width, c.latent),
    },
    bind(params, time) {
      const run = trunk.bind(params, time);
      return (x, xNext, mode) => {
        const features = run(tf.concat([x, xNext], 1), mode);
        return {
          mean: linear(params, 'fc_mu', features),
          logVariance: linear(params, 'fc_var', features),
        };
      };
    },
  };
}

/**
 * net([x_encoder(input), t_encoder(e(t))]). The time branch, and its share of the first layer of
 * `net`, is computed for the distinct levels only.
 */
function conditioned(
  { timeDim, batchNorm }: Required<MnistNetworkConfig>,
  data: readonly number[],
  decoder: readonly number[],
) {
  const branch = data[data.length - 1];
  const xEncoder = mlp({ widths: data, prefix: 'x_encoder.', batchNorm });
  const tEncoder = mlp({ widths: [timeDim, timeDim, 2 * timeDim], prefix: 't_encoder.' });
  const net = mlp({ widths: [branch + 2 * timeDim, ...decoder], prefix: 'net.', batchNorm });
  const parts = [xEncoder, tEncoder, net];
  const spec: NetworkSpec = {
    params: Object.assign({}, ...parts.map((p) => p.params)),
    buffers: Object.assign({}, ...parts.map((p) => p.buffers)),
    norms: parts.flatMap((p) => p.norms),
    idleNorms: [],
  };
  const bind = (params: Params, time: TimeInput) => {
    const first = net.layerName(0);
    const [wx, wt] = tf.split(params[`${first}.weight`], [branch, 2 * timeDim], 1);
    const levels = tEncoder.apply(params, embedLevels(time.levels, timeDim));
    const rows = tf.add(matMulTransposed(levels, wt), params[`${first}.bias`]);
    const offset =
      time.select === undefined ? rows : tf.matMul(time.select as tf.Tensor2D, rows as tf.Tensor2D);
    return (x: Tensor, mode: NormMode): Tensor => {
      const features = xEncoder.apply(params, x, mode);
      let h = tf.add(matMulTransposed(features, wx), offset);
      for (let i = 1; i < net.depth; i++) {
        h = linear(params, net.layerName(i), net.activate(params, i - 1, h, mode));
      }
      return h;
    };
  };
  return { spec, bind };
}
