import { afterEach, describe, expect, it, vi } from 'vitest';
import { NativeBuildError } from '../../src/core/errors.ts';
import { distributed } from '../../src/jit/distributed.ts';
import { jit, type Tensor, tf, valueAndGrad } from '../../src/jit/index.ts';
import { fromNextRank, rankMean } from '../../src/jit/ranks.ts';
import { batchNorm } from '../../src/nn/batch-norm.ts';
import { draw, rowsOf } from './batch-rows.ts';

/** Runs all ranks side by side, summing what they yield. */
function runAll<R>(runs: readonly Generator<Float32Array, R, void>[]): R[] {
  for (;;) {
    const steps = runs.map((run) => run.next());
    if (steps[0].done) return steps.map(({ value }) => value as R);
    const vectors = steps.map(({ value }) => value as Float32Array);
    for (let i = 0; i < vectors[0].length; i++) {
      const sum = vectors.reduce((total, v) => total + v[i], 0);
      for (const v of vectors) v[i] = sum;
    }
  }
}

const params = {
  'n.weight': draw('weight', [3]),
  'n.bias': draw('bias', [3]),
  w: draw('w', [4, 3]),
};
type P = { readonly [K in keyof typeof params]: Tensor };

/** A batch norm, and the square of the gradient in its input: batch statistics at second order. */
function loss(p: P, x: Tensor): Tensor {
  const energy = (y: Tensor) => {
    const h = tf.matMul(y as tf.Tensor2D, p.w as tf.Tensor2D);
    return tf.mean(tf.sum(tf.tanh(batchNorm({ ...p }, 'n', h, { kind: 'batch' })), 1));
  };
  const { value, grad } = valueAndGrad(energy)(x);
  const slopes = tf.mul(grad, x.shape[0]);
  return tf.add(value, tf.mean(tf.sum(tf.square(slopes), 1)));
}

const step = (p: P, x: Tensor) => {
  const { value, grad } = valueAndGrad(loss)(p, x);
  const means = Object.entries(grad).map(([k, g]) => [k, rankMean(g)]);
  return { value: rankMean(value), grad: Object.fromEntries(means) as P };
};

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('a function of several ranks', () => {
  const x = draw('x', [12, 4]);

  it.each([
    [1, 'onnx'],
    [2, 'onnx'],
    [3, 'onnx'],
    [4, 'onnx'],
    [2, 'native'],
  ])('has the gradients of the whole batch: %i ranks, %s', (size, executor) => {
    vi.stubEnv('GIBBS_EXECUTOR', executor);
    const whole = jit(step)(params as never, x as never);
    const runs = Array.from({ length: size }, (_, rank) =>
      distributed(step, { place: { rank, size } }).run(params as never, rowsOf(x, rank, size)),
    );
    for (const { value, grad } of runAll(runs)) {
      expect(value.dataSync()[0]).toBeCloseTo(whole.value.dataSync()[0], 5);
      for (const name of Object.keys(params) as (keyof P)[]) {
        const [got, expected] = [grad[name].dataSync(), whole.grad[name].dataSync()];
        expected.forEach((v, i) => {
          expect(Math.abs(got[i] - v)).toBeLessThan(1e-5 * (1 + Math.abs(v)));
        });
      }
    }
  });

  it('runs where and how jit does', () => {
    vi.stubEnv('GIBBS_EXECUTOR', 'native');
    vi.stubEnv('GIBBS_CC', 'off');
    const { run } = distributed(step, { place: { rank: 0, size: 2 } });
    expect(() => run(params as never, x as never).next()).toThrow(NativeBuildError);
  });

  it('takes means that do not wait for each other together', () => {
    const f = (a: Tensor) => {
      const first = [rankMean(tf.mean(a)), rankMean(tf.sum(tf.square(a), 0))];
      return tf.add(rankMean(tf.mul(first[0], first[1])), first[1]);
    };
    const fn = distributed(f, { place: { rank: 0, size: 2 } });
    expect(fn.vectors(draw('a', [4, 20]))).toEqual([16 + 32, 32]);
  });

  it('leaves its arguments as they were when it is given up', () => {
    const fn = distributed((a: Tensor) => tf.mul(rankMean(a), 2), {
      place: { rank: 0, size: 2 },
      donate: [0],
    });
    const a = tf.tensor1d([1, 2]);
    fn.run(a).next();
    expect(Array.from(a.dataSync())).toEqual([1, 2]);
    const [sum] = runAll([fn.run(a)]);
    expect(Array.from(sum.dataSync())).toEqual([1, 2]);
    expect(a.isDisposed).toBe(true);
  });

  it('hands values from each rank to the one before', () => {
    const runs = [0, 1, 2].map((rank) =>
      distributed((a: Tensor) => fromNextRank(a), { place: { rank, size: 3 } }).run(
        tf.tensor2d([[rank, 10 * rank]]),
      ),
    );
    const got = runAll(runs).map((t) => Array.from(t.dataSync()).map(Math.round));
    expect(got).toEqual([
      [1, 10],
      [2, 20],
      [0, 0],
    ]);
  });

  it('is the plain function outside', () => {
    expect(jit((a: Tensor) => rankMean(a)).fingerprint(draw('a', [2]))).toBe(
      jit((a: Tensor) => a).fingerprint(draw('a', [2])),
    );
  });
});
