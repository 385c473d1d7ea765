import { describe, expect, it } from 'vitest';
import type { HostTensor } from '../../src/core/host-tensor.ts';
import { grad, jit, type Tensor, tf, valueAndGrad } from '../../src/jit/index.ts';
import { BufferPool } from '../../src/jit/run/buffers.ts';

const values = (t: Tensor) => Array.from(t.dataSync());

describe('arguments and results', () => {
  it('are trees of tensors, host arrays and numbers', () => {
    const f = jit((a: { w: Tensor; rest: Tensor[] }, b: Tensor) => ({
      sum: a.w.add(a.rest[0]).add(b),
      parts: [a.rest[1], a.w.mul(b)],
      none: null,
    }));
    const host: HostTensor = { data: Float32Array.of(1, 2), shape: [2], dtype: 'float32' };
    const out = f({ w: host, rest: [tf.tensor1d([10, 20]), tf.scalar(5)] }, 3);
    expect(values(out.sum)).toEqual([14, 25]);
    expect(values(out.parts[0])).toEqual([5]);
    expect(values(out.parts[1])).toEqual([3, 6]);
    expect(Object.keys(out)).toEqual(['none', 'parts', 'sum']);
  });

  it('the order of keys does not matter', () => {
    const f = jit((a: { p: Tensor; q: Tensor }) => a.p.sub(a.q));
    expect(values(f({ p: 5, q: 3 }))).toEqual([2]);
    expect(values(f({ q: 3, p: 5 }))).toEqual([2]);
    expect(f.stats().traces).toBe(1);
  });

  it('a number is an argument of its own: another number does not trace again', () => {
    const f = jit((v: Tensor, rate: Tensor) => v.mul(rate));
    for (const rate of [0.5, 2, -1]) expect(values(f(tf.tensor1d([2]), rate))).toEqual([2 * rate]);
    expect(f.stats()).toMatchObject({ traces: 1, onnxCalls: 3, eagerCalls: 0 });
  });

  it('each shape and dtype is traced once', () => {
    const f = jit((v: Tensor) => v.add(v));
    f(tf.ones([2]));
    f(tf.ones([3]));
    f(tf.ones([2, 1]));
    f(tf.ones([2], 'int32'));
    f(tf.ones([3]));
    expect(f.stats()).toMatchObject({ traces: 4, onnxCalls: 5 });
  });

  it('inputs, constants and the same tensor twice may be results', () => {
    const captured = tf.tensor1d([7, 8]);
    const f = jit((a: Tensor, b: Tensor) => {
      const s = a.add(b);
      return [a, s, s, captured, tf.scalar(3), b, a.reshape([2, 1])];
    });
    const out = f(tf.tensor1d([1, 2]), tf.tensor1d([3, 4]));
    expect(out.map(values)).toEqual([[1, 2], [4, 6], [4, 6], [7, 8], [3], [3, 4], [1, 2]]);
    // Each result owns its memory.
    out[1].dispose();
    expect(values(out[2])).toEqual([4, 6]);
  });

  it('int32 and bool come in and go out as they are', () => {
    const f = jit((i: Tensor, p: Tensor) => [
      i,
      p,
      i.add(tf.scalar(1, 'int32')),
      tf.logicalNot(p),
      p.toInt(),
      i.toBool(),
    ]);
    const out = f(tf.tensor1d([0, -3], 'int32'), tf.tensor1d([true, false], 'bool'));
    expect(out.map((t) => t.dtype)).toEqual(['int32', 'bool', 'int32', 'bool', 'int32', 'bool']);
    expect(out.map(values)).toEqual([
      [0, -3],
      [1, 0],
      [1, -2],
      [0, 1],
      [1, 0],
      [0, 1],
    ]);
  });

  it('a function without arguments, and one that returns nothing of its argument', () => {
    expect(values(jit(() => tf.tensor1d([1, 2]).mul(2))())).toEqual([2, 4]);
    expect(values(jit((v: Tensor) => tf.onesLike(v))(tf.zeros([2])))).toEqual([1, 1]);
  });

  it('scalars and tensors of rank 5 and 6', () => {
    const f = jit((v: Tensor) => v.reshape([1, 2, 1, 3, 1, 2]).sum([1, 5]));
    const out = f(tf.range(0, 12));
    expect(out.shape).toEqual([1, 1, 3, 1]);
    expect(values(out)).toEqual([0 + 1 + 6 + 7, 2 + 3 + 8 + 9, 4 + 5 + 10 + 11]);
  });
});

