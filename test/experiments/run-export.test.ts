import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import type { HostTensor } from '../../src/core/host-tensor.ts';
import { normal } from '../../src/core/random.ts';
import { readSafetensors, toHostTensor } from '../../src/core/safetensors.ts';
import { cifar10Config, cifar10Objective } from '../../src/experiments/cifar10-config.ts';
import { exportEnergy, exportNetworks, exportSampler } from '../../src/experiments/run-export.ts';
import { lastState, runObjective } from '../../src/experiments/run-objective.ts';
import { toyConfig, toyObjective } from '../../src/experiments/toy-config.ts';
import { exportOnnx, jit, type Tensor } from '../../src/jit/index.ts';
import { tf } from '../../src/jit/tf.ts';
import type { HostState, Objective } from '../../src/objectives/objective.ts';
import { drawNoise } from '../../src/train/noise.ts';

/** Runs a model with the package's own binding: another program than ours. */
async function runModel(model: Uint8Array, feeds: Readonly<Record<string, HostTensor>>) {
  const session = await InferenceSession.create(model);
  expect([...session.inputNames].sort()).toEqual(Object.keys(feeds).sort());
  const tensors = Object.fromEntries(
    Object.entries(feeds).map(([name, { data, shape }]) => [
      name,
      new OrtTensor('float32', data as Float32Array, [...shape]),
    ]),
  );
  return session.run(tensors);
}

/** The state after an average has started that differs from the parameters. */
function withAverage(state: HostState): HostState {
  const part = (name: string, p: { params: HostTensor; ema?: unknown }) =>
    p.ema === undefined
      ? p
      : {
          ...p,
          ema: {
            started: { ...p.params, data: Float32Array.of(1), shape: [] },
            average: {
              ...p.params,
              data: normal({ seed: 0, stream: name, step: 0 }, p.params.data.length).map(
                (z, i) => p.params.data[i] + 0.02 * z,
              ),
            },
          },
        };
  return Object.fromEntries(
    Object.entries(state as unknown as Record<string, { params: HostTensor }>).map(([n, p]) => [
      n,
      part(n, p),
    ]),
  ) as unknown as HostState;
}

const sampled = (objective: Objective, state: HostState, noise: unknown) =>
  (
    jit((s: unknown, z: never) => objective.sample!(s, z)) as unknown as (
      s: unknown,
      z: unknown,
    ) => Tensor
  )(state, noise);

const largest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((m, v, i) => Math.max(m, Math.abs(v - b[i])), 0);

describe('a sampler as an ONNX model', () => {
  for (const [name, objective] of [
    ['toy', toyObjective(toyConfig({ preset: 'smoke' }))],
    ['cifar10', cifar10Objective(cifar10Config('smoke'))],
  ] as [string, Objective][]) {
    it(`of ${name} gives the samples of the run, with the averages`, async () => {
      const state = withAverage(objective.init(1));
      const noise = drawNoise(objective.sampleNoise!(4), { seed: 2, stream: 'x', step: 0 });
      const model = exportSampler({ objective, state }, 4);
      const { samples } = await runModel(model, noise as Record<string, HostTensor>);
      const expected = sampled(objective, state, noise);
      expect(samples.dims).toEqual(expected.shape);
      expect(largest(samples.data as Float32Array, expected.dataSync())).toBeLessThan(1e-4);
      // One copy of the averages: neither the parameters nor the moments of the optimiser.
      const { data } = (state as unknown as { generator: { params: HostTensor } }).generator.params;
      expect(model.length).toBeLessThan(1.5 * 4 * data.length + 400_000);
      expect(Buffer.from(model).includes('com.microsoft')).toBe(false);
    });
  }

  it('and an energy gives the energies', async () => {
    const objective = cifar10Objective(cifar10Config('smoke')) as unknown as Objective;
    const state = objective.init(1);
    const data = normal({ seed: 3, stream: 'x', step: 0 }, 2 * 3072);
    const x: HostTensor = { data, shape: [2, 3, 32, 32], dtype: 'float32' };
    const { energy } = await runModel(exportEnergy({ objective, state }, 2), { x });
    const run = jit((s: unknown, v: Tensor) => objective.energy!(s, v, 0)) as unknown as (
      s: unknown,
      v: unknown,
    ) => Tensor;
    const expected = run(state, x).dataSync();
    expect(largest(energy.data as Float32Array, expected)).toBeLessThan(
      1e-5 * Math.abs(expected[0]),
    );
  });

  it('turns operands of batched products with operators of the standard', async () => {
    const a: HostTensor = {
      data: normal({ seed: 1, stream: 'a', step: 0 }, 24),
      shape: [2, 4, 3],
      dtype: 'float32',
    };
    const model = exportOnnx(
      (_, { x }) => ({ y: tf.matMul(x as tf.Tensor3D, x as tf.Tensor3D, true, false) }),
      {},
      { inputs: { x: a } },
    );
    const { y } = await runModel(model, { x: a });
    const x = tf.tensor(a.data, [2, 4, 3]) as tf.Tensor3D;
    expect(largest(y.data as Float32Array, tf.matMul(x, x, true, false).dataSync())).toBeLessThan(
      1e-5,
    );
  });
});

describe('networks in safetensors', () => {
  const objective = toyObjective(toyConfig({ preset: 'smoke' })) as unknown as Objective;

  it('have the keys of PyTorch, one network or all', () => {
    const state = objective.init(0);
    const bytes = (network?: string) =>
      Buffer.concat(exportNetworks({ objective, state }, network ? { network } : {}));
    const all = readSafetensors(bytes()).tensors;
    const one = readSafetensors(bytes('netG')).tensors;
    expect([...one.keys()]).toContain('net.layers.0.weight');
    const dict = objective.exportNetworks!(state)['netG'];
    expect([...one.keys()].sort()).toEqual(Object.keys(dict).sort());
    for (const [key, tensor] of one) {
      expect(toHostTensor(tensor).data).toEqual(dict[key].data);
      expect(all.has(`netG.${key}`)).toBe(true);
    }
  });

  it('are named in errors', () => {
    const state = objective.init(0);
    expect(() => exportNetworks({ objective, state }, { network: 'netQ' })).toThrow(
      /unknown network 'netQ'.*netG/,
    );
    expect(() => runObjective('ed-density', {})).toThrow(/have no networks to take out/);
    expect(() => exportSampler({ objective, state }, 0)).toThrow(/positive number, got 0/);
    expect(() => lastState(objective, '/nonexistent', 0)).toThrow(/no checkpoint of the run/);
  });
});
