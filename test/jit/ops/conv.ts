import fc from 'fast-check';
import { type Tensor, tf } from '../../../src/jit/index.ts';
import { type Entry, entry, floats } from '../sample.ts';

/*
 * Images stay small (TensorFlow.js' cpu backend convolves slowly): at most 2 of 3 channels, 7 × 7.
 */

const size = fc.integer({ min: 3, max: 7 });
const taps = fc.integer({ min: 1, max: 3 });
const channels = fc.integer({ min: 1, max: 3 });
const edge = fc.nat(2);

type Pad = 'same' | 'valid' | number | [number, number][];

/** Strides or dilations, never both: TensorFlow.js' own restriction. */
const steps = fc.oneof(
  fc.record({
    strides: fc.tuple(fc.constantFrom(1, 2, 3), fc.constantFrom(1, 2)),
    dilations: fc.constant([1, 1] as [number, number]),
  }),
  fc.record({
    strides: fc.constant([1, 1] as [number, number]),
    dilations: fc.tuple(fc.constantFrom(1, 2), fc.constantFrom(1, 2, 3)),
  }),
);

const padding = fc.oneof(
  fc.constantFrom<Pad>('same', 'valid', 0, 1),
  fc.tuple(edge, edge, edge, edge).map(
    ([t, b, l, r]): Pad => [
      [t, b],
      [l, r],
    ],
  ),
);

/** One number pads square windows only: TensorFlow.js sizes the result by the height alone. */
function square<T extends { kh: number; strides: number[]; dilations: number[] }>(a: T) {
  const pair = ([v]: number[]): [number, number] => [v, v];
  return { ...a, kw: a.kh, strides: pair(a.strides), dilations: pair(a.dilations) };
}

const image = fc
  .record({
    n: fc.constantFrom(1, 2),
    h: size,
    w: size,
    c: channels,
    kh: taps,
    kw: taps,
    out: channels,
    pad: padding,
    nchw: fc.boolean(),
    steps,
  })
  .map((a) => {
    // A dilated kernel may be larger than the image; it then takes no dilation.
    const fits = (a.kh - 1) * a.steps.dilations[0] < a.h && (a.kw - 1) * a.steps.dilations[1] < a.w;
    const dilations: [number, number] = fits ? a.steps.dilations : [1, 1];
    const drawn = { ...a, strides: a.steps.strides as [number, number], dilations };
    return typeof a.pad === 'number' ? square(drawn) : drawn;
  });

type Image = typeof image extends fc.Arbitrary<infer T> ? T : never;

const imageShape = ({ n, h, w, c, nchw }: Image) => (nchw ? [n, c, h, w] : [n, h, w, c]);
const format = ({ nchw }: Image) => (nchw ? 'NCHW' : 'NHWC');

/** Explicit padding names all four axes. */
function padOf({ pad, nchw }: Image): never {
  if (!Array.isArray(pad)) return pad as never;
  const none = [0, 0];
  return (nchw ? [none, none, ...pad] : [none, ...pad, none]) as never;
}

const nhwc = (a: Image): Image => ({ ...a, nchw: false });

const PLAIN: Entry[] = [
  entry('conv2d', { a: image }, ({ a, seed }) => ({
    args: [floats(imageShape(a), 'real', seed), floats([a.kh, a.kw, a.c, a.out], 'unit', seed + 1)],
    f: (x: tf.Tensor4D, w: tf.Tensor4D) =>
      tf.conv2d(x, w, a.strides, padOf(a), format(a), a.dilations),
  })),
  entry('conv2d with rounding', { a: image.map(square), up: fc.boolean() }, ({ a, up, seed }) => ({
    args: [
      floats(imageShape(nhwc(a)), 'real', seed),
      floats([a.kh, a.kh, a.c, a.out], 'unit', seed + 1),
    ],
    f: (x: tf.Tensor4D, w: tf.Tensor4D) =>
      tf.conv2d(x, w, a.strides, 1, 'NHWC', 1, up ? 'ceil' : 'floor'),
  })),
  entry('conv1d', { a: image }, ({ a, seed }) => ({
    args: [floats([a.n, a.w, a.c], 'real', seed), floats([a.kw, a.c, a.out], 'unit', seed + 1)],
    f: (x: tf.Tensor3D, w: tf.Tensor3D) => tf.conv1d(x, w, a.strides[1], 'same'),
  })),
  entry('conv2dTranspose', { a: image, same: fc.boolean() }, ({ a, same, seed }) => {
    const [sh, sw] = a.strides;
    const h = same ? a.h * sh : (a.h - 1) * sh + a.kh;
    const w = same ? a.w * sw : (a.w - 1) * sw + a.kw;
    return {
      args: [
        floats([a.n, a.h, a.w, a.c], 'real', seed),
        floats([a.kh, a.kw, a.out, a.c], 'unit', seed + 1),
      ],
      f: (x: tf.Tensor4D, filter: tf.Tensor4D) =>
        tf.conv2dTranspose(x, filter, [a.n, h, w, a.out], a.strides, same ? 'same' : 'valid'),
    };
  }),
  entry('depthwiseConv2d', { a: image, multiplier: fc.constantFrom(1, 2) }, (drawn) => {
    const { multiplier, seed } = drawn;
    const a = nhwc(drawn.a);
    const stride = a.strides[1];
    return {
      args: [
        floats(imageShape(a), 'real', seed),
        floats([a.kh, a.kw, a.c, multiplier], 'unit', seed + 1),
      ],
      f: (x: tf.Tensor4D, w: tf.Tensor4D) =>
        tf.depthwiseConv2d(x, w, [stride, stride], padOf(a), 'NHWC', a.dilations),
    };
  }),
  entry('separableConv2d', { a: image }, ({ a, seed }) => ({
    args: [
      floats(imageShape(nhwc(a)), 'real', seed),
      floats([a.kh, a.kw, a.c, 1], 'unit', seed + 1),
      floats([1, 1, a.c, a.out], 'unit', seed + 2),
    ],
    f: (x: tf.Tensor4D, d: tf.Tensor4D, p: tf.Tensor4D) => tf.separableConv2d(x, d, p, 1, 'same'),
  })),
];

