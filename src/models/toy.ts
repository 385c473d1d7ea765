import { type Tensor, tf } from '../jit/tf.ts';
import type { NormMode } from '../nn/batch-norm.ts';
import { embedLevels } from '../nn/embedding.ts';
import { matMulTransposed } from '../nn/linear.ts';
import type { Params } from '../nn/params.ts';
import { joinedSpec, rowsOfSamples, type Trunk, trunkEncoder, trunkGenerator } from './branched.ts';
import { type Activation, type Mlp, mlp } from './mlp.ts';
import type { EncoderNetwork, EnergyNetwork, GeneratorNetwork, TimeInput } from './network.ts';

/** Sizes of the 2-D networks (DDAEBM, Table 6); the defaults are the paper's. */
export interface ToyConfig {
  /** Dimension of the data. Default 2. */
  readonly dim?: number;
  /** Dimension of the latent. Default 2. */
  readonly latent?: number;
  /** Dimension of the time embedding; both branches end in twice as many features. Default 16. */
  readonly posDim?: number;
  /** Hidden widths of the data and the time branch. Default [16]. */
  readonly encoderLayers?: readonly number[];
  /** Hidden widths after both branches are joined. Default [300, 300]. */
  readonly decoderLayers?: readonly number[];
  /** Features before the two heads of the encoder. Default 16. */
  readonly features?: number;
  /** Default PReLU. Score-based methods differentiate three times and want a smooth one. */
  readonly activation?: Activation;
  /** How levels become [R, posDim] features. Default: the sinusoidal embedding. */
  readonly embed?: (levels: readonly number[] | Tensor, dim: number) => Tensor;
}

const DEFAULTS: Required<ToyConfig> = {
  dim: 2,
  latent: 2,
  posDim: 16,
  encoderLayers: [16],
  decoderLayers: [300, 300],
  features: 16,
  activation: 'prelu',
  embed: embedLevels,
};

/** E_θ(x, t): no batch norm, no quadratic head. 111,516 parameters at the default sizes. */
export function toyEnergy(config: ToyConfig = {}): EnergyNetwork {
  const c = { ...DEFAULTS, ...config };
  const trunk = toyTrunk(c, c.dim, 1, false);
  return {
    ...trunk.spec,
    bind(params, time) {
      const run = trunk.bind(params, time);
      return (x) => tf.reshape(run(x, { kind: 'batch' }), [x.shape[0]]);
    },
  };
}

/** G_φ([x_{t+1}, z], t) → predicted clean data. 113,149 parameters at the default sizes. */
export function toyGenerator(config: ToyConfig = {}): GeneratorNetwork {
  const c = { ...DEFAULTS, ...config };
  return trunkGenerator(toyTrunk(c, c.dim + c.latent, c.dim, true));
}

/** q_ψ(z | x_t, x_{t+1}). 117,459 parameters at the default sizes. */
export function toyEncoder(config: ToyConfig = {}): EncoderNetwork {
  const c = { ...DEFAULTS, ...config };
  return trunkEncoder(toyTrunk(c, 2 * c.dim, c.features, true), c.features, c.latent);
}

/**
 * The shape all three share: `net([x_encoder(input), t_encoder(e(t))])`.
 *
 * Both branches end in an affine layer and `net` begins with one, so the chain of the two is one
 * affine map: its matrix is multiplied out once per step (300×16 instead of a 32- and a 64-wide
 * product per sample), and the time branch runs on the distinct levels only. Same function, same
 * parameters, a third of the floating-point work of the first layers.
 */
function toyTrunk(
  c: Required<ToyConfig>,
  input: number,
  output: number,
  batchNorm: boolean,
): Trunk {
  const branch = 2 * c.posDim;
  const tail = { idleTail: true, activation: c.activation };
  const encoder = [...c.encoderLayers, branch];
  const xEncoder = mlp({ widths: [input, ...encoder], prefix: 'x_encoder.', batchNorm, ...tail });
  const tEncoder = mlp({ widths: [c.posDim, ...encoder], prefix: 't_encoder.', ...tail });
  const net = mlp({
    widths: [2 * branch, ...c.decoderLayers, output],
    prefix: 'net.',
    batchNorm,
    ...tail,
  });
  const spec = joinedSpec([net, tEncoder, xEncoder]);
  const bind = (params: Params, time: TimeInput) => {
    const { weight, offset } = joinedFirstLayer(
      params,
      xEncoder,
      tEncoder,
      net,
      c.embed(time.levels, c.posDim),
      time,
    );
    return (x: Tensor, mode: NormMode): Tensor => {
      const hidden = xEncoder.hidden(params, x, mode);
      return net.rest(params, tf.add(matMulTransposed(hidden, weight), offset), mode);
    };
  };
  return { spec, bind };
}

/** First layer of `net` composed with the last layer of `x_encoder`, and all that is not x. */
function joinedFirstLayer(
  params: Params,
  xEncoder: Mlp,
  tEncoder: Mlp,
  net: Mlp,
  embedding: Tensor,
  time: TimeInput,
): { weight: Tensor; offset: Tensor } {
  const branch = 2 * embedding.shape[1]!;
  const first = net.layerName(0);
  const last = xEncoder.layerName(xEncoder.depth - 1);
  const [wx, wt] = tf.split(params[`${first}.weight`], [branch, branch], 1);
  const weight = tf.matMul(wx as tf.Tensor2D, params[`${last}.weight`] as tf.Tensor2D);
  const xBias = tf.reshape(params[`${last}.bias`], [1, branch]);
  const bias = tf.add(matMulTransposed(xBias, wx), params[`${first}.bias`]);
  const rows = tf.add(matMulTransposed(tEncoder.apply(params, embedding), wt), bias);
  return { weight, offset: rowsOfSamples(rows, time) };
}
