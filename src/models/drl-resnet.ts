import { type Tensor, tf } from '../jit/tf.ts';
import { leakyRelu } from '../nn/activations.ts';
import { addChannels, conv2d, convSpecs } from '../nn/conv.ts';
import { embedLevels } from '../nn/embedding.ts';
import { denseSpecs } from '../nn/initialise.ts';
import { linear } from '../nn/linear.ts';
import { type ParamSpecs, type Params, parameter } from '../nn/params.ts';
import { downsample2 } from '../nn/resample.ts';
import { powerIteration, spectralBufferSpecs, spectralNormalise } from '../nn/spectral-norm.ts';
import { levelLinear } from '../nn/time-features.ts';
import type { EnergyNetwork, TimeInput } from './network.ts';

/** Sizes of the residual network of diffusion recovery likelihood; defaults for 32×32 images. */
export interface DrlResNetConfig {
  /** Channels of the images. Default 3. */
  readonly channels?: number;
  /** Channels of the first level. Default 128. */
  readonly width?: number;
  /** Channels of each level as multiples of `width`. Default [1, 2, 2, 2]. */
  readonly multipliers?: readonly number[];
  /** Residual blocks per level. Default 8; 2 is much faster and nearly as good. */
  readonly blocks?: number;
  /** Dimensions of the time embedding and of its features. Defaults 128 and 512. */
  readonly timeDim?: number;
  readonly timeHidden?: number;
}

/** An energy whose weights are spectrally normalised. */
export interface SpectralEnergyNetwork extends EnergyNetwork {
  /** Vectors of the power iteration, by the keys of their weights with `_u` behind. */
  readonly spectral: ParamSpecs;
  /** The parameters to `bind` with: normalised by the present vectors. Differentiable. */
  normalise(params: Params, vectors: Params): Params;
  /** The vectors after one more power iteration; one per optimiser step keeps them current. */
  iterate(params: Params, vectors: Params): Record<string, Tensor>;
}

const LEAK = 0.2;

/**
 * f(x, t) of Gao et al. (ICLR 2021): residual blocks without normalisation layers, spectral norm
 * on all weights but the last time map, mean pooling between levels, and a head ⟨v, u⟩ of image
 * features v (summed over positions) and time features u. 9.06 million parameters with 2 blocks
 * per level, 34.83 million with 8. `bind` takes the result of `normalise`.
 */
export function drlResNet(config: DrlResNetConfig = {}): SpectralEnergyNetwork {
  const { channels = 3, width = 128, multipliers = [1, 2, 2, 2], blocks = 8 } = config;
  const { timeDim = 128, timeHidden = 512 } = config;
  const last = width * multipliers[multipliers.length - 1];
  const params: Record<string, ParamSpecs[string]> = {
    ...denseSpecs('time.0', timeDim, timeHidden),
    ...denseSpecs('time.1', timeHidden, timeHidden),
    ...convSpecs('stem', channels, width, 3),
  };
  const levels: { name: string; shortcut: boolean }[][] = [];
  let fanIn = width;
  multipliers.forEach((multiplier, level) => {
    const out = width * multiplier;
    levels.push(
      Array.from({ length: blocks }, (_, i) => {
        const name = `levels.${level}.${i}`;
        const shortcut = fanIn !== out;
        Object.assign(
          params,
          convSpecs(`${name}.conv1`, fanIn, out, 3),
          denseSpecs(`${name}.time`, timeHidden, out),
          convSpecs(`${name}.conv2`, out, out, 3, { scale: 0 }),
          { [`${name}.gain`]: { shape: [out], init: { kind: 'constant', value: 1 } } },
          shortcut ? convSpecs(`${name}.shortcut`, fanIn, out, 3) : {},
        );
        fanIn = out;
        return { name, shortcut };
      }),
    );
  });
  Object.assign(params, denseSpecs('head', timeHidden, last));
  const normalised = Object.keys(params).filter(
    (key) => key.endsWith('.weight') && key !== 'head.weight',
  );
  const bounded = new Set(normalised.filter((key) => key.endsWith('.conv2.weight')));

  const block = (p: Params, { name, shortcut }: (typeof levels)[0][0], x: Tensor, time: Time) => {
    let h = conv2d(p, `${name}.conv1`, leakyRelu(x, LEAK));
    h = addChannels(h, levelLinear(p, `${name}.time`, time));
    h = conv2d(p, `${name}.conv2`, leakyRelu(h, LEAK));
    const gain = tf.reshape(parameter(p, `${name}.gain`), [1, -1, 1, 1]);
    return tf.add(shortcut ? conv2d(p, `${name}.shortcut`, x) : x, tf.mul(h, gain));
  };
  return {
    params,
    buffers: {},
    norms: [],
    idleNorms: [],
    spectral: spectralBufferSpecs(params, normalised),
    normalise: (p, vectors) => spectralNormalise(p, vectors, bounded),
    iterate: powerIteration,
    bind(p, time: TimeInput) {
      const hidden = linear(p, 'time.0', embedLevels(time.levels, timeDim));
      const temb = linear(p, 'time.1', leakyRelu(hidden, LEAK));
      const features: Time = {
        rows: leakyRelu(temb, LEAK),
        ...(time.select && { select: time.select }),
      };
      return (x) => {
        let h = conv2d(p, 'stem', x);
        levels.forEach((list, level) => {
          if (level > 0) h = downsample2(h, 'box');
          for (const item of list) h = block(p, item, h, features);
        });
        const image = tf.sum(tf.relu(h), [2, 3]);
        return tf.sum(tf.mul(image, levelLinear(p, 'head', features)), 1);
      };
    },
  };
}

type Time = Parameters<typeof levelLinear>[2];
