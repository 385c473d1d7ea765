import { type Tensor, tf } from '../jit/tf.ts';
import { swish } from './activations.ts';
import { denseSpecs } from './initialise.ts';
import { linear } from './linear.ts';
import { type ParamSpecs, type Params, under } from './params.ts';

/** Sizes of the map from the latent to the style vector. */
export interface MappingConfig {
  readonly latentDim: number;
  readonly styleDim: number;
  /** Affine layers after the first. */
  readonly depth: number;
}

/** Layers at the odd positions 1, 3, …, as in a sequence with norm and activations between. */
export function mappingSpecs(name: string, c: MappingConfig): ParamSpecs {
  const specs = Array.from({ length: c.depth + 1 }, (_, i) =>
    denseSpecs(layerName(name, i), i === 0 ? c.latentDim : c.styleDim, c.styleDim),
  );
  return Object.assign({}, ...specs);
}

/** Pixel norm z/√(mean z² + 1e-8), then affine and SiLU `depth` + 1 times: [B, m] → [B, d]. */
export function mapping(params: Params, name: string, c: MappingConfig, z: Tensor): Tensor {
  let h: Tensor = tf.mul(z, tf.rsqrt(tf.add(tf.mean(tf.square(z), 1, true), 1e-8)));
  for (let i = 0; i <= c.depth; i++) h = swish(linear(params, layerName(name, i), h));
  return h;
}

const layerName = (name: string, i: number) => under(name, `${2 * i + 1}`);