describe('tensors without elements', () => {
  const empty = () => tf.zeros([0, 3]);
  const CASES: [string, (v: Tensor) => Tensor, number[], number[]][] = [
    ['elementwise', (v) => v.add(1).exp(), [0, 3], []],
    ['sum over the empty axis', (v) => v.sum(0), [3], [0, 0, 0]],
    ['sum over the other', (v) => v.sum(1), [0], []],
    ['concat', (v) => tf.concat([v, tf.ones([1, 3])]), [1, 3], [1, 1, 1]],
    ['concat of nothing', (v) => tf.concat([v, v]), [0, 3], []],
    ['pad', (v) => tf.pad(v, [[1, 0], [0, 0]], 2), [1, 3], [2, 2, 2]], // biome-ignore format: one case a line
    ['matMul over an empty axis', (v) => tf.matMul(v, v, true), [3, 3], new Array(9).fill(0)],
    ['matMul', (v) => tf.matMul(v, tf.ones([3, 2])), [0, 2], []],
    ['batched', (v) => tf.matMul(v.reshape([1, 3, 0]), v.reshape([1, 0, 3])), [1, 3, 3], new Array(9).fill(0)], // biome-ignore format: one case a line
    ['reshape', (v) => v.reshape([3, 0, 2]), [3, 0, 2], []],
    ['slice', (v) => tf.slice(v, [0, 1], [0, 2]), [0, 2], []],
    ['transpose', (v) => v.transpose(), [3, 0], []],
  ];
  it.each(CASES)('%s', (_, f, shape, expected) => {
    const out = jit(f)(empty());
    expect(out.shape).toEqual(shape);
    expect(values(out)).toEqual(expected);
  });

  it('a slice to nothing, padded again', () => {
    const f = jit((v: Tensor) => tf.pad(tf.slice(v, [2], [0]), [[1, 2]], 4).mul(v));
    expect(values(f(tf.tensor1d([1, 2, 3])))).toEqual([4, 8, 12]);
  });
});

describe('nesting', () => {
  it('a jitted function inside another becomes part of it', () => {
    const inner = jit((a: Tensor, b: Tensor) => a.mul(b), { name: 'inner' });
    const outer = jit((a: Tensor) =>
      inner(a, 3).add(inner(a, { data: Float32Array.of(1), shape: [], dtype: 'float32' })),
    );
    expect(values(outer(tf.tensor1d([1, 2])))).toEqual([4, 8]);
    expect(inner.stats()).toMatchObject({ traces: 0, onnxCalls: 0, eagerCalls: 0 });
    expect(outer.stats()).toMatchObject({ traces: 1, onnxCalls: 1 });
    expect(values(inner(2, 5))).toEqual([10]);
  });

  it('a jitted function inside a gradient inside a jitted function', () => {
    const cube = jit((v: Tensor) => v.mul(v).mul(v));
    const f = jit((v: Tensor) =>
      grad((u: Tensor) => tf.sum(grad((t: Tensor) => tf.sum(cube(t)))(u)))(v),
    );
    expect(values(f(tf.tensor1d([2, 3])))).toEqual([12, 18]);
  });
});

