import { hostTensor } from '../../src/core/host-tensor.ts';
import { type Key, normal } from '../../src/core/random.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import type { Objective } from '../../src/objectives/objective.ts';

export interface GaussianState {
  readonly mean: Tensor;
  readonly moments: readonly Tensor[];
}

export interface GaussianOptions {
  readonly rate?: number;
  /** From this iteration on the loss is NaN. */
  readonly nanFrom?: number;
  /** From this iteration on the state is NaN while the loss stays finite. */
  readonly nanStateFrom?: number;
}

/** A tiny objective: the mean of a Gaussian by noisy gradient steps with momentum. */
export function gaussian(options: GaussianOptions = {}): Objective<GaussianState> {
  const { rate = 0.05, nanFrom = Infinity, nanStateFrom = Infinity } = options;
  return {
    name: 'gaussian',
    batchShape: [8, 2],
    noise: {
      jitter: { kind: 'normal', shape: [2] },
      scale: { kind: 'uniform', shape: [] },
      level: { kind: 'integers', shape: [8], high: 4 },
    },
    init: (seed) => ({
      mean: hostTensor(normal({ seed, stream: 'gaussian/init', step: 0 }, 2), [2]),
      moments: [hostTensor(new Float32Array(2), [2]), hostTensor(Int32Array.of(0), [])],
    }),
    step({ mean, moments: [velocity, count] }, { data }, { jitter, scale, level }) {
      const gradient = tf.sub(mean, tf.mean(data, 0));
      const noisy = tf.add(gradient, tf.mul(jitter, tf.mul(scale, 0.01)));
      const moved = tf.add(tf.mul(velocity, 0.9), tf.mul(noisy, 0.1));
      const done = tf.add(count, tf.scalar(1, 'int32'));
      const poison = (from: number) =>
        tf.where(tf.greaterEqual(done, from), tf.scalar(Number.NaN), tf.scalar(0));
      const loss = tf.add(tf.sum(tf.square(gradient)), poison(nanFrom));
      const next = tf.add(tf.sub(mean, tf.mul(moved, rate)), poison(nanStateFrom));
      return {
        state: { mean: next as Tensor, moments: [moved, done] as const },
        metrics: { loss: loss as Tensor, level: tf.mean(tf.cast(level, 'float32')) },
      };
    },
  };
}

/** Eight points around (1, -2). */
export function gaussianBatch(key: Key) {
  const z = normal(key, 16);
  return hostTensor(
    z.map((v, i) => v * 0.5 + (i % 2 === 0 ? 1 : -2)),
    [8, 2],
  );
}
