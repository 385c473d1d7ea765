import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/core/errors.ts';
import { hostTensor, sizeOf } from '../../src/core/host-tensor.ts';
import { resizeForInception } from '../../src/datasets/inception-input.ts';
import { tf } from '../../src/jit/tf.ts';
import { foldInception, inceptionShapes } from '../../src/models/inception.ts';
import { averagePool3, halvingMax, maxPool3 } from '../../src/models/pooling.ts';

const image = (values: number[], width: number) =>
  tf.tensor(values, [1, 1, values.length / width, width]);

describe('pools of 3x3', () => {
  const x = image([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], 5);

  it('average leaves the padding out', () => {
    const y = [...averagePool3(x).dataSync()];
    expect(y[0]).toBeCloseTo((1 + 2 + 6 + 7) / 4, 5);
    expect(y[2]).toBeCloseTo((2 + 3 + 4 + 7 + 8 + 9) / 6, 5);
    expect(y[7]).toBeCloseTo(8, 5);
  });

  it('maximum with stride 2 drops the incomplete window, with stride 1 keeps the size', () => {
    expect([...halvingMax(x).dataSync()]).toEqual([13, 15]);
    expect([...maxPool3(x).dataSync()].slice(0, 5)).toEqual([7, 8, 9, 10, 10]);
  });
});

describe('resizing for Inception', () => {
  const planes = { count: 1, channels: 1, height: 1, width: 2, pixels: [0, 255] };

  it('samples at half-pixel centres as PyTorch, at dst·in/out as TensorFlow 1', () => {
    const torch = resizeForInception(planes, 4, 'torch');
    expect([...torch.subarray(0, 4)]).toEqual([0, 0.25, 0.75, 1]);
    const tensorflow = resizeForInception(planes, 4, 'tensorflow');
    expect([...tensorflow.subarray(0, 4)]).toEqual([0, 127.5, 255, 255]);
  });

  it('refuses pixels that do not fill the images', () => {
    expect(() => resizeForInception({ ...planes, count: 2 }, 4, 'torch')).toThrow(
      /2 values are not 2 images/,
    );
  });
});

describe('Inception weights', () => {
  const state = () =>
    Object.fromEntries(
      Object.entries(inceptionShapes()).map(([key, shape]) => [
        key,
        hostTensor(new Float32Array(sizeOf(shape)).fill(0.5), shape),
      ]),
    );

  it('has 94 convolutions with batch norms, and the classifier', () => {
    const shapes = Object.values(inceptionShapes());
    expect(shapes).toHaveLength(94 * 5 + 2);
    expect(shapes.reduce((sum, s) => sum + sizeOf(s), 0)).toBe(23_885_392);
  });

  it('folds batch norm into the convolution', () => {
    const folded = foldInception(state());
    const factor = 0.5 / Math.sqrt(0.5 + 1e-3);
    expect(folded['Conv2d_1a_3x3.weight'].data[0]).toBeCloseTo(0.5 * factor, 6);
    expect(folded['Conv2d_1a_3x3.bias'].data[0]).toBeCloseTo(0.5 - 0.5 * factor, 6);
  });

  it('names the first key of weights that belong to another network', () => {
    const { 'Mixed_6b.branch7x7_1.conv.weight': _, ...partial } = state();
    expect(() => foldInception(partial, 'w.pth')).toThrow(DataError);
    expect(() => foldInception(partial, 'w.pth')).toThrow(
      /w\.pth: there is no 'Mixed_6b\.branch7x7_1\.conv\.weight'/,
    );
    const wide = { ...state(), 'fc.bias': hostTensor(new Float32Array(1000), [1000]) };
    expect(() => foldInception(wide, 'w.pth')).toThrow(
      /'fc\.bias' has shape \[1000\], expected \[1008\]/,
    );
  });
});