const ACTIVATIONS = ['linear', 'relu', 'relu6', 'sigmoid', 'leakyrelu', 'elu', 'prelu'] as const;
const activation = fc.constantFrom(...ACTIVATIONS);
const relus = ['relu', 'relu6', 'leakyrelu', 'elu', 'prelu'];

/** Fused ops run fused in evaluation only; with a gradient TensorFlow.js takes them apart. */
const FUSED: Entry[] = ([0, 2] as const).flatMap((order) => [
  entry(
    `fused conv2d, order ${order}`,
    { a: image, kind: activation, bias: fc.boolean() },
    ({ a, kind, bias, seed }) => ({
      args: [
        floats(imageShape(nhwc(a)), 'real', seed),
        floats([a.kh, a.kw, a.c, a.out], 'unit', seed + 1),
        floats([a.out], 'real', seed + 2),
      ],
      f: (x: tf.Tensor4D, filter: tf.Tensor4D, b: Tensor) =>
        tf.fused.conv2d({
          x,
          filter,
          strides: a.strides,
          pad: 'same',
          activation: order > 0 && relus.includes(kind) ? 'linear' : kind,
          ...(bias ? { bias: b } : {}),
          ...(kind === 'prelu' ? { preluActivationWeights: b } : {}),
          leakyreluAlpha: 0.1,
        }),
    }),
    { order, noDifferences: 'linear ones are compared unfused', slack: 4 },
  ),
  entry(
    `fused depthwiseConv2d, order ${order}`,
    { a: image, kind: activation },
    ({ a, kind, seed }) => ({
      args: [
        floats(imageShape(nhwc(a)), 'real', seed),
        floats([a.kh, a.kw, a.c, 2], 'unit', seed + 1),
        floats([2 * a.c], 'real', seed + 2),
      ],
      f: (x: tf.Tensor4D, filter: tf.Tensor4D, bias: Tensor) =>
        tf.fused.depthwiseConv2d({
          x,
          filter,
          strides: [a.strides[1], a.strides[1]],
          pad: 'same',
          bias,
          activation: order > 0 && relus.includes(kind) ? 'linear' : kind,
          ...(kind === 'prelu' ? { preluActivationWeights: bias } : {}),
          leakyreluAlpha: 0.1,
        }),
    }),
    { order, noDifferences: 'linear ones are compared unfused', slack: 4 },
  ),
]);

const pool = fc.record({
  n: fc.constantFrom(1, 2),
  h: size,
  w: size,
  c: channels,
  window: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  strides: fc.tuple(fc.constantFrom(1, 2, 3), fc.constantFrom(1, 2)),
  pad: fc.constantFrom<'same' | 'valid' | number>('same', 'valid', 0, 1),
  up: fc.boolean(),
});

const POOLING: Entry[] = (['maxPool', 'avgPool'] as const).map((name) =>
  entry(name, { a: pool }, ({ a, seed }) => {
    const [k, s] = [a.window[0], a.strides[0]];
    const byNumber = typeof a.pad === 'number';
    const window: [number, number] = byNumber ? [k, k] : a.window;
    const strides: [number, number] = byNumber ? [s, s] : a.strides;
    // A window in the padding alone would hold no pixel.
    const pad = byNumber && k < 2 ? 0 : a.pad;
    const rounding = pad === 0 && a.up && k >= s ? 'ceil' : undefined;
    return {
      args: [floats([a.n, a.h, a.w, a.c], name === 'maxPool' ? 'distinct' : 'real', seed)],
      f: (x: tf.Tensor4D) => tf[name](x, window, strides, pad, rounding),
    };
  }),
);

const RESIZING: Entry[] = (['resizeBilinear', 'resizeNearestNeighbor'] as const).map((name) =>
  entry(
    name,
    {
      n: fc.constantFrom(1, 2),
      from: fc.tuple(size, size),
      to: fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })),
      c: channels,
      mode: fc.constantFrom('plain', 'aligned', 'half pixel'),
    },
    ({ n, from, to, c, mode, seed }) => ({
      args: [floats([n, ...from, c], 'real', seed)],
      f: (x: tf.Tensor4D) => tf.image[name](x, to, mode === 'aligned', mode === 'half pixel'),
    }),
  ),
);

export const IMAGES = [...PLAIN, ...FUSED, ...POOLING, ...RESIZING];
