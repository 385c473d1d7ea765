import { type Tensor, tf } from './tf.ts';

/**
 * Gradients that TensorFlow.js lacks and second-order training needs: piecewise constant ops have
 * gradient zero (tfjs throws instead), and the backward convolution kernels are themselves linear
 * in each argument.
 */

/** Ops whose derivative is zero almost everywhere, with the names of their inputs. */
const PIECEWISE_CONSTANT: Record<string, readonly string[]> = {
  Equal: ['a', 'b'],
  NotEqual: ['a', 'b'],
  Less: ['a', 'b'],
  LessEqual: ['a', 'b'],
  Greater: ['a', 'b'],
  GreaterEqual: ['a', 'b'],
  LogicalAnd: ['a', 'b'],
  LogicalOr: ['a', 'b'],
  LogicalNot: ['x'],
  IsNan: ['x'],
  IsInf: ['x'],
  IsFinite: ['x'],
  Round: ['x'],
  Floor: ['x'],
  Ceil: ['x'],
  Sign: ['x'],
  ArgMax: ['x'],
  ArgMin: ['x'],
};

type ConvAttrs = {
  strides: number | [number, number];
  pad: 'valid' | 'same' | number | tf.backend_util.ExplicitPadding;
  dataFormat: 'NHWC' | 'NCHW';
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
};

let registered = false;

/** Adds the missing gradients to TensorFlow.js' registry, once. Existing ones are kept. */
export function registerMissingGradients(): void {
  if (registered) return;
  registered = true;
  for (const [kernelName, inputs] of Object.entries(PIECEWISE_CONSTANT)) {
    if (tf.getGradient(kernelName) !== undefined) continue;
    tf.registerGradient({
      kernelName,
      inputsToSave: [...inputs],
      gradFunc: (_dy, saved) =>
        Object.fromEntries(inputs.map((name, i) => [name, () => tf.zeros(saved[i].shape)])),
    });
  }
  registerFromInputs();
  // F(x, dy) is bilinear, so each partial derivative is the other member of the family
  // {conv, backprop-input, backprop-filter}.
  tf.registerGradient({
    kernelName: 'Conv2DBackpropFilter',
    inputsToSave: ['x', 'dy'],
    gradFunc: (ddw, saved, attrs) => {
      const [x, dy] = saved as [tf.Tensor4D, tf.Tensor4D];
      const { strides, pad, dataFormat, dimRoundingMode } = attrs as unknown as ConvAttrs;
      const filter = ddw as tf.Tensor4D;
      return {
        x: () => conv2dInputGradient(x.shape, dy, filter, strides, pad, dataFormat),
        dy: () => tf.conv2d(x, filter, strides, pad as number, dataFormat, 1, dimRoundingMode),
      };
    },
  });
}

/**
 * Gradients that TensorFlow.js writes with the op's OUTPUT, written with its input instead. The
 * saved output enters the tape before the op that made it, so a second derivative silently loses
 * everything that flows through it: that of exp comes out as 0. Computing the output again costs
 * nothing in a trace, where equal computations are one.
 */
function registerFromInputs(): void {
  const fromInput = (
    kernelName: string,
    input: string,
    derive: (dy: Tensor, x: Tensor, attrs: Record<string, unknown>) => Tensor,
  ) =>
    tf.registerGradient({
      kernelName,
      inputsToSave: [input],
      gradFunc: (dy, [x], attrs) => ({
        [input]: () => derive(dy as Tensor, x, attrs as Record<string, unknown>),
      }),
    });
  fromInput('Exp', 'x', (dy, x) => tf.mul(dy, tf.exp(x)));
  fromInput('Sigmoid', 'x', (dy, x) => {
    const y = tf.sigmoid(x);
    return tf.mul(dy, tf.mul(y, tf.sub(1, y)));
  });
  fromInput('Tanh', 'x', (dy, x) => tf.mul(dy, tf.sub(1, tf.square(tf.tanh(x)))));
  fromInput('Elu', 'x', (dy, x) => tf.mul(dy, tf.exp(tf.minimum(x, 0))));
  fromInput('Softmax', 'logits', (dy, x, attrs) => {
    const dim = attrs['dim'] as number;
    const y = tf.softmax(x, dim);
    const weighted = tf.mul(dy, y);
    return tf.sub(weighted, tf.mul(tf.sum(weighted, dim, true), y));
  });
  fromInput('LogSoftmax', 'logits', (dy, x, attrs) => {
    const axis = attrs['axis'] as number;
    return tf.sub(dy, tf.mul(tf.sum(dy, axis, true), tf.softmax(x, axis)));
  });
}

/** The adjoint of tf.conv2d in its input: what tf.conv2dTranspose is, for any data format. */
function conv2dInputGradient(
  inputShape: number[],
  dy: tf.Tensor4D,
  filter: tf.Tensor4D,
  strides: ConvAttrs['strides'],
  pad: ConvAttrs['pad'],
  dataFormat: ConvAttrs['dataFormat'],
): Tensor {
  return tf.engine().runKernel('Conv2DBackpropInput', { dy, filter }, {
    strides,
    pad,
    dataFormat,
    inputShape,
  } as never);
}
