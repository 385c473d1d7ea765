import { beforeAll, describe, expect, it, vi } from 'vitest';
import { DeviceError } from '../../src/core/errors.ts';
import { type HostTensor, hostTensor, sizeOf } from '../../src/core/host-tensor.ts';
import { normal, uniform } from '../../src/core/random.ts';
import { flatten } from '../../src/core/tree.ts';
import { toyBatch } from '../../src/datasets/toy.ts';
import { cifar10Config, cifar10Objective } from '../../src/experiments/cifar10-config.ts';
import {
  availability,
  type JitFunction,
  jit,
  type Provider,
  type Tensor,
  tf,
  valueAndGrad,
} from '../../src/jit/index.ts';
import { dialectOf } from '../../src/jit/onnx/dialect.ts';
import { lowerToOnnx } from '../../src/jit/onnx/lower.ts';
import { optimise } from '../../src/jit/passes/index.ts';
import { OnnxSession } from '../../src/jit/run/session.ts';
import { trace } from '../../src/jit/trace/tracer.ts';
import { swish } from '../../src/nn/activations.ts';
import { conv2d, convSpecs } from '../../src/nn/conv.ts';
import { groupNorm, groupNormSpecs } from '../../src/nn/group-norm.ts';
import { initialise } from '../../src/nn/initialise.ts';
import { ddaebm } from '../../src/objectives/ddaebm.ts';
import type { Objective } from '../../src/objectives/objective.ts';
import { drawNoise } from '../../src/train/noise.ts';
import { SWIFTSHADER, useSwiftShader } from './swiftshader.ts';

/*
 * The WebGPU provider over SwiftShader, a Vulkan driver without a card, against the processor.
 * Deviations are relative to the largest element of each tensor; those of float32 sums in another
 * order are some 1e-7 for each product, a chain of them and the division by a root in Adam ten
 * times that.
 */
const TOLERANCE = 2e-5;

/** The step of NCSN++ takes a minute of processor time, more of a busy machine's. */
const NANO_PATIENCE_MS = 900_000;

type Step = JitFunction<[never, never, never], unknown>;
const tensorsOf = (tree: unknown): Tensor[] =>
  flatten(tree, (v): v is Tensor => v instanceof tf.Tensor).leaves as Tensor[];

function expectClose(got: unknown, wanted: unknown, tolerance = TOLERANCE): void {
  const [ours, theirs] = [tensorsOf(got), tensorsOf(wanted)];
  expect(ours.length).toBe(theirs.length);
  ours.forEach((tensor, i) => {
    const [a, b] = [tensor.dataSync(), theirs[i].dataSync()];
    let [deviation, scale] = [0, 0];
    for (let j = 0; j < b.length; j++) {
      deviation = Math.max(deviation, Math.abs(a[j] - b[j]));
      scale = Math.max(scale, Math.abs(b[j]));
    }
    expect(a.length).toBe(b.length);
    expect(deviation, `leaf ${i} of ${tensor.shape}`).toBeLessThanOrEqual(tolerance * scale);
  });
}

/** The moments and metrics of an objective's step: with β1 = 0, Adam makes of rounding a whole lr. */
function firstStep(objective: Objective, data: HostTensor) {
  const noise = drawNoise(objective.noise, { seed: 3, stream: objective.name, step: 0 });
  const run = (device: Provider) => {
    const step = jit(
      (state: unknown, batch: unknown, drawn: unknown) => {
        const next = objective.step(state as never, batch as never, drawn as never);
        return { state: next.state as never, metrics: next.metrics };
      },
      { device, name: objective.name },
    ) as unknown as Step;
    const result = step(objective.init(1) as never, { data } as never, noise as never);
    return result as { state: unknown; metrics: Record<string, Tensor> };
  };
  return { got: run('webgpu'), wanted: run('cpu') };
}

const moments = (state: unknown): Tensor[] => {
  const found: Tensor[] = [];
  const visit = (node: unknown, key: string): void => {
    if (node instanceof tf.Tensor) {
      if (key === 'm' || key === 'v') found.push(node);
    } else if (typeof node === 'object' && node !== null) {
      for (const [name, child] of Object.entries(node)) visit(child, name);
    }
  };
  visit(state, '');
  return found;
};

const WHY = SWIFTSHADER === undefined ? ' (skipped: no SwiftShader, apt-get install chromium-common)' : ''; // biome-ignore format: one line

