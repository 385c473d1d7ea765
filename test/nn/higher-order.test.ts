import { beforeAll, describe, expect, it } from 'vitest';
import { grad, jit } from '../../src/jit/index.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Smooth scalar functions of a vector; gradient penalties need two or three of their derivatives. */
const FUNCTIONS: Record<string, (x: Tensor) => Tensor> = {
  exp: (x) => tf.exp(x),
  sigmoid: (x) => tf.sigmoid(x),
  tanh: (x) => tf.tanh(x),
  softplus: (x) => tf.softplus(x),
  elu: (x) => tf.elu(tf.sub(x, 1)),
  sqrt: (x) => tf.sqrt(x),
  rsqrt: (x) => tf.rsqrt(x),
  reciprocal: (x) => tf.div(1, x),
  log: (x) => tf.log(x),
  softmax: (x) => tf.slice(tf.softmax(tf.mul(x, [1, 2, 3])), [0], [1]),
  logSumExp: (x) => tf.logSumExp(tf.mul(x, [1, 2, 3])),
};

/** Derivatives of order 1 to 3 of t ↦ f(t·(1, .8, 1.2)) at t = 0.9. */
function derivatives(f: (x: Tensor) => Tensor): ((t: Tensor) => Tensor)[] {
  const along = (t: Tensor) => tf.sum(f(tf.mul(t, [1, 0.8, 1.2])));
  const list = [along];
  for (let order = 1; order <= 3; order++) {
    const previous = list[order - 1];
    list.push((t: Tensor) => tf.sum(grad(previous)(t)));
  }
  return list;
}

describe('derivatives of order one to three', () => {
  it.each(Object.entries(FUNCTIONS))('of %s agree with differences of the order below', (_, f) => {
    const list = derivatives(f);
    const at = (order: number, t: number) => list[order](tf.scalar(t)).dataSync()[0];
    const h = 1e-2;
    for (let order = 1; order <= 3; order++) {
      const numeric = (at(order - 1, 0.9 + h) - at(order - 1, 0.9 - h)) / (2 * h);
      expect(Math.abs(at(order, 0.9) - numeric), `order ${order}`).toBeLessThan(
        3e-3 * Math.max(1, Math.abs(numeric)),
      );
    }
  });

  it.each(Object.entries(FUNCTIONS))('of %s are the same compiled', (_, f) => {
    const all = (t: Tensor) => derivatives(f).map((d) => d(t));
    const eager = all(tf.scalar(0.9)).map((d) => d.dataSync()[0]);
    const compiled = jit(all)(0.9).map((d) => d.dataSync()[0]);
    compiled.forEach((value, order) => {
      expect(Math.abs(value - eager[order])).toBeLessThan(1e-4 * Math.max(1, Math.abs(value)));
    });
  });
});
