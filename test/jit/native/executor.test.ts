import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ConfigError, NativeBuildError } from '../../../src/core/errors.ts';
import { jit, type Tensor, tf, valueAndGrad } from '../../../src/jit/index.ts';
import { GraphBuilder } from '../../../src/jit/ir/builder.ts';
import { lowerToC } from '../../../src/jit/native/compile.ts';
import { NativeSession } from '../../../src/jit/native/executor.ts';
import { buildGraph, graphInputs, mergeGraphs, programs, runGraph, runSession } from '../graphs.ts';

let folder: string;
const before = { ...process.env };

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gibbs-native-'));
  process.env['GIBBS_CACHE'] = folder;
});
afterAll(() => {
  process.env = before;
  rmSync(folder, { recursive: true, force: true });
});
afterEach(() => {
  vi.restoreAllMocks();
  delete process.env['GIBBS_CC'];
  delete process.env['GIBBS_EXECUTOR'];
});

const values = (t: Tensor) => Array.from(t.dataSync());

/** One value of each kind that rounding, overflow and missing numbers make. */
const SPECIAL = [
  0,
  -0,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.NaN,
  -1,
  100,
  -100,
  1e-40,
];
const TAIL = [
  -80, -40, -20, -17.4, -12, -8, -1, -0.3, -1e-3, -1e-6, 1e-6, 1e-3, 0.3, 1, 8, 12, 17.4, 20, 40,
  80,
];

const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const OWN: Record<string, [(v: Tensor) => Tensor, (x: number) => number]> = {
  exp: [tf.exp, Math.exp],
  expm1: [tf.expm1, Math.expm1],
  softplus: [tf.softplus, softplus],
  sigmoid: [tf.sigmoid, (x) => 1 / (1 + Math.exp(-x))],
  tanh: [tf.tanh, Math.tanh],
  log: [(v) => tf.log(v.abs()), (x) => Math.log(Math.abs(x))],
  log1p: [(v) => tf.log1p(v.abs()), (x) => Math.log1p(Math.abs(x))],
};

describe('functions of our own', () => {
  const all = jit((v: Tensor) => Object.values(OWN).map(([f]) => f(v)), { executor: 'native' });

  it('keep a few units in the last place, far from zero and near it', () => {
    const x = Float32Array.from(TAIL);
    const results = all(tf.tensor1d(x)).map(values);
    Object.entries(OWN).forEach(([name, [, exact]], k) => {
      for (const [i, v] of x.entries()) {
        const want = Math.fround(exact(v));
        const error = Math.abs(results[k][i] - want) / Math.max(Math.abs(want), 1.2e-38);
        expect(error, `${name}(${v}) = ${results[k][i]}, exact ${want}`).toBeLessThan(4e-7);
      }
    });
  });

  it('give what they give eagerly for infinities, NaN, zeros and denormals', () => {
    const F: Record<string, (v: Tensor) => Tensor> = {
      ...Object.fromEntries(Object.entries(OWN).map(([name, [f]]) => [name, f])),
      relu: tf.relu,
      sqrt: tf.sqrt,
      rsqrt: tf.rsqrt,
      round: (v) => tf.round(v.add(0.5)),
      max: (v) => tf.maximum(v, 0),
      min: (v) => tf.minimum(0, v),
      where: (v) => tf.where(v.greater(0), v, tf.zerosLike(v)),
      sum: (v) => tf.sum(v),
      largest: (v) => tf.max(v),
      isNaN: (v) => tf.isNaN(v),
    };
    const g = (v: Tensor) => Object.values(F).map((f) => f(v));
    const x = tf.tensor1d(SPECIAL);
    const [native, eager] = (['native', 'eager'] as const).map((executor) =>
      jit(g, { executor })(x).map(values),
    );
    Object.keys(F).forEach((name, k) => {
      native[k].forEach((got, i) => {
        const want = eager[k][i];
        const same = Object.is(got, want) || got === want;
        const near = Math.abs(got - want) < 1e-6 * Math.abs(want) + 1e-37;
        expect(same || near, `${name}(${SPECIAL[i]}): eager ${want}, C ${got}`).toBe(true);
      });
    });
  });
});

