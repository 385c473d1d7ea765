import { describe, expect, it } from 'vitest';
import { hostTensor } from '../../src/core/host-tensor.ts';
import { normal, uniform } from '../../src/core/random.ts';
import { jit, type Tensor } from '../../src/jit/index.ts';
import { mnistClassifier } from '../../src/models/mnist-classifier.ts';
import { nice } from '../../src/models/nice.ts';
import { classification } from '../../src/objectives/classification.ts';
import { maximumLikelihood } from '../../src/objectives/maximum-likelihood.ts';
import type { Objective } from '../../src/objectives/objective.ts';
import { mean, variance } from '../nn/calculus.ts';

type Step = (state: unknown, batch: unknown, noise: unknown) => Stepped;
interface Stepped {
  readonly state: unknown;
  readonly metrics: Readonly<Record<string, Tensor>>;
}

const compiled = <S>(objective: Objective<S>) =>
  jit(((s: S, b: { data: Tensor }, n: Record<string, Tensor>) =>
    objective.step(s, b, n)) as never) as unknown as Step;

describe('maximum likelihood', () => {
  const DIM = 4;
  const BATCH = 256;
  const SPREAD = 3;
  const objective = maximumLikelihood({
    density: nice({ dim: DIM, width: 8, layers: 2 }),
    dim: DIM,
    batch: BATCH,
    adam: { learningRate: 2e-2 },
  });
  const data = (step: number) => {
    const draw = normal({ seed: 1, stream: 'data', step }, BATCH * DIM);
    return hostTensor(
      draw.map((v) => SPREAD * v),
      [BATCH, DIM],
    );
  };
  const step = compiled(objective);

  it('finds the entropy of a Gaussian, and its width in the samples', () => {
    let state: unknown = objective.init(0);
    let last = Number.NaN;
    let first = Number.NaN;
    for (let i = 0; i < 250; i++) {
      const result = step(state, { data: data(i) }, {});
      state = result.state;
      last = result.metrics['realEnergy'].dataSync()[0];
      if (i === 0) first = last;
    }
    // E log p at p = N(0, 9 I): minus the differential entropy.
    const truth = -DIM * (0.5 * Math.log(2 * Math.PI * Math.E) + Math.log(SPREAD));
    expect(first).toBeLessThan(truth - 5);
    const energy = jit(((s: never, x: Tensor) => objective.energy!(s, x)) as never);
    const values = (energy as unknown as (s: unknown, x: unknown) => Tensor)(state, data(1000));
    expect(Math.abs(mean(values.dataSync()) - truth)).toBeLessThan(0.4);
    const sample = jit(((s: never, n: never) => objective.sample!(s, n)) as never);
    const y = normal({ seed: 2, stream: 'y', step: 0 }, 1000 * DIM);
    const x = (sample as unknown as (s: unknown, n: unknown) => Tensor)(state, {
      y: hostTensor(y, [1000, DIM]),
    }).dataSync();
    expect(Math.sqrt(variance(x)) / SPREAD).toBeCloseTo(1, 1);
  });

  it('reports the mean log-density before the step', () => {
    const state = objective.init(3);
    const batch = data(5);
    const energy = jit(((s: never, x: Tensor) => objective.energy!(s, x)) as never);
    const values = (energy as unknown as (s: unknown, x: unknown) => Tensor)(state, batch);
    const expected = mean(values.dataSync());
    const { metrics } = step(state, { data: batch }, {});
    expect(metrics['realEnergy'].dataSync()[0] / expected).toBeCloseTo(1, 5);
  });
});

describe('classification', () => {
  it('starts at the loss of a guess and learns a batch by heart', () => {
    const batch = 10;
    const objective = classification({ network: mnistClassifier(), batch });
    const pixels = uniform({ seed: 1, stream: 'pixels', step: 0 }, batch * 784);
    const rows = new Float32Array(batch * 794);
    for (let i = 0; i < batch; i++) {
      rows.set(pixels.subarray(784 * i, 784 * (i + 1)), 794 * i);
      rows[794 * i + 784 + i] = 1;
    }
    const data = hostTensor(rows, [batch, 794]);
    const step = compiled(objective);
    let state: unknown = objective.init(0);
    const seen: Record<string, number>[] = [];
    for (let i = 0; i < 40; i++) {
      const dropout = uniform({ seed: 2, stream: 'dropout', step: i }, batch * 128);
      const result = step(state, { data }, { dropout: hostTensor(dropout, [batch, 128]) });
      state = result.state;
      const { loss, accuracy } = result.metrics;
      seen.push({ loss: loss.dataSync()[0], accuracy: accuracy.dataSync()[0] });
    }
    expect(seen[0]['loss']).toBeCloseTo(Math.log(10), 0);
    expect(seen[39]['loss']).toBeLessThan(0.5 * seen[0]['loss']);
    expect(seen[39]['accuracy']).toBeGreaterThan(0.8);
    expect(seen.every(({ accuracy }) => accuracy >= 0 && accuracy <= 1)).toBe(true);
  });
});
