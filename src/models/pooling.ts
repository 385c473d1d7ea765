import { type Tensor, tf } from '../jit/tf.ts';

/*
 * Pools of images [B, C, h, w] by windows of 3×3: first along one axis, then along the other, as
 * slices that are combined elementwise.
 */

type Combine = (a: Tensor, b: Tensor) => Tensor;
type Size4 = [number, number, number, number];

/** Three shifts of `x` along `axis` under a window of 3 that moves by `stride`, combined. */
function window3(x: Tensor, axis: 2 | 3, stride: 1 | 2, combine: Combine): Tensor {
  const size = Math.floor(((x.shape as Size4)[axis] - 3) / stride) + 1;
  const shift = (from: number): Tensor => {
    const begin: Size4 = [0, 0, 0, 0];
    const end = [...x.shape] as Size4;
    const steps: Size4 = [1, 1, 1, 1];
    begin[axis] = from;
    end[axis] = from + (size - 1) * stride + 1;
    steps[axis] = stride;
    return tf.stridedSlice(x, begin, end, steps);
  };
  return combine(combine(shift(0), shift(1)), shift(2));
}

function padOne(x: Tensor): Tensor {
  return tf.pad(x, [
    [0, 0],
    [0, 0],
    [1, 1],
    [1, 1],
  ]);
}

/** Maximum with stride 2 and no padding: ⌊(h − 3)/2⌋ + 1 rows. */
export function halvingMax(x: Tensor): Tensor {
  return window3(window3(x, 2, 2, tf.maximum), 3, 2, tf.maximum);
}

/** Maximum with stride 1 over the image with a border of zeros, which are no maxima if x ≥ 0. */
export function maxPool3(x: Tensor): Tensor {
  return window3(window3(padOne(x), 2, 1, tf.maximum), 3, 1, tf.maximum);
}

/** Mean with stride 1 over the positions that lie in the image (without those of the padding). */
export function averagePool3(x: Tensor): Tensor {
  const [, , height, width] = x.shape as Size4;
  const sum = window3(window3(padOne(x), 2, 1, tf.add), 3, 1, tf.add);
  const inside = (n: number, i: number) => Math.min(i + 1, n - 1) - Math.max(i - 1, 0) + 1;
  const shares = Float32Array.from(
    { length: height * width },
    (_, k) => 1 / (inside(height, Math.floor(k / width)) * inside(width, k % width)),
  );
  return tf.mul(sum, tf.tensor(shares, [1, 1, height, width]));
}
