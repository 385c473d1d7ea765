import { beforeAll, describe, expect, it } from 'vitest';
import { ShapeError } from '../../src/core/errors.ts';
import { grad } from '../../src/jit/grad.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import { batchNorm } from '../../src/nn/batch-norm.ts';
import { embedLevels, sinusoidalEmbedding } from '../../src/nn/embedding.ts';
import { initialise, linearSpecs } from '../../src/nn/initialise.ts';
import { linear } from '../../src/nn/linear.ts';
import { directionalGap, mean, randn, variance } from './calculus.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const norm = () => ({
  'bn.weight': tf.tensor1d([1.5, -0.5, 2]),
  'bn.bias': tf.tensor1d([0, 1, 2]),
});

describe('linear', () => {
  it('is x·Wᵀ + b with W [out, in]', () => {
    const params = { 'l.weight': tf.tensor2d([[1, 2, 3]]), 'l.bias': tf.tensor1d([10]) };
    expect(Array.from(linear(params, 'l', tf.tensor2d([[1, 0, 2]])).dataSync())).toEqual([17]);
  });

  it('starts uniform on ±1/√fanIn, weight and bias alike', () => {
    const draws = initialise(linearSpecs('l', 16, 4000), 3, 'test');
    for (const key of ['l.weight', 'l.bias']) {
      const values = draws[key].data;
      const bound = 1 / 4;
      expect(Math.max(...Array.from(values).map(Math.abs))).toBeLessThanOrEqual(bound);
      const error = bound / Math.sqrt(3 * values.length);
      expect(Math.abs(mean(values))).toBeLessThan(5 * error);
      expect(Math.abs(variance(values) / (bound ** 2 / 3) - 1)).toBeLessThan(0.1);
    }
  });

  it('draws each parameter from a stream of its own', () => {
    const alone = initialise(linearSpecs('b', 3, 2), 1, 's');
    const together = initialise({ ...linearSpecs('a', 5, 5), ...linearSpecs('b', 3, 2) }, 1, 's');
    expect(together['b.weight'].data).toEqual(alone['b.weight'].data);
    const other = initialise(linearSpecs('b', 3, 2), 2, 's');
    expect(other['b.weight'].data).not.toEqual(alone['b.weight'].data);
  });
});

describe('batchNorm', () => {
  it('gives weight and bias as standard deviation and mean of each feature', () => {
    const x = tf.add(tf.mul(randn('x', [64, 3]), 5), 7);
    const y = batchNorm(norm(), 'bn', x, { kind: 'batch' }).arraySync() as number[][];
    const columns = [0, 1, 2].map((j) => y.map((row) => row[j]));
    columns.forEach((c, j) => {
      expect(mean(c)).toBeCloseTo([0, 1, 2][j], 4);
      expect(Math.sqrt((variance(c) * 63) / 64)).toBeCloseTo([1.5, 0.5, 2][j], 3);
    });
  });

  it('collects the mean and the unbiased variance of the batch', () => {
    const x = randn('x', [8, 3]);
    const collect: Record<string, Tensor> = {};
    batchNorm(norm(), 'bn', x, { kind: 'batch', collect });
    const rows = x.arraySync() as number[][];
    for (let j = 0; j < 3; j++) {
      const column = rows.map((r) => r[j]);
      expect(collect['bn.running_mean'].dataSync()[j]).toBeCloseTo(mean(column), 5);
      expect(collect['bn.running_var'].dataSync()[j]).toBeCloseTo(variance(column), 5);
    }
  });

  it('with the running statistics of a batch equals batch mode up to the variance estimate', () => {
    const x = randn('x', [50, 3]);
    const collect: Record<string, Tensor> = {};
    const batch = batchNorm(norm(), 'bn', x, { kind: 'batch', collect });
    const buffers = { ...collect, 'bn.running_var': tf.mul(collect['bn.running_var'], 49 / 50) };
    const running = batchNorm(norm(), 'bn', x, { kind: 'running', buffers });
    expect(tf.max(tf.abs(tf.sub(batch, running))).dataSync()[0]).toBeLessThan(1e-5);
  });

  it('has first and second derivatives', () => {
    const x = randn('x', [7, 3]);
    const w = randn('w', [7, 3]);
    const loss = (y: Tensor) =>
      tf.sum(tf.mul(tf.square(batchNorm(norm(), 'bn', y, { kind: 'batch' })), w));
    const penalty = (y: Tensor) => tf.sum(tf.square(grad(loss)(y)));
    expect(directionalGap(loss, grad(loss)(x), x, 1e-3)).toBeLessThan(1e-2);
    expect(directionalGap(penalty, grad(penalty)(x), x, 1e-3)).toBeLessThan(1e-2);
  });

  it('refuses a batch of one', () => {
    expect(() => batchNorm(norm(), 'bn', randn('x', [1, 3]), { kind: 'batch' })).toThrow(
      ShapeError,
    );
  });
});

describe('sinusoidalEmbedding', () => {
  it('holds sin and cos of each frequency, sines first', () => {
    const e = sinusoidalEmbedding(tf.tensor1d([0, 3]), 16).arraySync() as number[][];
    expect(e[0]).toEqual([...new Array(8).fill(0), ...new Array(8).fill(1)]);
    // ω_0 = 1 and ω_7 = 1/10000, with d/2 − 1 = 7 in the exponent.
    expect(e[1][0]).toBeCloseTo(Math.sin(3), 6);
    expect(e[1][7]).toBeCloseTo(Math.sin(3e-4), 6);
    expect(e[1][8]).toBeCloseTo(Math.cos(3), 6);
    e.forEach((row) => {
      for (let i = 0; i < 8; i++) expect(row[i] ** 2 + row[i + 8] ** 2).toBeCloseTo(1, 5);
    });
  });

  it('pads odd dimensions with zero', () => {
    const e = sinusoidalEmbedding(tf.tensor1d([2]), 17).dataSync();
    expect(e).toHaveLength(17);
    expect(e[16]).toBe(0);
  });

  it('is the same from numbers and from a tensor', () => {
    const table = embedLevels([0, 1, 2, 3], 16).dataSync();
    const direct = sinusoidalEmbedding(tf.tensor1d([0, 1, 2, 3]), 16).dataSync();
    table.forEach((v, i) => {
      expect(v).toBeCloseTo(direct[i], 6);
    });
  });

  it('refuses what is no vector or no dimension', () => {
    expect(() => sinusoidalEmbedding(tf.zeros([2, 2]), 16)).toThrow(ShapeError);
    expect(() => embedLevels([1], 1)).toThrow(/at least 2/);
  });
});
