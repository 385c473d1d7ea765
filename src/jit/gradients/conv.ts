import { type Tensor, tf } from '../tf.ts';
import { type GradientRules, throughComposition } from './define.ts';

/*
 * A convolution is bilinear, so each partial derivative of one of {convolution, its adjoint in the
 * input, its adjoint in the filter} is another of the three. TensorFlow.js registers only some of
 * them, drops the rounding mode, and refuses dilation.
 */

type Pair = number | [number, number];

interface ConvAttrs {
  strides: Pair;
  pad: 'valid' | 'same' | number | tf.backend_util.ExplicitPadding;
  dataFormat?: 'NHWC' | 'NCHW';
  dilations?: Pair;
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

/** The three maps of one family, standard or depthwise. */
interface Family {
  readonly forward: (x: Tensor, filter: Tensor, a: ConvAttrs) => Tensor;
  readonly inputKernel: string;
  readonly filterKernel: string;
}

const STANDARD: Family = {
  forward: (x, filter, a) =>
    tf.conv2d(
      x as tf.Tensor4D,
      filter as tf.Tensor4D,
      a.strides,
      a.pad as number,
      a.dataFormat,
      a.dilations ?? 1,
      a.dimRoundingMode,
    ),
  inputKernel: 'Conv2DBackpropInput',
  filterKernel: 'Conv2DBackpropFilter',
};

const DEPTHWISE: Family = {
  forward: (x, filter, a) =>
    tf.depthwiseConv2d(
      x as tf.Tensor4D,
      filter as tf.Tensor4D,
      a.strides as [number, number],
      a.pad as number,
      a.dataFormat,
      a.dilations ?? 1,
      a.dimRoundingMode,
    ),
  inputKernel: 'DepthwiseConv2dNativeBackpropInput',
  filterKernel: 'DepthwiseConv2dNativeBackpropFilter',
};

const run = (kernel: string, inputs: Record<string, Tensor>, attrs: object): Tensor =>
  tf.engine().runKernel(kernel, inputs, attrs as never);

const inputGradient = (f: Family, inputShape: number[], dy: Tensor, filter: Tensor, a: ConvAttrs) =>
  run(f.inputKernel, { dy, filter }, { ...a, inputShape });

const filterGradient = (f: Family, x: Tensor, dy: Tensor, filterShape: number[], a: ConvAttrs) =>
  run(f.filterKernel, { x, dy }, { ...a, filterShape });

const pair = (v: Pair | undefined): [number, number] =>
  v === undefined ? [1, 1] : typeof v === 'number' ? [v, v] : v;

/** The filter with zeros between its taps: dilation written out. */
function inflate(filter: Tensor, [dh, dw]: [number, number]): Tensor {
  const [h, w, c, m] = filter.shape;
  const open = filter.reshape([h, 1, w, 1, c * m]);
  const spread = tf.pad(open, [
    [0, 0],
    [0, dh - 1],
    [0, 0],
    [0, dw - 1],
    [0, 0],
  ]);
  const full = spread.reshape([h * dh, w * dw, c, m]);
  return tf.slice(full, [0, 0, 0, 0], [(h - 1) * dh + 1, (w - 1) * dw + 1, c, m]);
}

const rules = (f: Family, kernel: string): GradientRules => ({
  [kernel]: {
    inputs: ['x', 'filter'],
    gradient: ([dy], [x, filter], attrs: ConvAttrs) => {
      const dilations = pair(attrs.dilations);
      if (dilations[0] > 1 || dilations[1] > 1) {
        const plain = { ...attrs, dilations: 1 };
        const dense = (a: Tensor, w: Tensor) => f.forward(a, inflate(w, dilations), plain);
        const [dx, dFilter] = throughComposition(dense, [x, filter], dy);
        return { x: dx, filter: dFilter };
      }
      return {
        x: () => inputGradient(f, x.shape, dy, filter, attrs),
        filter: () => filterGradient(f, x, dy, filter.shape, attrs),
      };
    },
  },
  [f.inputKernel]: {
    inputs: ['dy', 'filter'],
    gradient: ([ddx], [dy, filter], attrs: ConvAttrs) => ({
      dy: () => f.forward(ddx, filter, attrs),
      filter: () => filterGradient(f, ddx, dy, filter.shape, attrs),
    }),
  },
  [f.filterKernel]: {
    inputs: ['x', 'dy'],
    gradient: ([ddw], [x, dy], attrs: ConvAttrs) => ({
      x: () => inputGradient(f, x.shape, dy, ddw, attrs),
      dy: () => f.forward(x, ddw, attrs),
    }),
  },
});

export const CONV_GRADIENTS: GradientRules = {
  ...rules(STANDARD, 'Conv2D'),
  ...rules(DEPTHWISE, 'DepthwiseConv2dNative'),
};
