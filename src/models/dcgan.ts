import { type Tensor, tf } from '../jit/tf.ts';
import { leakyRelu } from '../nn/activations.ts';
import {
  batchNorm,
  batchNormBufferSpecs,
  batchNormSpecs,
  type NormMode,
} from '../nn/batch-norm.ts';
import { conv2d, convSpecs, convTranspose2d, convTransposeSpecs } from '../nn/conv.ts';
import { embedLevels } from '../nn/embedding.ts';
import { linearSpecs } from '../nn/initialise.ts';
import { linear } from '../nn/linear.ts';
import type { ParamSpec, ParamSpecs, Params } from '../nn/params.ts';
import { rowsOfSamples } from './branched.ts';
import type {
  EncoderNetwork,
  EnergyNetwork,
  GeneratorNetwork,
  NetworkSpec,
  TimeInput,
} from './network.ts';

/** Networks of the size of DCGAN for images of 3 x 32 x 32. */
export interface DcganConfig {
  /** Channels after the first convolution; doubled twice. Default 64. */
  readonly features?: number;
  /** Dimension of the latent. Default 100. */
  readonly latent?: number;
  /** Dimension of the time embedding. Default 64. */
  readonly timeDim?: number;
}

const CHANNELS = 3;
const SIDE = 32;
/** Side of the smallest features, three halvings below. */
const CORE = SIDE / 8;
const HALVE = { stride: 2, padding: 1 } as const;
const TORCH = { start: 'torch' } as const;
const SLOPE = 0.2;

const DEFAULTS: Required<DcganConfig> = { features: 64, latent: 100, timeDim: 64 };
const BATCH: NormMode = { kind: 'batch' };

const plain = (params: ParamSpecs): NetworkSpec => ({
  params,
  buffers: {},
  norms: [],
  idleNorms: [],
});

/** Adds to the features of a layer what the level contributes, per channel. */
type Shift = (layer: number, h: Tensor) => Tensor;
const NO_SHIFT: Shift = (_, h) => h;

/** Three convolutions 4×4 with stride 2, LeakyReLU 0.2, and their outputs: 16, 8 and 4 pixels wide. */
function descent(prefix: string, input: number, features: number) {
  const sizes = [input, features, 2 * features, 4 * features];
  const params: Record<string, ParamSpec> = {};
  for (let k = 0; k < 3; k++) {
    Object.assign(params, convSpecs(`${prefix}conv${k + 1}`, sizes[k], sizes[k + 1], 4, TORCH));
  }
  const run = (p: Params, x: Tensor, shift: Shift = NO_SHIFT): Tensor[] => {
    const outputs: Tensor[] = [];
    let h = x;
    for (let k = 0; k < 3; k++) {
      h = shift(k, leakyRelu(conv2d(p, `${prefix}conv${k + 1}`, h, HALVE), SLOPE));
      outputs.push(h);
    }
    return outputs;
  };
  return { params, run, flat: sizes[3] * CORE * CORE, sizes };
}

/** One affine map per layer of the time features: two layers of LeakyReLU on e(t), as in Table 8. */
function timeShift(timeDim: number, sizes: readonly number[]) {
  const params: Record<string, ParamSpec> = {
    ...linearSpecs('t_embed.0', timeDim, timeDim),
    ...linearSpecs('t_embed.2', timeDim, timeDim),
  };
  sizes.forEach((size, k) => {
    Object.assign(params, linearSpecs(`dense_t${k + 1}`, timeDim, size));
  });
  const bind = (p: Params, time: TimeInput): Shift => {
    let e = leakyRelu(linear(p, 't_embed.0', embedLevels(time.levels, timeDim)), SLOPE);
    e = leakyRelu(linear(p, 't_embed.2', e), SLOPE);
    return (layer, h) => {
      const all = rowsOfSamples(linear(p, `dense_t${layer + 1}`, e), time);
      return tf.add(h, tf.reshape(all, [all.shape[0], sizes[layer], 1, 1]));
    };
  };
  return { params, bind };
}

const asImages = (x: Tensor, channels = CHANNELS): Tensor =>
  tf.reshape(x, [x.shape[0], channels, SIDE, SIDE]);

const asRows = (x: Tensor): Tensor => tf.reshape(x, [x.shape[0], x.size / x.shape[0]]);

/** f(x) for image vectors [B, 3072] → [B, 1]. */
export function dcganEnergy(config: DcganConfig = {}) {
  const { features } = { ...DEFAULTS, ...config };
  const down = descent('', CHANNELS, features);
  return {
    ...plain({ ...down.params, ...linearSpecs('out', down.flat, 1) }),
    apply: (p: Params, x: Tensor): Tensor => linear(p, 'out', asRows(down.run(p, asImages(x))[2])),
  };
}

