import { describe, expect, it } from 'vitest';
import { hostTensor } from '../../src/core/host-tensor.ts';
import { normal } from '../../src/core/random.ts';
import { grad } from '../../src/jit/grad.ts';
import { jit, type Tensor } from '../../src/jit/index.ts';
import { tf } from '../../src/jit/tf.ts';
import { cifarClassifier } from '../../src/models/cifar-classifier.ts';
import { initialise } from '../../src/nn/initialise.ts';
import type { Params } from '../../src/nn/params.ts';
import { imageClassification } from '../../src/objectives/image-classification.ts';

const network = cifarClassifier({ widths: [2, 3, 4, 5] });
const images = hostTensor(normal({ seed: 1, stream: 'images', step: 0 }, 4 * 3072), [4, 3, 32, 32]);

describe('classifier of CIFAR-10', () => {
  const params = initialise(network.params, 0, 'test');
  const tensors = () =>
    Object.fromEntries(
      Object.entries(params).map(([k, p]) => [k, tf.tensor(p.data, [...p.shape])]),
    ) as Params;
  const x = () => tf.tensor(images.data, [4, 3, 32, 32]);

  it('gives the same features with the statistics of the batch as running statistics', () => {
    const collect: Record<string, Tensor> = {};
    const inBatch = network.embed(tensors(), x(), { kind: 'batch', collect });
    expect(Object.keys(collect)).toHaveLength(2 * network.norms.length);
    // The collected variance is the unbiased one, which differs by n/(n − 1).
    const buffers = Object.fromEntries(
      Object.entries(collect).map(([key, value]) => {
        if (!key.endsWith('_var')) return [key, value];
        const side = key.startsWith('stem') ? 32 : 32 / 2 ** Number(key['stage'.length]);
        const n = 4 * side * side;
        return [key, tf.mul(value, (n - 1) / n)];
      }),
    );
    const running = network.embed(tensors(), x(), { kind: 'running', buffers });
    expect(running.shape).toEqual([4, 5]);
    const error = tf.max(tf.abs(tf.sub(running, inBatch))).dataSync()[0];
    expect(error).toBeLessThan(1e-4);
  });

  it('has the gradient of finite differences', () => {
    const key = 'stage1.down.conv.weight';
    const loss = (weight: Tensor) =>
      tf.sum(tf.sin(network.embed({ ...tensors(), [key]: weight }, x(), { kind: 'batch' })));
    const weight = tensors()[key];
    const direction = tf.tensor(
      normal({ seed: 2, stream: 'direction', step: 0 }, weight.size),
      weight.shape,
    );
    const slope = tf.sum(tf.mul(grad(loss)(weight), direction)).dataSync()[0];
    const at = (h: number) => loss(tf.add(weight, tf.mul(direction, h))).dataSync()[0];
    const h = 2e-4;
    expect(Math.abs((at(h) - at(-h)) / (2 * h) - slope)).toBeLessThan(
      0.05 * Math.abs(slope) + 0.02,
    );
  });

  it('learns to tell two kinds of images apart', () => {
    const objective = imageClassification({ network, batch: 4, adam: { learningRate: 0.02 } });
    const step = jit(objective.step, { donate: [0] }) as unknown as (
      state: unknown,
      batch: unknown,
      noise: unknown,
    ) => { state: unknown; metrics: Record<string, Tensor> };
    const rows = new Float32Array(4 * 3082);
    for (let i = 0; i < 4; i++) {
      rows.set(images.data.subarray(i * 3072, (i + 1) * 3072), i * 3082);
      rows[i * 3082 + 3072 + (i % 2)] = 1;
    }
    let state: unknown = objective.init(0);
    let accuracy = 0;
    for (let k = 0; k < 30; k++) {
      const after = step(state, { data: hostTensor(rows, [4, 3082]) }, {});
      state = after.state;
      accuracy = after.metrics['accuracy'].dataSync()[0];
    }
    expect(accuracy).toBe(1);
  });

  it('refuses a smoothing that is no share', () => {
    expect(() => imageClassification({ network, smoothing: 1 })).toThrow(/smoothing must be in/);
  });
});
