import { stopGradient } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { type ParamSpecs, type Params, parameter } from './params.ts';

/*
 * Spectral normalisation (Miyato et al. 2018): a weight divided by its largest singular value,
 * which is followed by power iterations. The vectors of the iteration are state: they come in as
 * buffers and go out as new ones, one step of the iteration for each step of the optimiser.
 */

/** Key of the vector of a normalised weight, one entry per output of the layer. */
export const spectralKey = (weight: string): string => `${weight}_u`;

/** Vectors for the given weights; they start random and of length about 1. */
export function spectralBufferSpecs(params: ParamSpecs, weights: readonly string[]): ParamSpecs {
  return Object.fromEntries(
    weights.map((key) => {
      const [out] = params[key].shape;
      const init = { kind: 'normal', mean: 0, std: 1 / Math.sqrt(out) } as const;
      return [spectralKey(key), { shape: [out], init }];
    }),
  );
}

const EPS = 1e-12;

/** v/|v|. */
const unit = (v: Tensor): Tensor => tf.div(v, tf.add(tf.norm(v), EPS));

/** The weight as a matrix [outputs, everything else]. */
const matrixOf = (weight: Tensor): Tensor => tf.reshape(weight, [weight.shape[0], -1]);

const apply = (matrix: Tensor, v: Tensor, transposed: boolean): Tensor =>
  tf.reshape(tf.matMul(matrix, tf.reshape(v, [-1, 1]), transposed, false), [-1]);

/** The vectors after one power iteration with the present weights; no gradient flows. */
export function powerIteration(params: Params, buffers: Params): Record<string, Tensor> {
  return stopGradient(
    Object.fromEntries(
      Object.keys(buffers).map((key) => {
        const matrix = matrixOf(parameter(params, key.slice(0, -2)));
        const v = unit(apply(matrix, buffers[key], true));
        return [key, unit(apply(matrix, v, false))];
      }),
    ),
  );
}

/**
 * All parameters, the normalised ones divided by σ = uᵀWv with v = Wᵀu/|Wᵀu|; u and v are held
 * fixed for differentiation. Weights in `bounded` are divided only where σ > 1, so that a layer
 * that starts near zero can stay there.
 */
export function spectralNormalise(
  params: Params,
  buffers: Params,
  bounded: ReadonlySet<string> = new Set(),
): Params {
  const out: Record<string, Tensor> = { ...params };
  for (const key of Object.keys(buffers)) {
    const name = key.slice(0, -2);
    const weight = parameter(params, name);
    const matrix = matrixOf(weight);
    const u = stopGradient(buffers[key]);
    const v = stopGradient(unit(apply(matrix, u, true)));
    const sigma = tf.add(tf.sum(tf.mul(u, apply(matrix, v, false))), EPS);
    out[name] = tf.div(weight, bounded.has(name) ? tf.maximum(sigma, 1) : sigma);
  }
  return out;
}
