import { ConfigError, ShapeError } from '../core/errors.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { leakyRelu } from '../nn/activations.ts';
import { addChannels, conv2d, convSpecs } from '../nn/conv.ts';
import { embedLevels } from '../nn/embedding.ts';
import { linearSpecs } from '../nn/initialise.ts';
import { linear } from '../nn/linear.ts';
import type { ParamSpecs, Params } from '../nn/params.ts';
import { type LevelFeatures, levelLinear } from '../nn/time-features.ts';
import type { EnergyNetwork, TimeInput } from './network.ts';

/** Sizes of the Wide-ResNet with time embedding; the defaults are Wide-ResNet 28-10. */
export interface WideResNetConfig {
  /** 6n + 4 for n blocks per stage. Default 28. */
  readonly depth?: number;
  /** Factor on the widths 16, 32, 64 of the stages. Default 10. */
  readonly widen?: number;
  /** Channels of the images. Default 3. */
  readonly channels?: number;
  /** Slope of the leaky ReLU below zero. Default 0.2. */
  readonly leak?: number;
  /** Dimensions of the time embedding and of its features. Defaults 128 and 512. */
  readonly timeDim?: number;
  readonly timeHidden?: number;
  /** Sum over positions instead of the mean over windows of 8×8. Default false. */
  readonly sumPool?: boolean;
  /** Outputs of the linear head, which the energy does not use. Default 10. */
  readonly classes?: number;
}

/** The energy, with what its head is made of. */
export interface WideResNet extends EnergyNetwork {
  /** `x` [B, C, H, W] → features [B, 64·widen], whose sum is the energy. */
  bindFeatures(params: Params, time: TimeInput): (x: Tensor) => Tensor;
  /** Features → scores of the unused classes, [B, classes]. */
  classify(params: Params, features: Tensor): Tensor;
}

const POOL = 8;

/**
 * Wide-ResNet (Zagoruyko & Komodakis 2016) without normalisation as an energy f(x, t), as in the
 * PyTorch version of diffusion recovery likelihood: each block adds time features after its first
 * convolution, and the pooled features are multiplied by time features. 28-10 has 39.4 million
 * parameters.
 * @throws ConfigError when the depth is not 6n + 4.
 */
export function wideResNet(config: WideResNetConfig = {}): WideResNet {
  const { depth = 28, widen = 10, channels = 3, leak = 0.2, sumPool = false } = config;
  const { timeDim = 128, timeHidden = 512, classes = 10 } = config;
  const blocks = (depth - 4) / 6;
  if (!Number.isInteger(blocks) || blocks < 1) {
    throw new ConfigError(`wideResNet: depth must be 6n + 4 (10, 16, 22, 28, …), got ${depth}`);
  }
  const widths = [16, 16 * widen, 32 * widen, 64 * widen];
  const last = widths[3];
  const torch = { start: 'torch' } as const;
  const params: Record<string, ParamSpecs[string]> = {
    ...convSpecs('conv1', channels, widths[0], 3, torch),
  };
  const layers: { name: string; stride: 1 | 2; shortcut: boolean }[] = [];
  for (let stage = 1; stage <= 3; stage++) {
    for (let i = 0; i < blocks; i++) {
      const name = `layer${stage}.${i}`;
      const fanIn = i === 0 ? widths[stage - 1] : widths[stage];
      const stride = i === 0 && stage > 1 ? 2 : 1;
      const shortcut = stride !== 1 || fanIn !== widths[stage];
      layers.push({ name, stride, shortcut });
      Object.assign(
        params,
        convSpecs(`${name}.conv1`, fanIn, widths[stage], 3, torch),
        linearSpecs(`${name}.temb_dense`, timeHidden, widths[stage]),
        convSpecs(`${name}.conv2`, widths[stage], widths[stage], 3, torch),
        shortcut ? convSpecs(`${name}.shortcut.0`, fanIn, widths[stage], 1, torch) : {},
      );
    }
  }
  Object.assign(
    params,
    linearSpecs('linear', last, classes),
    linearSpecs('temb_dense_0', timeDim, timeHidden),
    linearSpecs('temb_dense_1', timeHidden, timeHidden),
    linearSpecs('temb_dense_2', timeHidden, last),
  );

  const pool = (h: Tensor): Tensor => {
    if (sumPool) return tf.sum(h, [2, 3]);
    const [, , height, width] = h.shape;
    if (height !== POOL || width !== POOL) {
      throw new ShapeError(
        `wideResNet: the last map is ${height} x ${width}, the head pools ${POOL} x ${POOL}; use images of ${4 * POOL} x ${4 * POOL} or sumPool`,
      );
    }
    return tf.mean(h, [2, 3]);
  };
  const bindFeatures = (p: Params, time: TimeInput) => {
    const hidden = linear(p, 'temb_dense_0', embedLevels(time.levels, timeDim));
    const temb = linear(p, 'temb_dense_1', leakyRelu(hidden, leak));
    const select = time.select && { select: time.select };
    const plain: LevelFeatures = { rows: temb, ...select };
    const active: LevelFeatures = { rows: leakyRelu(temb, leak), ...select };
    return (x: Tensor): Tensor => {
      let h = conv2d(p, 'conv1', x);
      for (const { name, stride, shortcut } of layers) {
        let y = conv2d(p, `${name}.conv1`, leakyRelu(h, leak));
        y = addChannels(y, leakyRelu(levelLinear(p, `${name}.temb_dense`, plain), leak));
        y = conv2d(p, `${name}.conv2`, leakyRelu(y, leak), { stride });
        const kept = shortcut ? conv2d(p, `${name}.shortcut.0`, h, { stride, padding: 0 }) : h;
        h = tf.add(y, kept);
      }
      return tf.mul(pool(leakyRelu(h, leak)), levelLinear(p, 'temb_dense_2', active));
    };
  };
  return {
    params,
    buffers: {},
    norms: [],
    idleNorms: [],
    bindFeatures,
    bind(p, time) {
      const features = bindFeatures(p, time);
      return (x) => tf.sum(features(x), 1);
    },
    classify: (p, features) => linear(p, 'linear', features),
  };
}
