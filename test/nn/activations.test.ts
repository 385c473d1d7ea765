import { beforeAll, describe, expect, it } from 'vitest';
import { grad } from '../../src/jit/grad.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import { leakyRelu, prelu, silu, softplus } from '../../src/nn/activations.ts';
import { directionalGap, randn } from './calculus.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const A = () => tf.tensor1d([0.3]);
const ACTIVATIONS: Record<string, (x: Tensor) => Tensor> = {
  prelu: (x) => prelu(x, A()),
  leakyRelu: (x) => leakyRelu(x, 0.2),
  silu,
  softplus,
};

describe('activations', () => {
  it.each(Object.entries(ACTIVATIONS))('%s has first and second derivatives', (_, f) => {
    const x = randn('x', [5, 4]);
    const w = randn('w', [5, 4]);
    // A smooth function of the activation, so that second derivatives are not trivially zero.
    const loss = (y: Tensor) => tf.sum(tf.mul(tf.square(f(y)), w));
    const penalty = (y: Tensor) => tf.sum(tf.square(grad(loss)(y)));
    expect(directionalGap(loss, grad(loss)(x), x, 1e-3)).toBeLessThan(2e-2);
    expect(directionalGap(penalty, grad(penalty)(x), x, 1e-3)).toBeLessThan(2e-2);
  });

  it('prelu takes the slope at zero, like PyTorch', () => {
    const x = tf.tensor1d([-2, 0, 3]);
    expect(Array.from(prelu(x, A()).dataSync())).toEqual([
      Math.fround(-2 * Math.fround(0.3)),
      0,
      3,
    ]);
    const dx = grad((y: Tensor) => tf.sum(prelu(y, A())))(x);
    expect(Array.from(dx.dataSync())).toEqual([Math.fround(0.3), Math.fround(0.3), 1]);
  });

  it('differentiates a gradient penalty through prelu in its slope', () => {
    const x = randn('x', [6, 3]);
    const penalty = (a: Tensor) => {
      const inner = (y: Tensor) => tf.sum(tf.square(prelu(tf.mul(prelu(y, a), 1.5), a)));
      return tf.sum(tf.square(grad(inner)(x)));
    };
    expect(directionalGap(penalty, grad(penalty)(A()), A(), 5e-3)).toBeLessThan(1e-2);
  });

  it('sums the slope gradient over negative inputs only, without cancellation', () => {
    // One tiny negative among large positives: a difference of two large sums would lose it.
    const x = tf.tensor1d([...new Array(1000).fill(1234.567), -1e-3]);
    const da = grad((a: Tensor) => tf.sum(prelu(x, a)))(A());
    expect(da.dataSync()[0]).toBeCloseTo(-1e-3, 9);
  });

  it('softplus neither overflows nor loses small values', () => {
    const y = softplus(tf.tensor1d([-30, 0, 100])).dataSync();
    expect(y[0]).toBeGreaterThan(9e-14);
    expect(y[1]).toBeCloseTo(Math.LN2, 6);
    expect(y[2]).toBe(100);
  });
});
