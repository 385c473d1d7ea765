import fc from 'fast-check';
import { type Tensor, tf } from '../../../src/jit/index.ts';
import { dim, type Entry, entry, floats, ints, shape, withAxis } from '../sample.ts';

const small = fc.integer({ min: 1, max: 6 });

const MATMUL: Entry[] = [
  entry(
    'matMul',
    {
      m: small,
      k: small,
      n: small,
      batch: shape(0, 2),
      ones: fc.tuple(fc.boolean(), fc.boolean()),
      drop: fc.tuple(fc.boolean(), fc.boolean()),
      ta: fc.boolean(),
      tb: fc.boolean(),
    },
    ({ m, k, n, batch, ones, drop, ta, tb, seed }) => {
      const lead = (i: 0 | 1) =>
        drop[i] ? [] : batch.map((d, axis) => (ones[i] && axis === 0 ? 1 : d));
      return {
        args: [
          floats([...lead(0), ...(ta ? [k, m] : [m, k])], 'real', seed),
          floats([...lead(1), ...(tb ? [n, k] : [k, n])], 'real', seed + 1),
        ],
        f: (a: Tensor, b: Tensor) => tf.matMul(a, b, ta, tb),
      };
    },
  ),
  entry('dot', { n: small, m: small, vector: fc.boolean() }, ({ n, m, vector, seed }) => ({
    args: [floats([n], 'real', seed), floats(vector ? [n] : [n, m], 'real', seed + 1)],
    f: (a: Tensor, b: Tensor) => tf.dot(a, b),
  })),
  entry('outerProduct', { n: small, m: small }, ({ n, m, seed }) => ({
    args: [floats([n], 'real', seed), floats([m], 'real', seed + 1)],
    f: (a: tf.Tensor1D, b: tf.Tensor1D) => tf.outerProduct(a, b),
  })),
  entry(
    'attention',
    { b: dim, heads: dim, n: small, d: small },
    ({ b, heads, n, d, seed }) => ({
      args: [0, 1, 2].map((i) => floats([b, heads, n, d], 'unit', seed + i)),
      f: (q: Tensor, k: Tensor, v: Tensor) =>
        tf.matMul(tf.softmax(tf.matMul(q, k, false, true).div(Math.sqrt(d))), v),
    }),
    { slack: 2 },
  ),
  ...([0, 2] as const).map((order) =>
    entry(
      `fused matMul, order ${order}`,
      {
        m: small,
        k: small,
        n: small,
        kind: fc.constantFrom('linear', 'relu', 'sigmoid', 'leakyrelu', 'prelu', 'elu', 'relu6'),
        ta: fc.boolean(),
        tb: fc.boolean(),
      },
      ({ m, k, n, kind, ta, tb, seed }) => ({
        args: [
          floats(ta ? [k, m] : [m, k], 'real', seed),
          floats(tb ? [n, k] : [k, n], 'real', seed + 1),
          floats([n], 'real', seed + 2),
        ],
        f: (a: Tensor, b: Tensor, bias: Tensor) =>
          tf.fused.matMul({
            a,
            b,
            transposeA: ta,
            transposeB: tb,
            bias,
            activation: (order > 0 && kind !== 'sigmoid' ? 'linear' : kind) as 'linear',
            ...(kind === 'prelu' ? { preluActivationWeights: bias } : {}),
            leakyreluAlpha: 0.3,
          }),
      }),
      { order, slack: 2 },
    ),
  ),
];

/** Every pattern of labels: batch, contraction, free, sums over one operand, and permutations. */
const EQUATIONS = [
  'ij,jk->ik',
  'ij,kj->ki',
  'bij,bjk->bik',
  'bhqd,bhkd->bhqk',
  'bqhd,bkhd->bhqk',
  'bhqk,bkhd->bqhd',
  'bci,bcj->bij',
  'i,j->ji',
  'i,i->',
  'ij,ij->i',
  'ij,ij->ji',
  'ijk,j->ik',
  'ij,k->k',
  'ij,jk->',
  'i,->i',
  'ij->ji',
  'ij->j',
  'ijk->',
  'bij->bji',
] as const;

const SIZES: Readonly<Record<string, number>> = { b: 2, c: 3, d: 4, h: 2, i: 3, j: 4, k: 5, q: 3 };

