import { describe, expect, it } from 'vitest';
import { hostTensor } from '../../src/core/host-tensor.ts';
import { inParts } from '../../src/jit/in-parts.ts';
import { jit, type Tensor, tf, valueAndGrad } from '../../src/jit/index.ts';
import { cutIntoParts } from '../../src/jit/ir/cut-parts.ts';
import { asOneRank, fromNextRank, rankMean } from '../../src/jit/ranks.ts';
import { type LeafSpec, trace } from '../../src/jit/trace/tracer.ts';
import { draw, rowsOf } from './batch-rows.ts';

const ALONE = { rank: 0, size: 1 };
const x = draw('x', [12, 4]);
const w = draw('w', [4, 3]);

/** Two turns, the second with what the first has moved, as in a game. */
function turns({ w: first }: { readonly w: Tensor }, y: Tensor) {
  const loss = (v: Tensor) => tf.mean(tf.square(tf.tanh(tf.matMul(y as tf.Tensor2D, v as never))));
  const one = valueAndGrad(loss)(first);
  const moved = tf.sub(first, rankMean(one.grad));
  const two = valueAndGrad(loss)(moved);
  return {
    w: tf.sub(moved, rankMean(two.grad)),
    losses: [rankMean(one.value), rankMean(two.value)],
  };
}

function runParts(parts: number) {
  const fn = inParts((common: { w: Tensor }, { y }) => turns(common, y), {
    ...{ parts, place: ALONE },
    own: { y: { shape: [12 / parts, 4], dtype: 'float32' } },
  });
  const run = fn.run({ w }, (part) => rowsOf(x, part, parts));
  let pauses = 0;
  for (;;) {
    const { done, value } = run.next();
    if (done) return { result: value, pauses, fn };
    expect(value).toBeUndefined();
    pauses++;
  }
}

describe('a function in parts', () => {
  it.each([1, 2, 3, 6])('gives what it gives for the whole: %i parts', (parts) => {
    const whole = jit((common: { w: Tensor }, y: Tensor) => turns(common, y))({ w }, x);
    const { result, pauses } = runParts(parts);
    expect(pauses).toBe(2 * parts);
    const [got, expected] = [result, whole].map(({ w: moved, losses }) => [
      ...moved.dataSync(),
      ...losses.map((loss) => loss.dataSync()[0]),
    ]);
    expected.forEach((v, i) => {
      expect(Math.abs(got[i] - v)).toBeLessThan(1e-6 * (1 + Math.abs(v)));
    });
  });

  it('asks for an argument of a part in the sections that need it', () => {
    const asked: string[] = [];
    const fn = inParts(
      (common: Tensor, { a, b }) => {
        const first = rankMean(tf.mean(tf.mul(common, a)));
        return rankMean(tf.mean(tf.mul(first, b)));
      },
      {
        ...{ parts: 2, place: ALONE },
        own: { a: { shape: [2], dtype: 'float32' }, b: { shape: [2], dtype: 'float32' } },
      },
    );
    const run = fn.run(2, (part, name) => {
      asked.push(`${name}${part}`);
      return hostTensor(Float32Array.of(part, 1), [2]);
    });
    let step = run.next();
    while (!step.done) step = run.next();
    expect(asked).toEqual(['a0', 'a1', 'b0', 'b1']);
    expect((step.value as Tensor).dataSync()[0]).toBeCloseTo(2 * 0.75 * 0.75, 6);
  });

  it('leaves its arguments as they were when it is given up, and takes them when it is done', () => {
    const fn = inParts((state: Tensor, { y }) => tf.add(state, rankMean(tf.sum(y))), {
      ...{ parts: 2, place: ALONE, donate: true },
      own: { y: { shape: [1], dtype: 'float32' } },
    });
    const own = (part: number) => hostTensor(Float32Array.of(part), [1]);
    const state = tf.scalar(5);
    const given = fn.run(state, own);
    given.next();
    given.return(undefined as never);
    expect(state.dataSync()[0]).toBe(5);
    const run = fn.run(state, own);
    run.next();
    run.next();
    const { value } = run.next();
    expect((value as Tensor).dataSync()[0]).toBe(5.5);
    expect(state.isDisposed).toBe(true);
  });

  it('refuses a result that one part decides', () => {
    const options = {
      ...{ parts: 2, place: ALONE },
      own: { y: { shape: [2, 1], dtype: 'float32' } },
    } as const;
    const own = () => hostTensor(new Float32Array(2), [2, 1]);
    const alone = inParts((c: Tensor, { y }) => tf.add(c, tf.sum(y)), options);
    expect(() => alone.run(1, own).next()).toThrow(/depends on one part alone.*rankMean/);
  });

  it('hands values from each part to the one before', () => {
    const parts = 3;
    const fn = inParts(
      (c: Tensor, { y, weight }) => rankMean(tf.mul(c, tf.mul(weight, tf.sum(fromNextRank(y), 0)))),
      {
        ...{ parts, place: ALONE },
        own: { y: { shape: [1, 2], dtype: 'float32' }, weight: { shape: [2], dtype: 'float32' } },
      },
    );
    const run = fn.run(3, (part, name) =>
      name === 'y'
        ? hostTensor(Float32Array.of(part + 1, 7), [1, 2])
        : hostTensor(Float32Array.of(10 ** part, 1), [2]),
    );
    let step = run.next();
    while (!step.done) step = run.next();
    const got = Array.from((step.value as Tensor).dataSync(), (v) => Number(v.toFixed(3)));
    expect(got).toEqual([2 + 30 + 100, 21]);
  });
});

