import fc from 'fast-check';
import { sizeOf } from '../../../src/core/host-tensor.ts';
import { type Tensor, tf } from '../../../src/jit/index.ts';
import { bools, dim, entry, floats, ints, shape, withAxis } from '../sample.ts';

const count = fc.integer({ min: 1, max: 4 });

const LAYOUT = [
  entry('reshape', { shape: shape(), split: fc.boolean() }, ({ shape: s, split, seed }) => ({
    args: [floats(s, 'real', seed)],
    f: (x: Tensor) => (split ? tf.reshape(x, [1, -1]) : tf.reshape(x, [...s].reverse())),
  })),
  entry('expandDims', { at: withAxis() }, ({ at, seed }) => ({
    args: [floats(at.shape, 'real', seed)],
    f: (x: Tensor) => tf.expandDims(x, at.axis),
  })),
  entry('squeeze', { shape: shape() }, ({ shape: s, seed }) => ({
    args: [floats(s, 'real', seed)],
    f: (x: Tensor) => tf.squeeze(x),
  })),
  entry(
    'transpose',
    {
      at: shape().chain((s) =>
        fc.record({
          shape: fc.constant(s),
          perm: fc.shuffledSubarray(
            s.map((_, i) => i),
            { minLength: s.length },
          ),
        }),
      ),
    },
    ({ at, seed }) => ({
      args: [floats(at.shape, 'real', seed)],
      f: (x: Tensor) => tf.transpose(x, at.perm),
    }),
  ),
  entry(
    'tile',
    {
      shape: shape(1, 5),
      reps: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 5, maxLength: 5 }),
    },
    ({ shape: s, reps, seed }) => ({
      args: [floats(s, 'real', seed)],
      f: (x: Tensor) => tf.tile(x, reps.slice(0, s.length)),
    }),
  ),
  entry(
    'broadcastTo',
    {
      shape: shape(0, 3),
      lead: shape(0, 1),
      ones: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
    },
    ({ shape: s, lead, ones, seed }) => ({
      args: [
        floats(
          s.map((d, i) => (ones[i] ? 1 : d)),
          'real',
          seed,
        ),
      ],
      f: (x: Tensor) => tf.broadcastTo(x, [...lead, ...s]),
    }),
  ),
  entry(
    'reverse',
    { shape: shape(1, 4), flags: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }) },
    ({ shape: s, flags, seed }) => ({
      args: [floats(s, 'real', seed)],
      f: (x: Tensor) =>
        tf.reverse(
          x,
          s.flatMap((_, i) => (flags[i] ? [i] : [])),
        ),
    }),
  ),
  entry(
    'depthToSpace',
    { n: dim, h: dim, w: dim, c: dim, block: fc.constantFrom(2, 3) },
    ({ n, h, w, c, block, seed }) => ({
      args: [floats([n, h, w, c * block * block], 'real', seed)],
      f: (x: Tensor) => tf.depthToSpace(x as tf.Tensor4D, block, 'NHWC'),
    }),
  ),
  ...(['batchToSpaceND', 'spaceToBatchND'] as const).map((name) =>
    entry(
      name,
      {
        n: fc.constantFrom(1, 2),
        cells: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
        block: fc.tuple(fc.constantFrom(1, 2, 3), fc.constantFrom(1, 2)),
        edge: fc.tuple(fc.nat(1), fc.nat(1)),
        c: dim,
      },
      ({ n, cells, block, edge, c, seed }) => {
        const [b0, b1] = block;
        // What is cropped there is padding here; both leave at least one cell.
        const edges = block.map((b, i) => [Math.min(edge[i], b - 1), 0]);
        const inner = cells.map((d, i) => d * block[i]);
        const cropped = inner.map((d, i) => d - edges[i][0]);
        const s = name === 'batchToSpaceND' ? [n * b0 * b1, ...cells, c] : [n, ...cropped, c];
        return {
          args: [floats(s, 'real', seed)],
          f: (x: Tensor) => tf[name](x as tf.Tensor4D, [b0, b1], edges),
        };
      },
    ),
  ),
];

const JOINING = [
  entry(
    'concat',
    { at: withAxis(), sizes: fc.array(dim, { minLength: 1, maxLength: 4 }) },
    ({ at, sizes, seed }) => {
      const axis = (at.axis + at.shape.length) % at.shape.length;
      return {
        args: sizes.map((d, k) =>
          floats(
            at.shape.map((v, i) => (i === axis ? d : v)),
            'real',
            seed + k,
          ),
        ),
        f: (...xs: Tensor[]) => tf.concat(xs, at.axis),
      };
    },
  ),
  entry(
    'concat of more operands than a shader binds',
    { n: fc.integer({ min: 9, max: 20 }) },
    ({ n, seed }) => ({
      args: Array.from({ length: n }, (_, k) => floats([1 + (k % 3), 2], 'real', seed + k)),
      f: (...xs: Tensor[]) => tf.concat(xs, 0),
    }),
  ),
  entry('stack', { at: withAxis(1, 3), n: count }, ({ at, n, seed }) => ({
    args: Array.from({ length: n }, (_, k) => floats(at.shape, 'real', seed + k)),
    f: (...xs: Tensor[]) => tf.stack(xs, at.axis),
  })),
  entry('unstack', { at: withAxis() }, ({ at, seed }) => ({
    args: [floats(at.shape, 'real', seed)],
    f: (x: Tensor) => tf.unstack(x, at.axis),
  })),
  entry(
    'split',
    { at: withAxis(), sizes: fc.array(dim, { minLength: 1, maxLength: 4 }), even: fc.boolean() },
    ({ at, sizes, even, seed }) => {
      const axis = (at.axis + at.shape.length) % at.shape.length;
      const parts = even ? sizes.map(() => sizes[0]) : sizes;
      const total = parts.reduce((p, d) => p + d, 0);
      return {
        args: [
          floats(
            at.shape.map((d, i) => (i === axis ? total : d)),
            'real',
            seed,
          ),
        ],
        f: (x: Tensor) => tf.split(x, even ? parts.length : parts, at.axis),
      };
    },
  ),
];

