import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigError, DeviceError } from '../../src/core/errors.ts';
import { hostTensor, sizeOf } from '../../src/core/host-tensor.ts';
import { normal } from '../../src/core/random.ts';
import { toyBatch } from '../../src/datasets/toy.ts';
import { jit, type Tensor, tf, valueAndGrad } from '../../src/jit/index.ts';
import { DIALECTS, type Dialect, dialectOf } from '../../src/jit/onnx/dialect.ts';
import { lowerToOnnx } from '../../src/jit/onnx/lower.ts';
import { optimise } from '../../src/jit/passes/index.ts';
import { needHalf } from '../../src/jit/run/half.ts';
import { OnnxSession } from '../../src/jit/run/session.ts';
import { openSection } from '../../src/jit/section-session.ts';
import { trace } from '../../src/jit/trace/tracer.ts';
import { ddaebm } from '../../src/objectives/ddaebm.ts';
import { environment } from '../../src/train/environment.ts';
import { drawNoise } from '../../src/train/noise.ts';

beforeEach(() => {
  vi.stubEnv('GIBBS_EXECUTOR', undefined);
  vi.stubEnv('GIBBS_PRECISION', undefined);
  vi.stubEnv('GIBBS_CACHE', 'off');
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const drawn = (shape: number[], step: number, size = 1) => {
  const values = normal({ seed: 0, stream: 'half', step }, sizeOf(shape));
  return tf.tensor(
    values.map((v) => v * size),
    shape,
  );
};
const values = (t: Tensor) => Float32Array.from(t.dataSync());
const inHalf = <A extends unknown[], R>(f: (...args: A) => R) => jit(f, { precision: 'float16' });
const exactly = <A extends unknown[], R>(f: (...args: A) => R) => jit(f);

/** Largest |got − wanted| over the bound of each element, which `terms` gives: Σ |a||b|. */
function worst(got: Tensor, wanted: Tensor, terms: Tensor): number {
  const [a, b, c] = [got, wanted, terms].map(values);
  return Math.max(...a.map((v, i) => Math.abs(v - b[i]) / c[i]));
}

/** √Σ(got − wanted)² over √Σ wanted². */
function deviation(got: Tensor, wanted: Tensor): number {
  const [a, b] = [values(got), values(wanted)];
  const square = (xs: Float32Array) => xs.reduce((sum, x) => sum + x * x, 0);
  const scale = b.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  return Math.sqrt(square(a.map((v, i) => (v - b[i]) / scale)) / square(b.map((v) => v / scale)));
}

/** Each factor and the result are rounded by 2⁻¹¹ of themselves, and nothing else. */
const ROUNDED = 3.01 * 2 ** -11;

describe('products in float16', () => {
  const [x, w, b] = [drawn([220, 260], 0), drawn([260, 240], 1), drawn([240], 2)];

  it('lie within the rounding of operands and result, with every layout and a bias', () => {
    const [xt, wt] = [x.transpose(), w.transpose()] as Tensor[];
    const f = (x: Tensor, w: Tensor, xt: Tensor, wt: Tensor, b: Tensor) => [
      tf.matMul(x, w),
      tf.matMul(xt, wt, true, true),
      tf.matMul(x, w).add(b),
    ];
    const [got, wanted] = [inHalf(f), exactly(f)].map((g) => g(x, w, xt, wt, b));
    const terms = tf.matMul(x.abs(), w.abs());
    [terms, terms, terms.add(b.abs())].forEach((bound, i) => {
      const error = worst(got[i], wanted[i], bound);
      expect(error).toBeLessThan(ROUNDED);
      // Rounding shows: these were not computed in float32.
      expect(error).toBeGreaterThan(1e-5);
    });
  });

  it('are exact for numbers of eleven bits, whatever power of two they are of', () => {
    const few = (shape: number[], step: number) => drawn(shape, step).mul(4).round();
    const [p, q] = [few([200, 200], 3), few([200, 200], 4)];
    // The results are rounded as well: to multiples of 8 at most, where they exceed 2¹³.
    const product = inHalf((p: Tensor, q: Tensor) => tf.matMul(p.mul(2 ** -40), q.mul(2 ** 30)));
    const got = values(tf.mul(product(p, q), 2 ** 10));
    values(tf.matMul(p, q)).forEach((v, i) => {
      const unit = 2 ** Math.max(0, Math.floor(Math.log2(Math.abs(v) || 1)) - 10);
      expect(Math.abs(got[i] - v)).toBeLessThanOrEqual(unit / 2);
    });
  });

  it.each([
    ['gradients of 1e-9', 1e-9, 1],
    ['numbers of 1e5', 1e5, 1e5],
    ['both at once', 1e-12, 1e9],
  ])('keep %s: each operand has a scale of its own', (_, left, right) => {
    const product = (x: Tensor, w: Tensor) => tf.matMul(x, w);
    const [p, q] = [x.mul(left), w.mul(right)] as Tensor[];
    const got = inHalf(product)(p, q);
    expect(values(got).every((v) => Number.isFinite(v) && v !== 0)).toBe(true);
    expect(worst(got, exactly(product)(p, q), tf.matMul(p.abs(), q.abs()))).toBeLessThan(ROUNDED);
  });

  it('of zeros are zero, with what is not finite they are not finite', () => {
    const product = inHalf((x: Tensor, w: Tensor) => tf.matMul(x, w));
    const zeros = values(product(tf.zeros([220, 260]), w));
    expect(zeros.every((v) => v === 0)).toBe(true);
    const broken = values(x);
    broken[7] = Number.POSITIVE_INFINITY;
    const row = values(product(tf.tensor(broken, [220, 260]), w)).subarray(0, 240);
    expect(row.some(Number.isFinite)).toBe(false);
  });

  it('are large ones: what costs more to round than it saves keeps all its bits', () => {
    const f = (x: Tensor, w: Tensor, image: Tensor, k: Tensor) => [
      tf.matMul(x, w),
      tf.depthwiseConv2d(image as tf.Tensor4D, k as tf.Tensor4D, 1, 'same'),
    ];
    const args = [drawn([220, 20], 5), drawn([20, 240], 6), drawn([2, 32, 32, 8], 7), drawn([3, 3, 8, 1], 8)] as const; // biome-ignore format: one line
    const [got, wanted] = [inHalf(f), exactly(f)].map((g) => g(...args).map(values));
    expect(got).toEqual(wanted);
  });
});

/** Four layers of convolutions, small at the end as the mean over a batch is. */
const SHAPES = { a: [3, 3, 16, 24], b: [3, 3, 24, 24], c: [1, 1, 24, 32], d: [4, 4, 32, 24] };
const KERNELS = Object.fromEntries(
  Object.entries(SHAPES).map(([name, shape], i) => [name, drawn(shape, 10 + i, 0.12)]),
);
const IMAGES = drawn([4, 16, 16, 16], 20);

function network(p: Record<string, Tensor>, x: Tensor): Tensor {
  return Object.keys(SHAPES).reduce(
    (h: Tensor, name) => tf.tanh(tf.conv2d(h as tf.Tensor4D, p[name] as tf.Tensor4D, name === 'd' ? 2 : 1, 'same')), // biome-ignore format: one line
    x,
  );
}

const loss = (p: Record<string, Tensor>, x: Tensor) =>
  network(p, x).square().mean().mul(1e-3) as Tensor;
const penalty = (p: Record<string, Tensor>, x: Tensor) => {
  const slope = valueAndGrad((y: Tensor) => network(p, y).mean() as Tensor)(x).grad;
  return slope.square().sum().mul(0.1) as Tensor;
};

describe('gradients in float16', () => {
  const gradients = (of: typeof loss) => (p: Record<string, Tensor>, x: Tensor) =>
    valueAndGrad((q: Record<string, Tensor>) => of(q, x))(p);

  it.each([
    ['of convolutions, so small that float16 has none of them', loss, 2e-3],
    ['of a penalty on gradients', penalty, 5e-3],
  ])('%s', (_, of, tolerance) => {
    const [got, wanted] = [inHalf, exactly].map((compile) => compile(gradients(of))(KERNELS, IMAGES)); // biome-ignore format: one line
    expect(deviation(got.value, wanted.value)).toBeLessThan(tolerance);
    for (const name of Object.keys(SHAPES)) {
      const error = deviation(got.grad[name], wanted.grad[name]);
      expect(error).toBeLessThan(tolerance);
      expect(error).toBeGreaterThan(1e-5);
    }
  });

  it('leave the trace as it is, and what float32 is compiled to', () => {
    const f = gradients(penalty);
    expect(inHalf(f).fingerprint(KERNELS, IMAGES)).toBe(exactly(f).fingerprint(KERNELS, IMAGES));
    expect(dialectOf('cpu', 'float32')).toBe(DIALECTS.cpu);
    expect(dialectOf('webgpu', 'float32')).toBe(DIALECTS.webgpu);
    const model = lowered(DIALECTS.cpu).bytes;
    // No element type float16 (`to` of a Cast) in it, which is there otherwise.
    expect(castsToHalf(model)).toBe(0);
    expect(castsToHalf(lowered(dialectOf('cpu', 'float16')).bytes)).toBeGreaterThan(10);
  });
});

describe('a step of the toy model in float16', () => {
  it('has losses and gradients of about those in float32', () => {
    const objective = ddaebm();
    const noise = drawNoise(objective.noise, { seed: 3, stream: objective.name, step: 0 });
    const batch = { data: toyBatch('25gaussians', { seed: 3, stream: 'data', step: 0 }, 200) };
    // First moments are gradients: with β1 = 0, Adam makes of rounding a whole learning rate.
    const step = (state: never, data: never, drawn: never): Record<string, Tensor> => {
      const { state: next, metrics } = objective.step(state, data, drawn);
      return { ...metrics, d: next.energy.adam.m, g: next.generator.adam.m };
    };
    const given = [objective.init(1), batch, noise] as unknown as [never, never, never];
    const [got, wanted] = [inHalf, exactly].map((compile) => compile(step)(...given));
    const deviations = Object.keys(wanted).map((name) => deviation(got[name], wanted[name]));
    expect(Math.max(...deviations)).toBeLessThan(6e-3);
    expect(Math.max(...deviations)).toBeGreaterThan(1e-4);
  });
});

function recorded() {
  const leaves = [...Object.values(SHAPES), [4, 16, 16, 16]];
  const names = Object.keys(SHAPES);
  return trace(
    leaves.map((shape) => ({ shape, dtype: 'float32' as const })),
    (tensors) => {
      const p = Object.fromEntries(names.map((name, i) => [name, tensors[i]]));
      const { grad } = valueAndGrad((q: Record<string, Tensor>) => penalty(q, tensors[4]))(p);
      return names.map((name) => grad[name]);
    },
  );
}

const GRAPH = recorded();
const lowered = (dialect: Dialect) => lowerToOnnx(optimise(GRAPH), 'half', undefined, dialect);

/** Attributes `to` with the number of float16, 10, as the protobuf has them. */
function castsToHalf(model: Uint8Array): number {
  const sign = Buffer.from([...Buffer.from('to'), 0x18, 10]).toString('latin1');
  return Buffer.from(model).toString('latin1').split(sign).length - 1;
}

describe('what devices get', () => {
  it.each(['webgpu', 'cuda'] as const)(
    'is a model of sound types (%s), which the processor runs as float32',
    (provider) => {
      // biome-ignore format: one line
      const model = lowered(dialectOf(provider, 'float16'));
      const specs = GRAPH.outputs.map((id) => GRAPH.nodes[id]);
      const counts = { inputs: GRAPH.inputs.length, outputs: specs.length };
      const session = new OnnxSession(model.bytes, counts, { threads: 1 });
      const results = specs.map(({ shape }) => hostTensor(new Float32Array(sizeOf(shape)), shape));
      const given = [...Object.values(KERNELS), IMAGES];
      session.run(
        given.map((t) => hostTensor(values(t), t.shape)),
        results,
      );
      session.dispose();
      const wanted = exactly((p: Record<string, Tensor>, x: Tensor) =>
        valueAndGrad((q: Record<string, Tensor>) => penalty(q, x))(p),
      )(KERNELS, IMAGES);
      Object.keys(SHAPES).forEach((name, i) => {
        const got = tf.tensor(results[i].data, [...results[i].shape]);
        expect(deviation(got, wanted.grad[name])).toBeLessThan(5e-3);
      });
    },
  );

  it('needs an adapter that computes in float16, or is an error of one line', () => {
    const card = { ok: true, adapter: 'A Card', software: false } as const;
    expect(() => needHalf('webgpu', () => ({ ...card, half: true }))).not.toThrow();
    expect(() => needHalf('webgpu', () => card)).toThrow(DeviceError);
    expect(() => needHalf('webgpu', () => card)).toThrow(
      /^device 'webgpu': precision 'float16' needs the WebGPU feature shader-f16, which A Card lacks; use precision 'float32', or another.*$/,
    );
    expect(() => needHalf('cuda', () => card)).toThrow(/'cuda'.*float16.*A Card lacks/);
  });

  it('is emulated on the processor, which is said once', () => {
    const said = vi.mocked(process.stderr.write);
    needHalf('cpu');
    needHalf('cpu');
    const notes = said.mock.calls.filter(([text]) => String(text).includes('slower than float32'));
    expect(notes.length).toBeLessThanOrEqual(1);
  });
});

describe('the choice of float16', () => {
  const double = (x: Tensor) => tf.add(x, x);

  it('is refused by executors that lack it, in one line', () => {
    for (const executor of ['native', 'eager'] as const) {
      expect(() => jit(double, { executor, precision: 'float16' })).toThrow(ConfigError);
      expect(() => jit(double, { executor, precision: 'float16' })).toThrow(
        new RegExp(`^jit: precision 'float16' is not for executor '${executor}'; use 'onnx' or 'auto'.*'float32'[^\n]*$`), // biome-ignore format: one line
      );
    }
  });

  it("is ONNX Runtime's with executor auto", () => {
    const x = tf.tensor1d([1, 2]);
    const f = jit(double, { executor: 'auto', precision: 'float16' });
    expect([...values(f(x))]).toEqual([2, 4]);
    expect(f.stats()).toMatchObject({ onnxCalls: 1, nativeCalls: 0 });
    expect(f.explain(x)).not.toContain('functions');
  });

  it('is that of a section of a graph, too', () => {
    vi.stubEnv('GIBBS_PRECISION', 'float16');
    const [x, w] = [drawn([220, 260], 0), drawn([260, 240], 1)];
    const product = (x: Tensor, w: Tensor) => tf.matMul(x, w);
    const specs = [x, w].map(({ shape }) => ({ shape, dtype: 'float32' as const }));
    const graph = optimise(trace(specs, ([x, w]) => [product(x, w)]));
    const inputs = [0, 1].map((index) => ({ kind: 'argument' as const, index }));
    const outputs = [{ kind: 'result' as const, index: 0 }];
    const result = hostTensor(new Float32Array(220 * 240), [220, 240]);
    const slots = [x, w].map((t) => hostTensor(values(t), t.shape));
    openSection({ graph, inputs, outputs }, 'section', { arena: true }).run(slots, [result]);
    expect(result.data).toEqual(values(inHalf(product)(x, w)));
  });

  it('can be made by the environment, and is recorded with a run', () => {
    expect(environment().precision).toBeUndefined();
    vi.stubEnv('GIBBS_PRECISION', 'float16');
    expect(environment().precision).toBe('float16');
    const [x, w] = [drawn([220, 260], 0), drawn([260, 240], 1)];
    const product = (x: Tensor, w: Tensor) => tf.matMul(x, w);
    expect(values(jit(product)(x, w))).toEqual(values(inHalf(product)(x, w)));
    vi.stubEnv('GIBBS_PRECISION', undefined);
    expect(values(jit(product)(x, w))).not.toEqual(values(inHalf(product)(x, w)));
  });
});