describe('the cut for parts', () => {
  const record = (shapes: readonly (readonly number[])[], fn: (xs: Tensor[]) => Tensor[]) => {
    const inputs = shapes.map((shape): LeafSpec => ({ shape, dtype: 'float32' }));
    return trace(inputs, (xs) => asOneRank({ rank: 0, size: 2 }, () => fn(xs)));
  };

  /** Wide activations that a second turn needs again. */
  const twice = (rows: number) =>
    record(
      [
        [8, 512],
        [rows, 8],
      ],
      ([v, y]) => {
        const wide = tf.exp(tf.matMul(y as tf.Tensor2D, v as tf.Tensor2D));
        const first = rankMean(tf.mean(wide));
        const factor = tf.matMul(tf.matMul(wide, wide as tf.Tensor2D, false, true), wide);
        return [rankMean(tf.mean(tf.mul(factor, first)))];
      },
    );

  it('keeps what is little, and computes again what is much', () => {
    const own = new Set([1]);
    const little = cutIntoParts(twice(32), { own, total: 4, parts: 4 });
    expect(little.keptBytes).toBe(4 * 32 * 512);
    const much = cutIntoParts(twice(32), { own, total: 8192, parts: 8192 });
    expect(much.keptBytes).toBe(0);
    const { inputs } = much.levels[1].each ?? { inputs: [] };
    expect(inputs.map(({ kind }) => kind)).toEqual(['argument', 'argument', 'reduced']);
  });

  it('computes what no part alone decides once', () => {
    const graph = record([[3], [3]], ([state, y]) => {
      const moved = tf.sub(state, rankMean(y));
      return [moved, tf.add(moved, rankMean(tf.mul(y, moved)))];
    });
    const { levels } = cutIntoParts(graph, { own: new Set([1]), total: 2, parts: 2 });
    const [, first, last] = levels;
    expect(first.common?.outputs).toEqual([{ kind: 'result', index: 0 }]);
    expect(first.each?.inputs.map(({ kind }) => kind).sort()).toEqual(['argument', 'result']);
    expect(last.common?.outputs).toEqual([{ kind: 'result', index: 1 }]);
    expect(last.each).toBeUndefined();
  });
});
