import { ShapeError } from '../core/errors.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { mapping, mappingSpecs } from '../nn/mapping.ts';
import type { EnergyNetwork, GeneratorNetwork } from './network.ts';
import { unet } from './unet.ts';
import type { UnetConfig } from './unet-config.ts';

/** The U-Net of a generator and the map of its latent. */
export interface NcsnppGeneratorConfig extends UnetConfig {
  /** m, dimension of z. Default 100. */
  readonly latent?: number;
  /** Dimension of the latent features. Default 256. */
  readonly styleDim?: number;
  /** Affine layers of the latent map after the first. Default 4. */
  readonly mappingDepth?: number;
  /** Whether the output is squashed into (−1, 1). Default true. */
  readonly tanh?: boolean;
}

/**
 * DDAEBM on CIFAR-10 (Table 9): 48,432,515 parameters in the generator, 40,279,171 in the energy.
 * Here as on CelebA the official training has `dropout: 0.1`.
 */
export const NCSNPP_CIFAR10: UnetConfig = {
  size: 32,
  width: 128,
  multipliers: [1, 2, 2, 2],
};

/** DDAEBM on CelebA 64×64: 25,651,843 and 19,693,955 parameters. */
export const NCSNPP_CELEBA64: UnetConfig = {
  size: 64,
  width: 64,
  multipliers: [1, 1, 2, 2, 4],
};

/** DDAEBM on LSUN church 128×128, called DDPM++ there: 37,902,403 and 30,273,347 parameters. */
export const DDPMPP_LSUN128: UnetConfig = {
  size: 128,
  width: 64,
  multipliers: [1, 2, 2, 4, 4],
  filter: 'box',
  progressiveInput: 'none',
};

/**
 * G_φ(x_{t+1}, z, t): the U-Net with adaptive group norms, whose scale and shift come from the
 * latent. Predicted clean images [B, C, H, W] (Xiao et al. 2022; networks of DDAEBM, Table 9).
 */
export function ncsnppGenerator(config: NcsnppGeneratorConfig): GeneratorNetwork {
  const { latent = 100, styleDim = 256, mappingDepth = 4, tanh = true } = config;
  const net = unet(config, styleDim);
  const map = { latentDim: latent, styleDim, depth: mappingDepth };
  return {
    params: { ...net.params, ...mappingSpecs('z_transform', map) },
    buffers: {},
    norms: [],
    idleNorms: [],
    dropoutShapes: net.dropoutShapes,
    bind(params, time) {
      const run = net.bind(params, time);
      return (xNext, z, _mode, drawn) => {
        if (z.rank !== 2 || z.shape[0] !== xNext.shape[0] || z.shape[1] !== latent) {
          throw new ShapeError(
            `ncsnppGenerator: takes latents [${xNext.shape[0]}, ${latent}], got [${z.shape}]`,
          );
        }
        const style = mapping(params, 'z_transform', map, z);
        const out = run(xNext, { style, ...(drawn && { dropout: drawn }) });
        return tanh ? tf.tanh(out) : out;
      };
    },
  };
}

/**
 * E_θ(x, t) = −½‖x − U(x, t)‖² with the U-Net output U (DDAEBM, eq. 24): log-density up to a
 * constant, never positive; about −½‖x‖² at the start.
 */
export function ncsnppEnergy(config: UnetConfig): EnergyNetwork {
  const net = unet(config);
  return {
    params: net.params,
    buffers: {},
    norms: [],
    idleNorms: [],
    dropoutShapes: net.dropoutShapes,
    bind(params, time) {
      const run = net.bind(params, time);
      return (x, drawn) => {
        const residual: Tensor = tf.sub(x, run(x, drawn && { dropout: drawn }));
        return tf.mul(tf.sum(tf.square(residual), [1, 2, 3]), -0.5);
      };
    },
  };
}