describe('a compiled graph', () => {
  it('computes what ONNX Runtime computes, for random graphs in one', () => {
    const graph = mergeGraphs(
      fc.sample(programs, { seed: 7, numRuns: 12 }).map((program) => buildGraph(program)),
    );
    const inputs = graphInputs();
    const native = runSession(new NativeSession(lowerToC(graph), 'random'), graph, inputs);
    runGraph(graph, inputs).forEach((want, k) => {
      want.forEach((w, i) => {
        const got = native[k][i];
        const same =
          Object.is(got, w) || got === w || Math.abs(got - w) <= 2e-4 * Math.abs(w) + 2e-5;
        expect(same, `output ${k}, element ${i}: ${got}, ONNX Runtime ${w}`).toBe(true);
      });
    });
  });

  it('gives the same bits at every run, and results that occur twice each time', () => {
    const f = (w: Tensor, x: Tensor) => {
      const { value, grad } = valueAndGrad((v: Tensor) =>
        tf.mean(tf.tanh(tf.matMul(x, v)).square()),
      )(w);
      return [value, grad, grad, x];
    };
    const step = jit(f, { executor: 'native' });
    const [w, x] = [
      tf.randomNormal([40, 30], 0, 1, 'float32', 1),
      tf.randomNormal([20, 40], 0, 1, 'float32', 2),
    ];
    const [a, b] = [step(w, x), step(w, x)].map((r) => r.map(values));
    expect(b).toEqual(a);
    expect(a[2]).toEqual(a[1]);
    expect(a[3]).toEqual(values(x));
    expect(step.stats()).toMatchObject({ traces: 1, nativeCalls: 2, onnxCalls: 0 });
  });

  it('reads a whole from memory after its only part, not while that is written', () => {
    const b = new GraphBuilder();
    const x = b.input([64], 'float32');
    const whole = b.add('concat', [b.add('exp', [x], {})], { axis: 0 });
    const graph = b.finish([b.add('neg', [whole], {}), whole]);
    const data = Float32Array.from({ length: 64 }, (_, i) => i / 64);
    const run = new NativeSession(lowerToC(graph), 'whole');
    const [negated, plain] = runSession(run, graph, [{ data, shape: [64], dtype: 'float32' }]);
    plain.forEach((v, i) => {
      expect(v).toBeCloseTo(Math.exp(data[i]), 5);
      expect(negated[i]).toBe(-v);
    });
  });

  it('uses memory again: a long chain of layers needs no more than a short one', () => {
    const arena = (layers: number) => {
      const b = new GraphBuilder();
      const w = b.input([64, 64], 'float32');
      let x = b.input([64, 64], 'float32');
      for (let i = 0; i < layers; i++) {
        const y = b.add('matmul', [x, w], { transA: false, transB: false });
        x = b.add('relu', [b.add('add', [y, x], {})], {});
      }
      return lowerToC(b.finish([x])).arenaBytes;
    };
    expect(arena(20)).toBe(arena(4));
  });

  it('joins no loop to one that, through another that grew since, needs it', () => {
    const b = new GraphBuilder();
    const [x, y, w] = [0, 1, 2].map(() => b.input([64, 64], 'float32'));
    const times = (v: number) => b.add('matmul', [v, w], { transA: false, transB: false });
    const early = b.add('exp', [y], {});
    const between = times(early);
    const first = b.add('sin', [x], {});
    // Joins the loop of `early`, on which `between` waits, and needs `first`.
    const late = b.add('add', [times(first), early], {});
    const last = b.add('add', [first, between], {});
    const graph = b.finish([late, last]);
    const inputs = [1, 2, 3].map((k) => ({
      data: Float32Array.from({ length: 64 * 64 }, (_, i) => Math.cos(k * i)),
      shape: [64, 64],
      dtype: 'float32' as const,
    }));
    const found = runSession(new NativeSession(lowerToC(graph), 'grown'), graph, inputs);
    runGraph(graph, inputs).forEach((want, k) => {
      want.forEach((value, i) => {
        expect(Math.abs(found[k][i] - value)).toBeLessThan(1e-4);
      });
    });
  });

  it('is one loop for what runs over the same elements, sums included', () => {
    const b = new GraphBuilder();
    const x = b.input([50, 40], 'float32');
    const y = b.add('mul', [b.add('exp', [x], {}), b.add('sub', [x, b.splat(1)], {})], {});
    const total = b.add('sum', [y], { axes: [0], keepDims: true });
    const rest = b.add('sub', [y, total], {});
    // The columns' sums must be complete before they are subtracted.
    expect(lowerToC(b.finish([total])).calls).toBe(1);
    expect(lowerToC(b.finish([rest])).calls).toBe(2);
  });
});

