import { type Tensor, tf } from '../jit/tf.ts';
import { leakyRelu } from '../nn/activations.ts';
import { convTranspose2d, convTransposeSpecs } from '../nn/conv.ts';
import type { ParamSpec, Params } from '../nn/params.ts';
import { type Mlp, mlp } from './mlp.ts';
import type { NetworkSpec } from './network.ts';

/** z [B, nz] → images [B, 1, 28, 28] in (−1, 1). */
export interface LatentDecoder extends NetworkSpec {
  decode(params: Params, z: Tensor): Tensor;
}

/** Kernel, stride and padding of the four layers: 1 → 4 → 7 → 14 → 28 pixels. */
const LAYERS = [
  { k: 4, stride: 1, padding: 0 },
  { k: 3, stride: 2, padding: 1 },
  { k: 4, stride: 2, padding: 1 },
  { k: 4, stride: 2, padding: 1 },
] as const;

/**
 * netG of the latent prior experiment of Energy Discrepancy (Schröder et al. 2023) on MNIST: four
 * transposed convolutions nz → 8f → 4f → 2f → 1 with LeakyReLU 0.1 between and tanh at the end.
 * Keys `gen.{0,2,4,6}`; 7.87 M parameters at nz = 64, f = 128. Convolution weights start as
 * Xavier-normal, biases as PyTorch's default.
 */
export function latentDecoder(nz = 64, features = 128): LatentDecoder {
  const sizes = [nz, 8 * features, 4 * features, 2 * features, 1];
  const params: Record<string, ParamSpec> = {};
  LAYERS.forEach(({ k }, i) => {
    const name = `gen.${2 * i}`;
    const specs = convTransposeSpecs(name, sizes[i], sizes[i + 1], k);
    const std = Math.sqrt(2 / ((sizes[i] + sizes[i + 1]) * k * k));
    params[`${name}.weight`] = {
      ...specs[`${name}.weight`],
      init: { kind: 'normal', mean: 0, std },
    };
    params[`${name}.bias`] = specs[`${name}.bias`];
  });
  return {
    params,
    buffers: {},
    norms: [],
    idleNorms: [],
    decode(p, z) {
      let h: Tensor = tf.reshape(z, [z.shape[0], nz, 1, 1]);
      LAYERS.forEach((layer, i) => {
        h = convTranspose2d(p, `gen.${2 * i}`, h, layer);
        h = i < LAYERS.length - 1 ? leakyRelu(h, 0.1) : tf.tanh(h);
      });
      return h;
    },
  };
}

/**
 * netE: the energy of the latent prior beside its Gaussian part, nz → w → w → w → 1 with LeakyReLU
 * 0.2. LOW where latents are likely. Keys `ebm.{0,2,4,6}`; 93,601 parameters at nz = 64, w = 200.
 */
export function latentEnergy(nz = 64, width = 200): Mlp {
  return mlp({
    widths: [nz, width, width, width, 1],
    activation: 'leaky-relu',
    layerName: (i) => `ebm.${2 * i}`,
  });
}
