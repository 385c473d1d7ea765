import { ShapeError } from '../core/errors.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { leakyRelu, softplus } from '../nn/activations.ts';
import { addChannels, conv2d, convSpecs } from '../nn/conv.ts';
import { downConv, downConvSpecs, LEAK } from '../nn/down-conv.ts';
import { embedLevels } from '../nn/embedding.ts';
import { denseSpecs } from '../nn/initialise.ts';
import { linear } from '../nn/linear.ts';
import type { ParamSpecs, Params } from '../nn/params.ts';
import { type LevelFeatures, levelLinear } from '../nn/time-features.ts';
import type { EncoderNetwork, TimeInput } from './network.ts';

/** Sizes of the image encoders (DDAEBM, Table 8); the defaults are the paper's. */
export interface ImageEncoderConfig {
  /** Channels of one image; the encoder sees two. Default 3. */
  readonly channels?: number;
  /** Channels of the first layer; half those of the large encoder's. Default 64. */
  readonly width?: number;
  /** m, dimension of the latent. Default 100. */
  readonly latent?: number;
  /** Dimension of the time embedding. Default 256. */
  readonly timeDim?: number;
}

const resolve = (c: ImageEncoderConfig) => ({
  channels: 3,
  width: 64,
  latent: 100,
  timeDim: 256,
  ...c,
});

/** q_ψ(z | x_t, x_{t+1}) for 32×32 images, four layers: 4,772,872 parameters. */
export function smallEncoder(config: ImageEncoderConfig = {}): EncoderNetwork {
  return plainEncoder(resolve(config), 4, 32);
}

/** The same with a fifth layer, for 64×64: 15,063,048 parameters. */
export function encoder64(config: ImageEncoderConfig = {}): EncoderNetwork {
  return plainEncoder(resolve(config), 5, 64);
}

/**
 * `depth` convolutions, the first at full size, the others halving: LeakyReLU of the convolution,
 * plus time. Two 4×4 convolutions on the last 4×4 map are the heads.
 */
function plainEncoder(c: ReturnType<typeof resolve>, depth: number, size: number): EncoderNetwork {
  const widths = Array.from({ length: depth }, (_, i) => c.width * 2 ** i);
  const torch = { start: 'torch' } as const;
  const params: Record<string, ParamSpecs[string]> = { ...timeSpecs(c.timeDim) };
  widths.forEach((width, i) => {
    const fanIn = i === 0 ? 2 * c.channels : widths[i - 1];
    const kernel = i === 0 ? 3 : 4;
    Object.assign(
      params,
      convSpecs(`conv${i + 1}`, fanIn, width, kernel, { ...torch, bias: false }),
      denseSpecs(`dense_t${i + 1}`, c.timeDim, width),
    );
  });
  const heads = [`conv${depth + 1}1`, `conv${depth + 1}2`];
  for (const head of heads) {
    Object.assign(params, convSpecs(head, widths[depth - 1], c.latent, 4, torch));
  }
  return {
    ...specOf(params),
    bind(p, time) {
      const features = timeFeatures(p, time, c.timeDim);
      return (x, xNext) => {
        let h = pairOf(x, xNext, c.channels, size);
        for (let i = 1; i <= depth; i++) {
          const options = i === 1 ? {} : { stride: 2, padding: 1 };
          h = leakyRelu(conv2d(p, `conv${i}`, h, options), LEAK);
          h = addChannels(h, levelLinear(p, `dense_t${i}`, features));
        }
        const [mean, logVariance] = heads.map((head) =>
          tf.reshape(conv2d(p, head, h, { padding: 0 }), [x.shape[0], c.latent]),
        );
        return { mean, logVariance };
      };
    },
  };
}

/**
 * The encoder for LSUN, made from DDGAN's large discriminator: six residual blocks that each halve
 * the image, a channel of the deviation within groups of samples, and a log-variance that is never
 * positive. 27,839,304 parameters. The batch must divide into groups of min(B, 4).
 */
