import { type Tensor, tf } from '../tf.ts';
import { type ResizeMethod, resizeMatrix } from '../trace/kernels/resize.ts';
import { type GradientRules, throughComposition } from './define.ts';

/*
 * Pooling and resizing. The backward kernels of TensorFlow.js have no gradients of their own, and
 * two of them are not the adjoint of their forward kernel: AvgPoolGrad counts padding as image,
 * the resizing ones ignore half-pixel centres.
 */

type Shape4 = [number, number, number, number];
type PoolInfo = ReturnType<typeof tf.backend_util.computePool2DInfo>;

// biome-ignore lint/suspicious/noExplicitAny: attributes of two kernels
function poolInfo(x: Tensor, a: any): PoolInfo {
  return tf.backend_util.computePool2DInfo(
    x.shape as Shape4,
    a.filterSize,
    a.strides,
    1,
    a.pad,
    a.dimRoundingMode,
  );
}

/** The padded image seen through each cell of the window: filterHeight·filterWidth tensors. */
function shifted(x: Tensor, info: PoolInfo, fill: number): Tensor[] {
  const [, h, w] = x.shape;
  const { top, left } = info.padInfo;
  const { strideHeight: sh, strideWidth: sw, filterHeight, filterWidth } = info;
  const rows = (info.outHeight - 1) * sh;
  const cols = (info.outWidth - 1) * sw;
  const padded = tf.pad(
    x,
    [
      [0, 0],
      [top, Math.max(0, rows + filterHeight - h - top)],
      [left, Math.max(0, cols + filterWidth - w - left)],
      [0, 0],
    ],
    fill,
  );
  const [n, , , c] = x.shape;
  return Array.from({ length: filterHeight * filterWidth }, (_, k) => {
    const i = Math.floor(k / filterWidth);
    const j = k % filterWidth;
    const end = [n, i + rows + 1, j + cols + 1, c] as Shape4;
    return tf.stridedSlice(padded, [0, i, j, 0], end, [1, sh, sw, 1]);
  });
}

const add = (terms: Tensor[]) => terms.reduce((s, t) => s.add(t));

// biome-ignore lint/suspicious/noExplicitAny: attributes of the kernel
function averagePool(x: Tensor, attrs: any): Tensor {
  const info = poolInfo(x, attrs);
  const [, h, w] = x.shape as Shape4;
  const image = tf.ones([1, h, w, 1]);
  return add(shifted(x, info, 0)).div(add(shifted(image, info, 0)));
}

/** Of equal maxima the first gets the gradient, as in the kernel. */
// biome-ignore lint/suspicious/noExplicitAny: attributes of the kernel
function maximumPool(x: Tensor, attrs: any): Tensor {
  const parts = shifted(x, poolInfo(x, attrs), Number.NEGATIVE_INFINITY);
  return parts.reduce((m, s) => tf.maximum(m, s));
}

/** dx = Rᵀ·dy·C for each channel, with the matrices of the forward pass. */
const resize = (method: ResizeMethod): GradientRules[string] => ({
  inputs: ['images'],
  gradient: ([dy], [images], attrs) => ({
    images: () => {
      const [, h, w] = images.shape;
      const [, toH, toW] = dy.shape;
      const rows = tf.tensor2d(resizeMatrix(method, h, toH, attrs), [toH, h]);
      const cols = tf.tensor2d(resizeMatrix(method, w, toW, attrs), [toW, w]);
      const planes = dy.transpose([0, 3, 1, 2]);
      const dx = tf.matMul(tf.matMul(rows, planes, true), cols);
      return dx.transpose([0, 2, 3, 1]);
    },
  }),
});

export const IMAGE_GRADIENTS: GradientRules = {
  AvgPool: {
    inputs: ['x'],
    gradient: ([dy], [x], attrs) => ({
      x: throughComposition((v) => averagePool(v, attrs), [x], dy)[0],
    }),
  },
  MaxPool: {
    inputs: ['x'],
    gradient: ([dy], [x], attrs) => ({
      x: throughComposition((v) => maximumPool(v, attrs), [x], dy)[0],
    }),
  },
  ResizeBilinear: resize('bilinear'),
  ResizeNearestNeighbor: resize('nearest'),
};