describe('donation', () => {
  const step = () =>
    jit(
      (state: { w: Tensor; m: Tensor }, g: Tensor) => ({
        w: state.w.sub(g.mul(0.1)),
        m: state.m.mul(0.9).add(g),
      }),
      { donate: [0] },
    );

  it('disposes what was given up, and gives right results from its memory', () => {
    const f = step();
    let state = { w: tf.tensor1d([1, 2, 3]) as Tensor, m: tf.zeros([3]) as Tensor };
    let [w, m] = [1, 0];
    for (let i = 0; i < 6; i++) {
      const old = state;
      state = f(state, tf.fill([3], i));
      expect(old.w.isDisposed && old.m.isDisposed).toBe(true);
      [w, m] = [w - 0.1 * i, 0.9 * m + i];
      expect(state.w.dataSync()[0]).toBeCloseTo(w, 5);
      expect(state.m.dataSync()[2]).toBeCloseTo(m, 5);
    }
  });

  it('reuses two sets of arrays in turn', () => {
    const f = step();
    let state = { w: tf.ones([4]) as Tensor, m: tf.zeros([4]) as Tensor };
    const seen = new Set<unknown>();
    for (let i = 0; i < 20; i++) {
      state = f(state, tf.ones([4]));
      seen.add(state.w.dataSync().buffer).add(state.m.dataSync().buffer);
    }
    expect(seen.size).toBeLessThanOrEqual(6);
  });

  it('leaves the memory of a clone alone', () => {
    const f = step();
    let state = { w: tf.tensor1d([1, 2]) as Tensor, m: tf.zeros([2]) as Tensor };
    state = f(state, tf.ones([2]));
    const kept = state.w.clone();
    const before = values(kept);
    for (let i = 0; i < 4; i++) state = f(state, tf.ones([2]));
    expect(values(kept)).toEqual(before);
  });

  it('the same tensor given twice is given up once', () => {
    const f = jit((a: Tensor, b: Tensor) => [a.add(b), a.sub(b)], { donate: [0, 1] });
    for (let i = 0; i < 3; i++) {
      const v = tf.tensor1d([3, 4]);
      const [p, q] = f(v, v);
      expect(v.isDisposed).toBe(true);
      expect([values(p), values(q)]).toEqual([[6, 8], [0, 0]]); // biome-ignore format: short
    }
  });

  it('keeps no more arrays than a call has results', () => {
    const pool = new BufferPool([{ shape: [2], dtype: 'float32' }]);
    const given = [tf.ones([2]), tf.ones([2]), tf.ones([9])];
    const arrays = given.map((t) => t.dataSync());
    for (const t of given) pool.giveUp(t);
    expect(given.every((t) => t.isDisposed)).toBe(true);
    expect(pool.take({ shape: [2, 1], dtype: 'float32' })).toBe(arrays[0]);
    expect(arrays).not.toContain(pool.take({ shape: [2], dtype: 'float32' }));
    expect(arrays).not.toContain(pool.take({ shape: [9], dtype: 'float32' }));
  });

  it('also disposes when run eagerly', () => {
    const f = jit((a: Tensor) => ({ same: a, more: a.add(1) }), { donate: [0], executor: 'eager' });
    const v = tf.tensor1d([1, 2]);
    const out = f(v);
    expect(v.isDisposed).toBe(true);
    expect([values(out.same), values(out.more)]).toEqual([[1, 2], [2, 3]]); // biome-ignore format: short
  });
});

describe('memory', () => {
  it('5000 calls of a training step leave it flat', () => {
    const loss = (w: Tensor, x: Tensor) => tf.mean(tf.square(tf.matMul(x, w).sub(1)));
    const f = jit(
      (state: { w: Tensor; m: Tensor }, x: Tensor, rate: Tensor) => {
        const { value, grad: g } = valueAndGrad(loss)(state.w, x);
        const m = state.m.mul(0.9).add(g);
        return { state: { w: state.w.sub(m.mul(rate)), m }, metrics: { value } };
      },
      { donate: [0] },
    );
    const x: HostTensor = {
      data: new Float32Array(64 * 8).fill(0.1),
      shape: [64, 8],
      dtype: 'float32',
    };
    let state = { w: tf.zeros([8, 4]) as Tensor, m: tf.zeros([8, 4]) as Tensor };
    const run = (calls: number) => {
      for (let i = 0; i < calls; i++) {
        const out = f(state, x, 0.01);
        state = out.state;
        out.metrics.value.dispose();
      }
    };
    run(1000);
    const { numTensors, numBytes } = tf.memory();
    const resident = process.memoryUsage().rss;
    run(5000);
    expect(tf.memory()).toMatchObject({ numTensors, numBytes });
    expect(process.memoryUsage().rss / resident).toBeLessThan(1.1);
    expect(f.stats()).toMatchObject({ traces: 1, onnxCalls: 6000 });
  });
});

describe('executors', () => {
  it('eager gives the same and counts as eager', () => {
    const f = (v: Tensor) => ({ a: tf.softmax(v), b: [v.sum(), 3 as unknown as Tensor] });
    const [onnx, eager] = [jit(f), jit(f, { executor: 'eager' })];
    const v = tf.tensor1d([1, 2, 4]);
    const [p, q] = [onnx(v), eager(v)];
    expect(values(q.b[1])).toEqual([3]);
    for (const [i, value] of values(p.a).entries()) expect(value).toBeCloseTo(values(q.a)[i], 6);
    expect(eager.stats()).toMatchObject({ traces: 0, onnxCalls: 0, eagerCalls: 1 });
  });

  it('the totals of all functions are kept', () => {
    const before = jit.stats();
    const f = jit((v: Tensor) => v.neg());
    f(1);
    f(2);
    const after = jit.stats();
    expect(after.onnxCalls - before.onnxCalls).toBe(2);
    expect(after.traces - before.traces).toBe(1);
  });
});
