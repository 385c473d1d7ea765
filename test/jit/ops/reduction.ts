import fc from 'fast-check';
import { type Tensor, tf } from '../../../src/jit/index.ts';
import {
  bools,
  dim,
  type Entry,
  entry,
  type Fill,
  floats,
  ints,
  shape,
  withAxes,
  withAxis,
} from '../sample.ts';

type Reduce = (x: Tensor, axes: number[], keepDims: boolean) => Tensor | Tensor[];

const overAxes = (name: string, fill: Fill | 'distinct', f: Reduce, options: Partial<Entry> = {}) =>
  entry(
    name,
    { at: withAxes(0), keepDims: fc.boolean(), fromEnd: fc.boolean() },
    ({ at, keepDims, fromEnd, seed }) => {
      const axes = fromEnd ? at.axes.map((a) => a - at.shape.length) : at.axes;
      return {
        args: [floats(at.shape, fill, seed)],
        f: (x: Tensor) => f(x, axes, keepDims),
      };
    },
    options,
  );

const alongAxis = (
  name: string,
  fill: Fill | 'distinct',
  f: (x: Tensor, axis: number, flags: { p: boolean; q: boolean }) => Tensor | Tensor[],
  options: Partial<Entry> = {},
) =>
  entry(
    name,
    { at: withAxis(), p: fc.boolean(), q: fc.boolean() },
    ({ at, p, q, seed }) => ({
      args: [floats(at.shape, fill, seed)],
      f: (x: Tensor) => f(x, at.axis, { p, q }),
    }),
    options,
  );

const fromFront = (x: Tensor, axis: number) => (axis + x.rank) % x.rank;

/** Softmax and its like take the last axis only. */
const alongLast = (name: string, f: (x: Tensor) => Tensor) =>
  entry(name, { shape: shape(1, 4) }, ({ shape: s, seed }) => ({
    args: [floats(s, 'real', seed)],
    f,
  }));

const integer = (name: string, f: Reduce) =>
  entry(
    `${name} int32`,
    { at: withAxes(), keepDims: fc.boolean() },
    ({ at, keepDims, seed }) => ({
      args: [ints(at.shape, -4, 5, seed)],
      f: (x: Tensor) => f(x, at.axes, keepDims),
    }),
    { order: 0 },
  );

const logical = (name: string, f: (x: Tensor, axes: number[], keepDims: boolean) => Tensor) =>
  entry(
    name,
    { at: withAxes(), keepDims: fc.boolean() },
    ({ at, keepDims, seed }) => ({
      args: [bools(at.shape, seed)],
      f: (x: Tensor) => f(x, at.axes, keepDims),
    }),
    { order: 0 },
  );

const REDUCE: Entry[] = [
  overAxes('sum', 'real', tf.sum),
  overAxes('mean', 'real', tf.mean),
  overAxes('prod', 'real', tf.prod),
  overAxes('max', 'distinct', tf.max),
  overAxes('min', 'distinct', tf.min),
  overAxes('logSumExp', 'real', tf.logSumExp),
  overAxes('euclidean norm', 'real', (x, axes, keepDims) =>
    // Without axes the norm is |x|, whose root has a kink that squares hide here.
    tf.sqrt(tf.sum(x.square(), axes, keepDims)),
  ),
  overAxes('moments', 'real', (x, axes, keepDims) => {
    const { mean, variance } = tf.moments(x, axes, keepDims);
    return [mean, variance];
  }),
  integer('sum', tf.sum),
  integer('prod', tf.prod),
  integer('max', tf.max),
  integer('min', tf.min),
  integer('mean', tf.mean),
  logical('any', tf.any),
  logical('all', tf.all),
  logical('sum of bool', tf.sum),
  alongAxis('argMax', 'distinct', (x, axis) => tf.argMax(x, axis), { order: 0 }),
  alongAxis('argMin', 'distinct', (x, axis) => tf.argMin(x, axis), { order: 0 }),
];

const SCANS: Entry[] = [
  // From the front: TensorFlow.js misplaces an axis counted from the end.
  alongAxis('cumsum', 'real', (x, axis, { p, q }) => tf.cumsum(x, fromFront(x, axis), p, q)),
  alongAxis('cumprod', 'real', (x, axis, { p, q }) => tf.cumprod(x, fromFront(x, axis), p, q), {
    slack: 10,
  }),
  alongAxis('gather at argMax', 'distinct', (x, axis) =>
    tf.gather(x, tf.argMax(x, axis).flatten(), axis),
  ),
  alongLast('softmax', (x) => tf.softmax(x)),
  alongLast('logSoftmax', (x) => tf.logSoftmax(x)),
  entry(
    'topk',
    { shape: shape(1, 3), last: fc.integer({ min: 1, max: 7 }), k: fc.nat(6) },
    ({ shape: s, last, k, seed }) => ({
      args: [floats([...s.slice(1), last], 'distinct', seed)],
      f: (x: Tensor) => {
        const { values, indices } = tf.topk(x, 1 + (k % last));
        return [values, indices];
      },
    }),
  ),
];

const BATCH_NORM: Entry[] = [true, false].map((affine) =>
  entry(
    `batchNorm ${affine ? 'with' : 'without'} scale and offset`,
    { outer: fc.array(dim, { minLength: 1, maxLength: 3 }), c: dim },
    ({ outer, c, seed }) => ({
      args: [
        floats([...outer, c], 'real', seed),
        floats([c], 'real', seed + 1),
        floats([c], 'positive', seed + 2),
        ...(affine ? [floats([c], 'real', seed + 3), floats([c], 'real', seed + 4)] : []),
      ],
      f: (x: Tensor, mean: Tensor, variance: Tensor, offset?: Tensor, scale?: Tensor) =>
        tf.batchNorm(
          x as tf.Tensor4D,
          mean as tf.Tensor1D,
          variance as tf.Tensor1D,
          offset as tf.Tensor1D,
          scale as tf.Tensor1D,
          1e-3,
        ),
    }),
  ),
);

export const REDUCTIONS = [...REDUCE, ...SCANS, ...BATCH_NORM];