/** TensorFlow.js' kernel sums the wrong axes of these. */
const WRONG_EAGERLY: Partial<Record<string, (a: Tensor, b: Tensor) => Tensor>> = {
  'ij,k->k': (a, b) => tf.sum(a).mul(b),
  'ij,jk->': (a, b) => tf.sum(tf.matMul(a, b)),
};

const EINSUM: Entry[] = EQUATIONS.map((equation) =>
  entry(
    `einsum ${equation}`,
    { one: fc.constantFrom('', ...Object.keys(SIZES)) },
    ({ one, seed }) => {
      const eager = WRONG_EAGERLY[equation];
      return {
        args: equation
          .split('->')[0]
          .split(',')
          .map((labels, i) =>
            floats(
              [...labels].map((l) => (l === one ? 1 : SIZES[l])),
              'real',
              seed + i,
            ),
          ),
        f: (...operands: Tensor[]) => tf.einsum(equation, ...operands),
        ...(eager === undefined ? {} : { eager }),
      };
    },
    // A sum of many terms of either sign loses digits against its own size.
    { slack: equation.endsWith('>') ? 20 : 2 },
  ),
);

const INDEXING: Entry[] = [
  entry('gather', { at: withAxis(), ids: shape(0, 2) }, ({ at, ids, seed }) => {
    const axis = (at.axis + at.shape.length) % at.shape.length;
    return {
      args: [floats(at.shape, 'real', seed), ints(ids, 0, at.shape[axis], seed + 1)],
      f: (x: Tensor, i: Tensor) => tf.gather(x, i as tf.Tensor1D, at.axis),
    };
  }),
  entry(
    'gather with batch axes',
    {
      batch: fc.array(dim, { minLength: 1, maxLength: 2 }),
      between: shape(0, 1),
      n: dim,
      rest: shape(0, 1),
      ids: shape(1, 2),
    },
    ({ batch, between, n, rest, ids, seed }) => ({
      args: [
        floats([...batch, ...between, n, ...rest], 'real', seed),
        ints([...batch, ...ids], 0, n, seed + 1),
      ],
      f: (x: Tensor, i: Tensor) =>
        tf.gather(x, i as tf.Tensor1D, batch.length + between.length, batch.length),
    }),
  ),
  entry('gatherND', { s: shape(1, 3), depth: fc.nat(2), rows: shape(1, 2) }, (drawn) => {
    const { s, rows, seed } = drawn;
    const depth = 1 + (drawn.depth % s.length);
    const ids = ints([...rows, depth], 0, 60, seed + 1);
    const data = ids.data.map((v, i) => v % s[i % depth]);
    return {
      args: [floats(s, 'real', seed), { ...ids, data }],
      f: (x: Tensor, i: Tensor) => tf.gatherND(x, i),
    };
  }),
  entry('scatterND', { s: shape(1, 3), depth: fc.nat(2), rows: dim }, (drawn) => {
    const { s, rows, seed } = drawn;
    const depth = 1 + (drawn.depth % s.length);
    const ids = ints([rows, depth], 0, 60, seed + 1);
    // Repeated indices on purpose: their updates add up.
    const data = ids.data.map((v, i) => v % s[i % depth]);
    return {
      args: [{ ...ids, data }, floats([rows, ...s.slice(depth)], 'real', seed)],
      f: (i: Tensor, updates: Tensor) => tf.scatterND(i, updates, [...s]),
    };
  }),
  entry('unsortedSegmentSum', { n: dim, rest: shape(0, 2), segments: dim }, (drawn) => {
    const { n, rest, segments, seed } = drawn;
    return {
      // From −1: rows of no segment are dropped.
      args: [floats([n, ...rest], 'real', seed), ints([n], -1, segments, seed + 1)],
      f: (x: Tensor, ids: Tensor) => tf.unsortedSegmentSum(x, ids as tf.Tensor1D, segments),
    };
  }),
  entry(
    'oneHot',
    { s: shape(1, 3), depth: fc.constantFrom(2, 3, 5), float: fc.boolean() },
    ({ s, depth, float, seed }) => ({
      args: [ints(s, -1, depth + 1, seed)],
      f: (i: Tensor) => tf.oneHot(i, depth, 2, -1, float ? 'float32' : 'int32'),
    }),
    { order: 0 },
  ),
];

export const PRODUCTS = [...MATMUL, ...EINSUM, ...INDEXING];
