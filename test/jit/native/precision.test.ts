import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigError } from '../../../src/core/errors.ts';
import { normal } from '../../../src/core/random.ts';
import { type JitOptions, jit, type Tensor, tf, valueAndGrad } from '../../../src/jit/index.ts';
import { supportsBf16 } from '../../../src/jit/native/gemm/bf16.ts';
import { environment } from '../../../src/train/environment.ts';
import { HAS_COMPILER } from './toolchain.ts';

const processor = vi.hoisted(() => ({ lacks: false }));
vi.mock('../../../src/jit/native/gemm/bf16.ts', async (original) => {
  const real = await original<typeof import('../../../src/jit/native/gemm/bf16.ts')>();
  return { ...real, supportsBf16: () => !processor.lacks && real.supportsBf16() };
});

const CAN = HAS_COMPILER && supportsBf16();
let folder: string;
const before = { ...process.env };

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gibbs-precision-'));
});
beforeEach(() => {
  process.env = { ...before, GIBBS_CACHE: folder };
});
afterEach(() => {
  processor.lacks = false;
  vi.restoreAllMocks();
});
afterAll(() => {
  process.env = before;
  rmSync(folder, { recursive: true, force: true });
});

const drawn = (shape: [number, number], step: number) =>
  tf.tensor2d(normal({ seed: 0, stream: 'precision', step }, shape[0] * shape[1]), shape);
const values = (t: Tensor) => Float32Array.from(t.dataSync());

const NATIVE: JitOptions = { executor: 'native' };
const ROUNDED: JitOptions = { executor: 'native', precision: 'bfloat16' };