/** Latents [B, m] → image vectors [B, 3072] in (−1, 1): batch norm and ReLU, tanh at the end. */
export function dcganSampler(config: DcganConfig = {}) {
  const { features, latent } = { ...DEFAULTS, ...config };
  const sizes = [4 * features, 2 * features, features, CHANNELS];
  const params: Record<string, ParamSpec> = {
    ...linearSpecs('in', latent, sizes[0] * CORE * CORE),
  };
  const buffers: Record<string, ParamSpec> = {};
  for (let k = 0; k < 3; k++) {
    Object.assign(params, batchNormSpecs(`bn${k}`, sizes[k]));
    Object.assign(buffers, batchNormBufferSpecs(`bn${k}`, sizes[k]));
    Object.assign(params, convTransposeSpecs(`up${k + 1}`, sizes[k], sizes[k + 1], 4));
  }
  return {
    params,
    buffers,
    norms: ['bn0', 'bn1', 'bn2'],
    idleNorms: [],
    apply(p: Params, z: Tensor, mode: NormMode = BATCH): Tensor {
      let h: Tensor = tf.reshape(linear(p, 'in', z), [z.shape[0], sizes[0], CORE, CORE]);
      for (let k = 0; k < 3; k++) {
        h = tf.relu(imageNorm(p, `bn${k}`, h, mode));
        h = convTranspose2d(p, `up${k + 1}`, h, HALVE);
      }
      return asRows(tf.tanh(h));
    },
  };
}

/** E_θ(x, t) of images [B, 3, 32, 32]; the level is added after each activation. */
export function dcganTimeEnergy(config: DcganConfig = {}): EnergyNetwork {
  const { features, timeDim } = { ...DEFAULTS, ...config };
  const down = descent('', CHANNELS, features);
  const time = timeShift(timeDim, down.sizes.slice(1));
  return {
    ...plain({ ...down.params, ...time.params, ...linearSpecs('out', down.flat, 1) }),
    bind(p, at) {
      const shift = time.bind(p, at);
      return (x) => {
        const rows = linear(p, 'out', asRows(down.run(p, x, shift)[2]));
        return tf.reshape(rows, [x.shape[0]]);
      };
    },
  };
}

/**
 * G_φ(x_{t+1}, z, t) of images: down to 4×4, where latent and level come in, and up again over
 * skip connections; tanh.
 */
export function dcganTimeGenerator(config: DcganConfig = {}): GeneratorNetwork {
  const { features, latent, timeDim } = { ...DEFAULTS, ...config };
  const down = descent('down.', CHANNELS, features);
  const [, f1, f2, f4] = down.sizes;
  const time = timeShift(timeDim, [f1, f2, f4]);
  const params = {
    ...down.params,
    ...time.params,
    ...linearSpecs('latent', latent, down.flat),
    ...convTransposeSpecs('up1', f4, f2, 4),
    ...convTransposeSpecs('up2', 2 * f2, f1, 4),
    ...convTransposeSpecs('up3', 2 * f1, f1, 4),
    ...convSpecs('out', f1 + CHANNELS, CHANNELS, 3, TORCH),
  };
  return {
    ...plain(params),
    bind(p, at) {
      const shift = time.bind(p, at);
      return (xNext, z) => {
        const [a, b, c] = down.run(p, xNext, shift);
        const core = tf.reshape(linear(p, 'latent', z), c.shape);
        let h = leakyRelu(tf.add(c, core), SLOPE);
        h = leakyRelu(convTranspose2d(p, 'up1', h, HALVE), SLOPE);
        h = leakyRelu(convTranspose2d(p, 'up2', tf.concat([h, b], 1), HALVE), SLOPE);
        h = leakyRelu(convTranspose2d(p, 'up3', tf.concat([h, a], 1), HALVE), SLOPE);
        return tf.tanh(conv2d(p, 'out', tf.concat([h, xNext], 1)));
      };
    },
  };
}

/** q_ψ(z | x_t, x_{t+1}) of images. */
export function dcganTimeEncoder(config: DcganConfig = {}): EncoderNetwork {
  const { features, latent, timeDim } = { ...DEFAULTS, ...config };
  const down = descent('', 2 * CHANNELS, features);
  const time = timeShift(timeDim, down.sizes.slice(1));
  const params = {
    ...down.params,
    ...time.params,
    ...linearSpecs('fc_mu', down.flat, latent),
    ...linearSpecs('fc_var', down.flat, latent),
  };
  return {
    ...plain(params),
    bind(p, at) {
      const shift = time.bind(p, at);
      return (x, xNext) => {
        const h = asRows(down.run(p, tf.concat([x, xNext], 1), shift)[2]);
        return { mean: linear(p, 'fc_mu', h), logVariance: linear(p, 'fc_var', h) };
      };
    },
  };
}

/** Batch norm of images [B, C, h, w] per channel. */
function imageNorm(p: Params, name: string, x: Tensor, mode: NormMode): Tensor {
  const [batch, channels, height, width] = x.shape;
  const rows = tf.reshape(tf.transpose(x, [0, 2, 3, 1]), [-1, channels]);
  const normed = tf.reshape(batchNorm(p, name, rows, mode), [batch, height, width, channels]);
  return tf.transpose(normed, [0, 3, 1, 2]);
}
