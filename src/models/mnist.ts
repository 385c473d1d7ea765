import { type Tensor, tf } from '../jit/tf.ts';
import type { NormMode } from '../nn/batch-norm.ts';
import { embedLevels } from '../nn/embedding.ts';
import { matMulTransposed } from '../nn/linear.ts';
import type { Params } from '../nn/params.ts';
import { joinedSpec, rowsOfSamples, type Trunk, trunkEncoder, trunkGenerator } from './branched.ts';
import { mlp } from './mlp.ts';
import type { EncoderNetwork, GeneratorNetwork, TimeInput } from './network.ts';

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
  const decoder = [c.width, c.width, c.dim];
  return trunkGenerator(conditioned(c, [c.dim + c.latent, c.width, c.width], decoder));
}

/** q_ψ(z | x_t, x_{t+1}). */
export function mnistEncoder(config: MnistNetworkConfig = {}): EncoderNetwork {
  const c = { ...DEFAULTS, ...config };
  const decoder = [c.width, c.width, c.width];
  return trunkEncoder(
    conditioned(c, [2 * c.dim, 2 * c.width, c.width], decoder),
    c.width,
    c.latent,
  );
}

/**
 * net([x_encoder(input), t_encoder(e(t))]). The time branch, and its share of the first layer of
 * `net`, is computed for the distinct levels only.
 */
function conditioned(
  { timeDim, batchNorm }: Required<MnistNetworkConfig>,
  data: readonly number[],
  decoder: readonly number[],
): Trunk {
  const branch = data[data.length - 1];
  const xEncoder = mlp({ widths: data, prefix: 'x_encoder.', batchNorm });
  const tEncoder = mlp({ widths: [timeDim, timeDim, 2 * timeDim], prefix: 't_encoder.' });
  const net = mlp({ widths: [branch + 2 * timeDim, ...decoder], prefix: 'net.', batchNorm });
  const spec = joinedSpec([xEncoder, tEncoder, net]);
  const bind = (params: Params, time: TimeInput) => {
    const first = net.layerName(0);
    const [wx, wt] = tf.split(params[`${first}.weight`], [branch, 2 * timeDim], 1);
    const levels = tEncoder.apply(params, embedLevels(time.levels, timeDim));
    const rows = tf.add(matMulTransposed(levels, wt), params[`${first}.bias`]);
    const offset = rowsOfSamples(rows, time);
    return (x: Tensor, mode: NormMode): Tensor => {
      const features = xEncoder.apply(params, x, mode);
      return net.rest(params, tf.add(matMulTransposed(features, wx), offset), mode);
    };
  };
  return { spec, bind };
}