describe.skipIf(!CAN)('products in bfloat16', () => {
  const [x, w, b] = [drawn([130, 70], 0), drawn([70, 140], 1), drawn([1, 140], 2)];
  /** Rounding moves each factor by at most 2⁻⁹ of itself. */
  const bound = (terms: Tensor) => values(terms).map((size) => (2.001 * 2 ** -9 + 1e-5) * size);
  const worst = (got: Float32Array, want: Float32Array, bounds: Float32Array) =>
    Math.max(...got.map((v, i) => Math.abs(v - want[i]) / bounds[i]));

  it('lie within the rounding of their operands, with every layout and a bias', () => {
    const [xt, wt] = [x.transpose(), w.transpose()] as Tensor[];
    const f = (x: Tensor, w: Tensor, xt: Tensor, wt: Tensor, b: Tensor) => [
      tf.matMul(x, w),
      tf.matMul(xt, wt, true, true),
      tf.matMul(x, w).add(b),
    ];
    const exact = jit(f, NATIVE)(x, w, xt, wt, b).map(values);
    const rounded = jit(f, ROUNDED)(x, w, xt, wt, b).map(values);
    const terms = tf.matMul(x.abs(), w.abs());
    const bounds = [terms, terms, terms.add(b.abs())].map(bound);
    rounded.forEach((got, k) => {
      const error = worst(got, exact[k], bounds[k]);
      expect(error).toBeLessThan(1);
      // Rounding shows: these were not computed in float32.
      expect(error).toBeGreaterThan(0.01);
    });
  });

  it('are those of the rounded numbers, exactly so for numbers of eight bits', () => {
    const few = (shape: [number, number], step: number) => drawn(shape, step).mul(8).round();
    const [p, q] = [few([130, 70], 3), few([70, 140], 4)];
    const product = jit((p: Tensor, q: Tensor) => tf.matMul(p, q), ROUNDED);
    expect(values(product(p, q))).toEqual(values(tf.matMul(p, q)));
  });

  it('give the same bits at every run, gradients included', () => {
    const f = (x: Tensor, w: Tensor) => {
      const loss = (w: Tensor) => tf.mean(tf.tanh(tf.matMul(x, w)).square()) as Tensor;
      const { value, grad } = valueAndGrad(loss)(w);
      return [value, grad];
    };
    const [one, two] = [jit(f, ROUNDED), jit(f, ROUNDED)];
    const [a, b, c] = [one(x, w), one(x, w), two(x, w)].map((r) => r.map(values));
    expect(b).toEqual(a);
    expect(c).toEqual(a);
    const exact = jit(f, NATIVE)(x, w).map(values);
    expect(a[0][0]).toBeCloseTo(exact[0][0], 2);
    expect(a[1]).not.toEqual(exact[1]);
  });

  it('are those worth it: small ones and inputs keep all their bits', () => {
    const f = (x: Tensor, image: Tensor) => {
      const kernel = tf.ones<tf.Rank.R4>([3, 3, 8, 8]).mul(1.003) as tf.Tensor4D;
      return [tf.matMul(x, x, false, true), tf.conv2d(image as tf.Tensor4D, kernel, 1, 'same'), x];
    };
    const args = [drawn([20, 70], 5), drawn([32, 64], 6).reshape([1, 16, 16, 8])] as const;
    const [exact, rounded] = [NATIVE, ROUNDED].map((options) => jit(f, options)(...args));
    expect(rounded.map(values)).toEqual(exact.map(values));
  });

  it('of convolutions lie within the rounding of their operands, gradients included', () => {
    const image = drawn([400, 64], 7).reshape([4, 10, 10, 64]) as tf.Tensor4D;
    const kernel = drawn([576, 32], 8).reshape([3, 3, 64, 32]) as tf.Tensor4D;
    const slope = drawn([400, 32], 9).reshape([4, 10, 10, 32]) as tf.Tensor4D;
    const f = (x: Tensor, w: Tensor, dy: Tensor) => {
      const y = (x: Tensor, w: Tensor) =>
        tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same') as Tensor;
      const value = (x: Tensor, w: Tensor) => tf.sum(y(x, w).mul(dy)) as Tensor;
      return [
        y(x, w),
        valueAndGrad((v: Tensor) => value(v, w))(x).grad,
        valueAndGrad((v: Tensor) => value(x, v))(w).grad,
      ];
    };
    const exact = jit(f, NATIVE)(image, kernel, slope).map(values);
    const terms = jit(f, NATIVE)(image.abs(), kernel.abs(), slope.abs());
    for (const executor of ['native', 'auto'] as const) {
      const g = jit(f, { executor, precision: 'bfloat16' });
      const got = g(image, kernel, slope).map(values);
      expect(g.stats()).toMatchObject({ nativeCalls: 1, onnxCalls: 0 });
      got.forEach((v, k) => {
        const error = worst(v, exact[k], bound(terms[k]));
        expect(error).toBeLessThan(1);
        expect(error).toBeGreaterThan(0.01);
      });
    }
  });

  it('pass the comparison of auto, which a compiler that is wrong does not', () => {
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const run = (flags: string, f: (x: Tensor, w: Tensor) => Tensor) => {
      process.env['GIBBS_CFLAGS'] = flags;
      const g = jit(f, { executor: 'auto', precision: 'bfloat16' });
      return { result: values(g(x.abs(), w)), stats: g.stats() };
    };
    const right = run('-O1', (x, w) => tf.matMul(x.sqrt(), w).add(1));
    expect(right.stats).toMatchObject({ nativeCalls: 1, onnxCalls: 0 });
    expect(said).not.toHaveBeenCalled();
    const wrong = run('-O1 -D__builtin_sqrtf=cosf', (x, w) => tf.matMul(x.sqrt(), w).add(2));
    expect(wrong.stats).toMatchObject({ nativeCalls: 0, onnxCalls: 1 });
    const exact = values(tf.matMul(x.abs().sqrt(), w).add(2));
    wrong.result.forEach((v, i) => void expect(v).toBeCloseTo(exact[i], 3));
  });

  it('are chosen by the environment, and recorded with a run', () => {
    expect(environment().precision).toBeUndefined();
    process.env['GIBBS_PRECISION'] = 'bfloat16';
    process.env['GIBBS_EXECUTOR'] = 'native';
    const byEnvironment = jit((x: Tensor, w: Tensor) => tf.matMul(x, w))(x, w);
    expect(environment().precision).toBe('bfloat16');
    const byOption = jit((x: Tensor, w: Tensor) => tf.matMul(x, w), ROUNDED)(x, w);
    expect(values(byEnvironment)).toEqual(values(byOption));
  });
});

describe('a precision that cannot be had', () => {
  const double = (x: Tensor) => tf.add(x, x);

  it('is an error of executors that do not compile', () => {
    for (const executor of ['onnx', 'eager'] as const) {
      expect(() => jit(double, { executor, precision: 'bfloat16' })).toThrow(
        new RegExp(`bfloat16.*'${executor}'.*use 'native'`),
      );
    }
    process.env['GIBBS_PRECISION'] = 'bfloat16';
    delete process.env['GIBBS_EXECUTOR'];
    expect(() => jit(double)).toThrow(ConfigError);
    process.env['GIBBS_PRECISION'] = 'half';
    expect(() => jit(double)).toThrow(/unknown precision 'half'.*bfloat16/);
  });

  it('is an error of native on another processor; auto says so once and uses float32', () => {
    processor.lacks = true;
    expect(() => jit(double, ROUNDED)).toThrow(/AVX512-BF16.*use 'float32'/);
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    for (const k of [1, 2]) {
      const f = jit((x: Tensor) => x.add(k), { executor: 'auto', precision: 'bfloat16' });
      expect(values(f(tf.tensor1d([1])))).toEqual(Float32Array.of(1 + k));
    }
    const notes = said.mock.calls.map(([text]) => String(text));
    expect(notes.filter((text) => text.includes('float32 is used'))).toHaveLength(1);
    process.env['GIBBS_PRECISION'] = 'bfloat16';
    expect(environment().precision).toBeUndefined();
  });
});