describe.skipIf(SWIFTSHADER === undefined)(`WebGPU against the processor${WHY}`, () => {
  beforeAll(() => useSwiftShader());

  it('is there, and known to be no card', () => {
    const found = availability('webgpu');
    expect(found).toMatchObject({ ok: true, software: true });
    expect(found.ok && found.adapter).toMatch(/SwiftShader/);
  });

  it('a block of group norm, swish and two convolutions, with all gradients', () => {
    const specs = {
      ...groupNormSpecs('norm', 8),
      ...convSpecs('first', 8, 12, 3),
      ...convSpecs('second', 12, 8, 3),
    };
    const params = initialise(specs, 0, 'block');
    const x = hostTensor(normal({ seed: 1, stream: 'x', step: 0 }, 2 * 8 * 10 * 10), [2, 8, 10, 10]); // biome-ignore format: one line
    const block = (p: Record<string, Tensor>, v: Tensor) => {
      const h = conv2d(p, 'first', swish(groupNorm(p, 'norm', v)));
      return v.add(conv2d(p, 'second', swish(h)));
    };
    const loss = (all: { p: Record<string, Tensor>; v: Tensor }) =>
      block(all.p, all.v).square().mean();
    const both = (device: Provider) =>
      jit(valueAndGrad(loss), { device, name: 'block' })({ p: params, v: x } as never);
    expectClose(both('webgpu'), both('cpu'));
  });

  it('an iteration of DDAEBM with the toy networks', () => {
    const objective = ddaebm({ batch: 12 });
    const data = toyBatch('25gaussians', { seed: 3, stream: 'data', step: 0 }, 12);
    const { got, wanted } = firstStep(objective as Objective, data);
    expectClose(got.metrics, wanted.metrics);
    expect(moments(wanted.state)).toHaveLength(4);
    expectClose(moments(got.state), moments(wanted.state));
  });

  it(
    'an iteration of DDAEBM with NCSN++ networks for images of 32 x 32',
    () => {
      const objective = cifar10Objective(cifar10Config('nano', { batch: 2 })) as Objective;
      const { batchShape } = objective;
      const pixels = uniform({ seed: 3, stream: 'data', step: 0 }, sizeOf(batchShape));
      const data = hostTensor(pixels.map((v) => 2 * v - 1), batchShape); // biome-ignore format: one line
      const { got, wanted } = firstStep(objective, data);
      expectClose(got.metrics, wanted.metrics, 1e-4);
      expect(moments(wanted.state)).toHaveLength(4);
      expectClose(moments(got.state), moments(wanted.state));
    },
    NANO_PATIENCE_MS,
  );

  it('keeps a state that is donated on the device, for it, for others and to be read', () => {
    const step = (s: { w: Tensor; n: Tensor }, x: Tensor) => {
      const w = s.w.mul(0.5).add(x);
      return { state: { w, n: s.n.add(1) }, size: w.square().sum() };
    };
    const train = jit(step, { device: 'webgpu', donate: [0] });
    const x = hostTensor(Float32Array.of(1, 2, 3), [3]);
    let state: { w: unknown; n: unknown } = {
      w: hostTensor(new Float32Array(3), [3]),
      n: hostTensor(Int32Array.of(0), []),
    };
    const held = { w: tf.zeros([3]), n: tf.scalar(0, 'int32') };
    const reference = jit(step, { device: 'cpu' });
    let wanted: { state: { w: Tensor; n: Tensor }; size: Tensor } = { state: held, size: tf.scalar(0) }; // biome-ignore format: one line
    const sizes: number[] = [];
    for (let i = 0; i < 4; i++) {
      const before = state;
      const next = train(state as never, x as never);
      if (before.w instanceof tf.Tensor) expect(before.w.isDisposed).toBe(true);
      state = next.state;
      sizes.push(next.size.dataSync()[0]);
      wanted = reference(wanted.state, x as never);
      expect(sizes[i]).toBeCloseTo(wanted.size.dataSync()[0], 4);
    }
    const { w, n } = state as { w: Tensor; n: Tensor };
    expect([...n.dataSync()]).toEqual([4]);
    expect([...w.dataSync()]).toEqual([...wanted.state.w.dataSync()]);
    // Into another function of the device, one of the processor, and eager code.
    expect(jit((v: Tensor) => v.sum(), { device: 'webgpu' })(w).dataSync()[0]).toBeCloseTo(11.25, 4); // biome-ignore format: one line
    expect(jit((v: Tensor) => v.sum(), { device: 'cpu' })(w).dataSync()[0]).toBeCloseTo(11.25, 4);
    const twice = w.clone();
    w.dispose();
    expect([...tf.mul(twice, 2).dataSync()]).toEqual([...wanted.state.w.mul(2).dataSync()]);
  });

  it('computes in float16 where the adapter does, or says what it lacks', () => {
    const product = (x: Tensor, w: Tensor) => [tf.matMul(x, w), tf.matMul(x, w, true, true)];
    const drawn = (step: number) => {
      const values = normal({ seed: 1, stream: 'half', step }, 200 * 200);
      return hostTensor(values.map((v) => 1e-6 * v), [200, 200]); // biome-ignore format: one line
    };
    const on = (device: Provider) =>
      jit(product, { device, precision: 'float16' })(drawn(0) as never, drawn(1) as never);
    const found = availability('webgpu');
    if (found.ok && found.half) expectClose(on('webgpu'), on('cpu'), 2 ** -7);
    else expect(() => on('webgpu')).toThrow(/^device 'webgpu': precision 'float16' needs the WebGPU feature shader-f16, which SwiftShader.* lacks; use precision 'float32', or another graphics card or driver$/); // biome-ignore format: one line
  });

  it('has kernels for every operation in float16 of a block and its gradients', () => {
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const kernel = { shape: [3, 3, 24, 24], dtype: 'float32' } as const;
    const image = { shape: [4, 16, 16, 24], dtype: 'float32' } as const;
    const matrices = { shape: [2, 200, 200], dtype: 'float32' } as const;
    const graph = trace([image, kernel, kernel, matrices], ([x, a, b, c]) => {
      type Given = { a: tf.Tensor4D; b: tf.Tensor4D; c: tf.Tensor3D };
      const loss = (p: Given) => {
        const h = tf.tanh(tf.conv2d(x as tf.Tensor4D, p.a, 1, 'same'));
        const image = tf
          .conv2d(h as tf.Tensor4D, p.b, 2, 'same')
          .square()
          .sum();
        const [first, second] = tf.unstack(tf.matMul(p.c, p.c, false, true));
        return image.add(tf.matMul(first, second, true).square().sum()) as Tensor;
      };
      const { value, grad } = valueAndGrad(loss)({ a, b, c } as Given);
      return [value, ...Object.values(grad as Record<string, Tensor>)];
    });
    const model = lowerToOnnx(optimise(graph), 'half', undefined, dialectOf('webgpu', 'float16'));
    const counts = { inputs: 4, outputs: graph.outputs.length };
    // What the provider lacks would go to the processor, with a notice.
    new OnnxSession(model.bytes, counts, { threads: 1, provider: 'webgpu' }).dispose();
    expect(said.mock.calls.filter(([text]) => String(text).startsWith('note: '))).toEqual([]);
    said.mockRestore();
  });

  it('leaves what the provider lacks to the processor, and says so once', () => {
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const largest = (v: Tensor) => v.square().argMax(1);
    const x = tf.tensor2d([1, -3, 2, 4, 0, -1], [2, 3]);
    expect([...jit(largest, { device: 'webgpu' })(x).dataSync()]).toEqual([1, 0]);
    expect([...jit(largest, { device: 'webgpu', name: 'again' })(x).dataSync()]).toEqual([1, 0]);
    const notes = said.mock.calls.filter(([text]) => String(text).startsWith('note: '));
    said.mockRestore();
    expect(notes).toEqual([[expect.stringMatching(/'webgpu' lacks some operations/)]]);
  });

  it('says that memory is used up, and goes on', () => {
    const large = jit((a: Tensor, b: Tensor) => a.add(b).exp().sum(), { device: 'webgpu' });
    const vector = (n: number, shape: number[]) => hostTensor(new Float32Array(n), shape);
    const call = (n: number) =>
      large(vector(n, [n, 1]) as never, vector(n, [1, n]) as never).dataSync()[0];
    expect(call(10)).toBe(100);
    expect(() => call(17_000)).toThrow(DeviceError);
    expect(() => call(17_000)).toThrow(/device 'webgpu': the memory of the device is used up; use a smaller batch/); // biome-ignore format: one line
    expect(call(10)).toBe(100);
  });
});
