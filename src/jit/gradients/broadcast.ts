import { type Tensor, tf } from '../tf.ts';
import { type GradientRules, throughComposition } from './define.ts';

/*
 * Ops that broadcast their operands, whose gradients in TensorFlow.js come out in the shape of the
 * result: any call with operands of different shapes throws.
 */

/** Sums over what broadcasting repeated: the adjoint of broadcasting to `x.shape`. */
function sumTo(x: Tensor, shape: readonly number[]): Tensor {
  const offset = x.rank - shape.length;
  const axes = x.shape.flatMap((d, i) => (i < offset || shape[i - offset] !== d ? [i] : []));
  return (axes.length === 0 ? x : x.sum(axes)).reshape([...shape]);
}

type Partial = (dy: Tensor, a: Tensor, b: Tensor) => Tensor;

const binary = (da: Partial, db: Partial): GradientRules[string] => ({
  inputs: ['a', 'b'],
  gradient: ([dy], [a, b]) => ({
    a: () => sumTo(da(dy, a, b), a.shape),
    b: () => sumTo(db(dy, a, b), b.shape),
  }),
});

const where = (mask: Tensor, dy: Tensor) => dy.mul(mask.toFloat());

export const BROADCAST_GRADIENTS: GradientRules = {
  // Of equal operands the first gets the gradient.
  Maximum: binary(
    (dy, a, b) => where(a.greaterEqual(b), dy),
    (dy, a, b) => where(a.less(b), dy),
  ),
  Minimum: binary(
    (dy, a, b) => where(a.lessEqual(b), dy),
    (dy, a, b) => where(a.greater(b), dy),
  ),
  SquaredDifference: binary(
    (dy, a, b) => dy.mul(a.sub(b).mul(2)),
    (dy, a, b) => dy.mul(b.sub(a).mul(2)),
  ),
  Prelu: {
    inputs: ['x', 'alpha'],
    gradient: ([dy], [x, alpha]) => {
      const positive = x.greater(0).toFloat();
      const slope = positive.add(tf.sub(1, positive).mul(alpha));
      return {
        x: () => sumTo(dy.mul(slope), x.shape),
        alpha: () => sumTo(dy.mul(tf.minimum(x, 0)), alpha.shape),
      };
    },
  },
  FusedBatchNorm: {
    inputs: ['x', 'mean', 'variance', 'scale'],
    gradient: ([dy], operands, { varianceEpsilon }) => {
      const normalise = (x: Tensor, mean: Tensor, variance: Tensor, scale?: Tensor) => {
        const y = x.sub(mean).mul(tf.rsqrt(variance.add(varianceEpsilon)));
        return scale === undefined ? y : y.mul(scale);
      };
      const compose = normalise as (...xs: Tensor[]) => Tensor;
      const [x, mean, variance, scale] = throughComposition(compose, operands, dy);
      return { x, mean, variance, scale, offset: () => sumTo(dy, operands[1].shape) };
    },
  },
  // The leading axes of a batched product broadcast too.
  BatchMatMul: {
    inputs: ['a', 'b'],
    gradient: ([dy], [a, b], { transposeA, transposeB }) => ({
      a: () =>
        sumTo(
          transposeA ? tf.matMul(b, dy, transposeB, true) : tf.matMul(dy, b, false, !transposeB),
          a.shape,
        ),
      b: () =>
        sumTo(
          transposeB ? tf.matMul(dy, a, true, transposeA) : tf.matMul(a, dy, !transposeA, false),
          b.shape,
        ),
    }),
  },
};
