import fc from 'fast-check';
import { checkpointed, type Tensor, tf } from '../../../src/jit/index.ts';
import { asOneRank, rankMean } from '../../../src/jit/ranks.ts';
import { bools, dim, type Entry, entry, floats, ints, shape } from '../sample.ts';

/*
 * Public ops that TensorFlow.js builds from others: they must trace without a rule of their own.
 */

type Loss = (labels: Tensor, predictions: Tensor) => Tensor;

const loss = (name: string, f: Loss, fill: 'real' | 'unit' | 'positive' = 'real') =>
  entry(name, { n: dim, c: dim }, ({ n, c, seed }) => ({
    args: [floats([n, c], 'unit', seed), floats([n, c], fill, seed + 1)],
    f,
  }));

const LOSSES: Entry[] = [
  loss('losses.meanSquaredError', (a, b) => tf.losses.meanSquaredError(a, b)),
  entry('losses.absoluteDifference', { n: dim, c: dim }, ({ n, c, seed }) => ({
    args: [floats([n, c], 'grid', seed), floats([n, c], 'offGrid', seed + 1)],
    f: (a: Tensor, b: Tensor) => tf.losses.absoluteDifference(a, b),
  })),
  loss('losses.cosineDistance', (a, b) => tf.losses.cosineDistance(a, b, 1)),
  loss('losses.hingeLoss', (a, b) => tf.losses.hingeLoss(a.abs(), b.mul(0.2))),
  loss('losses.huberLoss', (a, b) => tf.losses.huberLoss(a.mul(0.1), b.mul(0.2))),
  loss('losses.logLoss', (a, b) => tf.losses.logLoss(a.abs(), b.div(3)), 'positive'),
  loss('losses.sigmoidCrossEntropy', (a, b) => tf.losses.sigmoidCrossEntropy(a.abs(), b)),
  // A class index, so that the labels are a distribution.
  entry(
    'losses.softmaxCrossEntropy',
    { n: dim, c: fc.constantFrom(2, 3, 4) },
    ({ n, c, seed }) => ({
      args: [ints([n], 0, c, seed), floats([n, c], 'real', seed + 1)],
      f: (labels: Tensor, logits: Tensor) =>
        tf.losses.softmaxCrossEntropy(tf.oneHot(labels, c).toFloat(), logits),
    }),
  ),
];

const OTHERS: Entry[] = [
  entry('norm', { s: shape(2, 2), order: fc.constantFrom('euclidean', 1) }, (drawn) => {
    const { s, order, seed } = drawn;
    return {
      args: [floats(s, 'real', seed)],
      f: (x: Tensor) => tf.norm(x, order as 'euclidean', order === 1 ? 1 : undefined),
    };
  }),
  entry('checkpointed', { n: dim, m: dim }, ({ n, m, seed }) => ({
    args: [floats([n, m], 'real', seed), floats([n, m], 'real', seed + 1)],
    f: checkpointed((x: Tensor, y: Tensor) => tf.tanh(tf.mul(x, y))),
  })),
  entry('rankMean of one rank', { n: dim }, ({ n, seed }) => ({
    args: [floats([n], 'real', seed)],
    f: (x: Tensor) => asOneRank({ rank: 0, size: 1 }, () => tf.square(rankMean(x))),
  })),
  entry('linalg.bandPart', { n: dim, m: dim, low: fc.nat(2), up: fc.nat(2) }, (drawn) => {
    const { n, m, low, up, seed } = drawn;
    return {
      args: [floats([n, m], 'real', seed)],
      f: (x: Tensor) => tf.linalg.bandPart(x, Math.min(low, n), Math.min(up, m)),
    };
  }),
  entry('eye and meshgrid', { n: dim }, ({ n, seed }) => ({
    args: [floats([n, n], 'real', seed)],
    f: (x: Tensor) => {
      const [a, b] = tf.meshgrid(tf.range(0, n), tf.linspace(0, 1, n));
      return tf
        .eye(n)
        .mul(x)
        .add((a as Tensor).mul(b as Tensor).mul(x));
    },
  })),
  entry('pool with dilation', { n: dim, kind: fc.constantFrom('avg', 'max') }, (drawn) => {
    const { n, kind, seed } = drawn;
    return {
      args: [floats([1, 6, 6, n], 'distinct', seed)],
      f: (x: tf.Tensor4D) => tf.pool(x, 2, kind as 'avg', 'valid', [2, 2], 1),
    };
  }),
  entry('image.rgbToGrayscale', { h: dim, w: dim }, ({ h, w, seed }) => ({
    args: [floats([2, h, w, 3], 'real', seed)],
    f: (x: tf.Tensor4D) => tf.image.rgbToGrayscale(x),
  })),
  entry('movingAverage', { s: shape(1, 2) }, ({ s, seed }) => ({
    args: [floats(s, 'real', seed), floats(s, 'real', seed + 1)],
    f: (v: Tensor, x: Tensor) => tf.movingAverage(v, x, 0.9, 3),
  })),
  entry('a masked mean', { n: dim, m: dim }, ({ n, m, seed }) => ({
    args: [floats([n, m], 'real', seed), bools([n, m], seed)],
    f: (x: Tensor, keep: Tensor) => {
      const w = keep.toFloat();
      return x
        .mul(w)
        .sum(1)
        .div(tf.maximum(w.sum(1), 1));
    },
  })),
  entry('customGrad', { s: shape(1, 3) }, ({ s, seed }) => ({
    args: [floats(s, 'real', seed)],
    f: (x: Tensor) =>
      tf.customGrad((v, save) => {
        const y = (v as Tensor).exp();
        (save as tf.GradSaveFunc)([y]);
        return { value: y, gradFunc: (dy: Tensor, saved: Tensor[]) => dy.mul(saved[0]) };
      })(x),
  })),
];

export const COMPOSITES = [...LOSSES, ...OTHERS];