describe('the choice of executor', () => {
  const double = (x: Tensor) => tf.add(x, x);
  const one = tf.tensor1d([1]);

  it('is one of those that exist, by option or environment', () => {
    process.env['GIBBS_EXECUTOR'] = 'fortran';
    expect(() => jit(double)).toThrow(ConfigError);
    process.env['GIBBS_EXECUTOR'] = 'native';
    const f = jit(double);
    f(one);
    expect(f.stats()).toMatchObject({ nativeCalls: 1, onnxCalls: 0 });
  });

  it('native takes a compiler; auto does without, and says so once', () => {
    process.env['GIBBS_CC'] = 'off';
    expect(() => jit((x: Tensor) => x.add(3), { executor: 'native' })(one)).toThrow(
      NativeBuildError,
    );
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    for (const k of [4, 5]) {
      const f = jit((x: Tensor) => x.add(k), { executor: 'auto' });
      expect(values(f(one))).toEqual([1 + k]);
      expect(f.stats()).toMatchObject({ nativeCalls: 0, onnxCalls: 1 });
    }
    const notes = said.mock.calls.map(([text]) => String(text));
    expect(notes.filter((text) => text.includes('no C compiler'))).toHaveLength(1);
  });

  it('auto compares the first results, and leaves a compiler that is wrong', () => {
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const run = (flags: string, f: (x: Tensor) => Tensor) => {
      process.env['GIBBS_CFLAGS'] = flags;
      const g = jit(f, { executor: 'auto' });
      const results = [values(g(tf.tensor1d([1, 2, 4]))), values(g(tf.tensor1d([1, 2, 4])))];
      return { results, stats: g.stats() };
    };
    const right = run('-O1', (x) => x.sqrt().add(6));
    expect(right.stats).toMatchObject({ nativeCalls: 2, onnxCalls: 0 });
    const wrong = run('-O1 -D__builtin_sqrtf=cosf', (x) => x.sqrt().add(7));
    expect(wrong.stats).toMatchObject({ nativeCalls: 0, onnxCalls: 2 });
    expect(wrong.results[0][2]).toBeCloseTo(9, 5);
    expect(wrong.results[1]).toEqual(wrong.results[0]);
  });
});

describe('explain', () => {
  it('lists the units of the compiled code, with what each reads and writes', () => {
    const f = jit((x: Tensor, w: Tensor) => tf.relu(tf.matMul(x, w).square()), {
      executor: 'native',
    });
    const text = f.explain(tf.ones([10, 100]), tf.ones([100, 50]));
    const units = text.slice(text.indexOf('\nC: ')).trim().split('\n');
    expect(units[0]).toMatch(
      /^C: 2 units of 2 functions, \d+ kFLOP, [\d.]+ kB read and written; arena of/,
    );
    expect(units).toHaveLength(3);
    expect(units[1]).toMatch(/100 kFLOP +24\.0 kB in +2\.0 kB out +\[10,50\] +matmul$/);
    expect(units[2]).toMatch(/over \[10,50\] +square relu$/);
  });
});