const span = (d: number) =>
  fc
    .nat(d - 1)
    .chain((begin) =>
      fc.record({ begin: fc.constant(begin), size: fc.integer({ min: 1, max: d - begin }) }),
    );

const CUTTING = [
  entry(
    'slice',
    {
      at: shape(1, 4).chain((s) =>
        fc.record({ shape: fc.constant(s), spans: fc.tuple(...s.map(span)) }),
      ),
      rest: fc.boolean(),
    },
    ({ at, rest, seed }) => ({
      args: [floats(at.shape, 'real', seed)],
      f: (x: Tensor) =>
        tf.slice(
          x,
          at.spans.map(({ begin }) => begin),
          at.spans.map(({ size }, i) => (rest && i === 0 ? -1 : size)),
        ),
    }),
  ),
  entry(
    'stridedSlice',
    {
      at: shape(1, 4).chain((s) =>
        fc.record({ shape: fc.constant(s), spans: fc.tuple(...s.map(span)) }),
      ),
      strides: fc.array(fc.constantFrom(1, 2, 3, -1, -2), { minLength: 4, maxLength: 4 }),
      masks: fc.tuple(fc.nat(15), fc.nat(15), fc.nat(15)),
    },
    ({ at, strides, masks, seed }) => {
      const steps = strides.slice(0, at.shape.length);
      const begin = at.spans.map(({ begin: b, size }, i) => (steps[i] < 0 ? b + size - 1 : b));
      const end = at.spans.map(({ begin: b, size }, i) =>
        // One before the start is written from the other end.
        steps[i] > 0 ? b + size : b - 1 - at.shape[i],
      );
      // TensorFlow.js drops axes only where nothing is skipped.
      const shrink = steps.every((s) => s === 1) ? masks[2] & (2 ** at.shape.length - 1) : 0;
      return {
        args: [floats(at.shape, 'real', seed)],
        f: (x: Tensor) => tf.stridedSlice(x, begin, end, steps, masks[0], masks[1], 0, 0, shrink),
      };
    },
  ),
  entry(
    'pad',
    {
      shape: shape(1, 4),
      pads: fc.array(fc.tuple(fc.nat(2), fc.nat(2)), { minLength: 4, maxLength: 4 }),
      value: fc.constantFrom(0, 1.5),
    },
    ({ shape: s, pads, value, seed }) => ({
      args: [floats(s, 'real', seed)],
      f: (x: Tensor) => tf.pad(x, pads.slice(0, s.length), value),
    }),
  ),
  ...(['reflect', 'symmetric'] as const).map((mode) =>
    entry(
      `mirrorPad ${mode}`,
      {
        shape: shape(1, 4),
        pads: fc.array(fc.tuple(fc.nat(2), fc.nat(2)), { minLength: 4, maxLength: 4 }),
      },
      ({ shape: s, pads, seed }) => {
        const most = (d: number) => (mode === 'reflect' ? d - 1 : d);
        const fit = s.map((d, i) => pads[i].map((p) => Math.min(p, most(d))) as [number, number]);
        return {
          args: [floats(s, 'real', seed)],
          f: (x: Tensor) => tf.mirrorPad(x, fit, mode),
        };
      },
    ),
  ),
  entry(
    'slices, joins and transposes of int32 and bool',
    { shape: shape(2, 3) },
    ({ shape: s, seed }) => ({
      args: [ints(s, -9, 10, seed), bools(s, seed)],
      f: (x: Tensor, p: Tensor) =>
        [x, p].flatMap((t) => [
          tf.transpose(t),
          tf.concat([t, t.reverse(0)], 1),
          tf.tile(
            t,
            s.map(() => 2),
          ),
          tf.slice(
            t,
            s.map(() => 0),
            s.map(() => 1),
          ),
          tf.reshape(t, [sizeOf(s)]),
          tf.pad(
            t.toInt(),
            s.map(() => [1, 0]),
          ),
          tf.gather(t, [0, 0]),
        ]),
    }),
    { order: 0 },
  ),
];

export const SHAPES = [...LAYOUT, ...JOINING, ...CUTTING];
