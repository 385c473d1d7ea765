import { beforeAll, describe, expect, it } from 'vitest';
import { grad } from '../../src/jit/grad.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import { glowPlane } from '../../src/models/glow.ts';
import { directionalGap, randn } from '../nn/calculus.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const flow = glowPlane(3, 8);
/** Far from the identity start, so that every part matters. */
const params = Object.fromEntries(
  Object.entries(flow.params).map(([k, s]) => [k, tf.mul(randn(k, s.shape), 0.2) as Tensor]),
);

describe('glowPlane', () => {
  it('has 15 affine layers in its five blocks', () => {
    const layers = Object.keys(glowPlane().params).filter((k) => /layers\.\d\.weight$/.test(k));
    expect(layers).toHaveLength(15);
  });

  it('samples by the inverse of the map that its density evaluates', () => {
    // log q(g(z)) = log N(z) − log|det ∂g/∂z|, the determinant by differentiation.
    const z = randn('z', [6, 2]);
    const x = flow.sample(params, z);
    const row = (i: number) =>
      grad((y: Tensor) => tf.sum(tf.slice(flow.sample(params, y), [0, i], [6, 1])))(z);
    const [a, b] = [row(0), row(1)].map((r) => r.arraySync() as number[][]);
    const points = z.arraySync() as number[][];
    const ours = flow.logDensity(params, x).dataSync();
    ours.forEach((value, i) => {
      const determinant = a[i][0] * b[i][1] - a[i][1] * b[i][0];
      const base = -0.5 * (points[i][0] ** 2 + points[i][1] ** 2) - Math.log(2 * Math.PI);
      expect(value).toBeCloseTo(base - Math.log(Math.abs(determinant)), 3);
    });
  });

  it('integrates to one', () => {
    const n = 241;
    const axis = Array.from({ length: n }, (_, i) => 0.1 * (i - 120));
    const grid = tf.tensor2d(axis.flatMap((x) => axis.map((y) => [x, y])));
    const mass = tf.sum(tf.exp(flow.logDensity(params, grid))).dataSync()[0] * 0.1 ** 2;
    expect(mass).toBeCloseTo(1, 2);
  });

  it('is differentiable in its parameters', () => {
    const x = randn('x', [10, 2]);
    const key = 'blocks.1.mix.angle';
    const loss = (v: Tensor) => tf.mean(flow.logDensity({ ...params, [key]: v }, x));
    expect(directionalGap(loss, grad(loss)(params[key]), params[key], 1e-2)).toBeLessThan(1e-2);
  });
});
