import { rankMean } from '../ranks.ts';
import { type Tensor, tf } from '../tf.ts';
import { AFTER } from '../trace/after.ts';
import { RANK_MEAN } from '../trace/rank-mean.ts';
import { type GradientRules, throughComposition } from './define.ts';

type Dims = readonly number[];

/** dy put back where a strided slice took it from, zeros elsewhere. */
function unslice(dy: Tensor, begin: Dims, strides: Dims, shape: Dims): Tensor {
  let out = dy;
  for (const [axis, length] of shape.entries()) {
    const stride = Math.abs(strides[axis]);
    const size = out.shape[axis];
    const backwards = strides[axis] < 0;
    const first = backwards ? begin[axis] - (size - 1) * stride : begin[axis];
    if (backwards) out = out.reverse(axis);
    if (stride > 1) out = dilate(out, axis, stride);
    out = tf.pad(out, aroundAxis(out, axis, first, length - first - out.shape[axis]));
  }
  return out;
}

/** `stride − 1` zeros between neighbours along one axis. */
function dilate(x: Tensor, axis: number, stride: number): Tensor {
  const before = x.shape.slice(0, axis);
  const after = x.shape.slice(axis + 1);
  const open = x.reshape([...before, x.shape[axis], 1, ...after]);
  const spread = tf.pad(open, aroundAxis(open, axis + 1, 0, stride - 1));
  const full = spread.reshape([...before, x.shape[axis] * stride, ...after]);
  const size = full.shape.map((d, i) => (i === axis ? d - stride + 1 : d));
  return tf.slice(
    full,
    size.map(() => 0),
    size,
  );
}

const aroundAxis = (x: Tensor, axis: number, before: number, after: number) =>
  x.shape.map((_, i): [number, number] => (i === axis ? [before, after] : [0, 0]));

/** Mirrored padding out of slices and reversals. */
function mirror(x: Tensor, paddings: readonly Dims[], offset: number): Tensor {
  return paddings.reduce((y, [before, after], axis) => {
    const n = y.shape[axis];
    const part = (begin: number, size: number) =>
      tf
        .slice(
          y,
          y.shape.map((_, i) => (i === axis ? begin : 0)),
          y.shape.map((d, i) => (i === axis ? size : d)),
        )
        .reverse(axis);
    const parts = [y];
    if (before > 0) parts.unshift(part(offset, before));
    if (after > 0) parts.push(part(n - offset - after, after));
    return parts.length === 1 ? y : tf.concat(parts, axis);
  }, x);
}

export const SHAPE_GRADIENTS: GradientRules = {
  [AFTER]: {
    inputs: ['y'],
    gradient: ([dy], [y]) => ({ x: () => dy.clone(), y: () => tf.zerosLike(y) }),
  },
  // Over the sum of the ranks' losses, the operand of each rank reaches all results alike.
  [RANK_MEAN]: {
    gradient: ([dy]) => ({ x: () => rankMean(dy.clone()) }),
  },
  StridedSlice: {
    inputs: ['x'],
    gradient: ([dy], [x], a) => ({
      x: () => {
        const { begin, end, strides } = tf.slice_util.sliceInfo(
          x.shape,
          a.begin,
          a.end,
          a.strides,
          a.beginMask,
          a.endMask,
          a.ellipsisMask,
          a.newAxisMask,
          a.shrinkAxisMask,
        );
        const size = tf.slice_util.computeOutShape(begin, end, strides);
        if (dy.size === 0) return tf.zerosLike(x);
        return unslice(dy.reshape(size), begin, strides, x.shape);
      },
    }),
  },
  // TensorFlow.js cuts the border off, which loses what the border copied from the inside.
  MirrorPad: {
    inputs: ['x'],
    gradient: ([dy], [x], { paddings, mode }) => ({
      x: throughComposition((v) => mirror(v, paddings, mode === 'reflect' ? 1 : 0), [x], dy)[0],
    }),
  },
  // Split and unstacked into one piece, the gradient is no array and TensorFlow.js' own throw.
  SplitV: { gradient: (dys, _saved, { axis }) => ({ x: () => tf.concat(dys, axis) }) },
  Unpack: { gradient: (dys, _saved, { axis }) => ({ value: () => tf.stack(dys, axis) }) },
  // TensorFlow.js sums slices one by one and stops at rank 4.
  Tile: {
    inputs: ['x'],
    gradient: ([dy], [x], { reps }) => ({
      x: () => {
        const split = x.shape.flatMap((d, i) => (reps[i] === 1 ? [d] : [reps[i], d]));
        const axes: number[] = [];
        let at = 0;
        for (const r of reps) {
          if (r !== 1) axes.push(at++);
          at++;
        }
        return dy.reshape(split).sum(axes);
      },
    }),
  },
  DepthToSpace: {
    gradient: ([dy], _saved, { blockSize: s }) => ({
      x: () => {
        const [n, h, w, c] = dy.shape;
        const open = dy.reshape([n, h / s, s, w / s, s, c]);
        return open.transpose([0, 1, 3, 2, 4, 5]).reshape([n, h / s, w / s, s * s * c]);
      },
    }),
  },
};