export function largeEncoder(config: ImageEncoderConfig = {}): EncoderNetwork {
  const c = resolve(config);
  const widths = [2, 4, 8, 8, 8, 8, 8].map((m) => m * c.width);
  const last = widths[widths.length - 1];
  const params: Record<string, ParamSpecs[string]> = {
    ...timeSpecs(c.timeDim),
    ...convSpecs('start_conv.conv', 2 * c.channels, widths[0], 1),
  };
  for (let i = 1; i < widths.length; i++) {
    Object.assign(params, downConvSpecs(`conv${i}`, widths[i - 1], widths[i], c.timeDim));
  }
  Object.assign(
    params,
    convSpecs('final_conv.conv', last + 1, last, 3),
    denseSpecs('end_linear_mean', last, c.latent),
    denseSpecs('end_linear_logvar', last, c.latent),
  );
  return {
    ...specOf(params),
    bind(p, time) {
      const features = timeFeatures(p, time, c.timeDim);
      return (x, xNext) => {
        let h = conv2d(p, 'start_conv.conv', pairOf(x, xNext, c.channels));
        for (let i = 1; i < widths.length; i++) h = downConv(p, `conv${i}`, h, features, true);
        h = conv2d(p, 'final_conv.conv', withDeviation(h));
        const pooled = tf.sum(leakyRelu(h, LEAK), [2, 3]);
        return {
          mean: linear(p, 'end_linear_mean', pooled),
          logVariance: tf.neg(softplus(linear(p, 'end_linear_logvar', pooled))),
        };
      };
    },
  };
}

const STDDEV_GROUP = 4;

/** One more channel: the standard deviation over groups of samples, averaged over all else. */
function withDeviation(x: Tensor): Tensor {
  const [batch, c, h, w] = x.shape as [number, number, number, number];
  const group = Math.min(batch, STDDEV_GROUP);
  if (batch % group !== 0) {
    throw new ShapeError(
      `largeEncoder: a batch of ${batch} does not divide into groups of ${group}; use a multiple of ${STDDEV_GROUP}`,
    );
  }
  const groups = tf.reshape(x, [group, batch / group, c * h * w]);
  const variance = tf.mean(tf.square(tf.sub(groups, tf.mean(groups, 0, true))), 0);
  const deviation = tf.mean(tf.sqrt(tf.add(variance, 1e-8)), 1);
  const perSample = tf.reshape(tf.tile(deviation, [group]), [batch, 1, 1, 1]);
  return tf.concat([x, tf.broadcastTo(perSample, [batch, 1, h, w])], 1);
}

function timeSpecs(dim: number): ParamSpecs {
  return { ...denseSpecs('t_embed.main.0', dim, dim), ...denseSpecs('t_embed.main.2', dim, dim) };
}

function timeFeatures(p: Params, time: TimeInput, dim: number): LevelFeatures {
  const hidden = leakyRelu(linear(p, 't_embed.main.0', embedLevels(time.levels, dim)), LEAK);
  const rows = leakyRelu(linear(p, 't_embed.main.2', hidden), LEAK);
  return { rows, ...(time.select && { select: time.select }) };
}

const specOf = (params: ParamSpecs) => ({ params, buffers: {}, norms: [], idleNorms: [] });

/** x_t and x_{t+1} one behind the other along the channels. */
function pairOf(x: Tensor, xNext: Tensor, channels: number, size?: number): Tensor {
  for (const image of [x, xNext]) {
    const [, c, h, w] = image.shape;
    const fits = size === undefined || (h === size && w === size);
    if (image.rank !== 4 || c !== channels || !fits) {
      const expected = size === undefined ? 'height, width' : `${size}, ${size}`;
      throw new ShapeError(
        `encoder: takes images [batch, ${channels}, ${expected}], got [${image.shape}]`,
      );
    }
  }
  return tf.concat([x, xNext], 1);
}
