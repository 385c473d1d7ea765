import { describe, expect, it } from 'vitest';
import { tf } from '../../src/jit/tf.ts';
import { denoise } from '../../src/samplers/denoise.ts';

describe('the extra denoising step', () => {
  it('moves along the gradient of the log-density: x − η(x − m)/s² for a Gaussian', () => {
    const logDensity = (x: tf.Tensor) =>
      tf.mul(tf.sum(tf.square(tf.sub(x, 3)), 1), -1 / (2 * 0.25));
    const moved = denoise(logDensity, tf.tensor2d([[1, 3, 7]]), 0.05).dataSync();
    [1 + 0.05 * (2 / 0.25), 3, 7 - 0.05 * (4 / 0.25)].forEach((v, i) => {
      expect(moved[i]).toBeCloseTo(v, 5);
    });
  });

  it('refuses a step that does not go uphill', () => {
    expect(() => denoise((x) => tf.sum(x, 1), tf.tensor2d([[1]]), 0)).toThrow(/positive, got 0/);
  });
});
