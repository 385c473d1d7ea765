import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, ShapeError } from '../../src/core/errors.ts';
import { jit } from '../../src/jit/index.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import { drlResNet } from '../../src/models/drl-resnet.ts';
import { wideResNet } from '../../src/models/wide-resnet.ts';
import { initialise } from '../../src/nn/initialise.ts';
import { countParams, type ParamSpecs } from '../../src/nn/params.ts';
import { powerIteration, spectralKey, spectralNormalise } from '../../src/nn/spectral-norm.ts';
import { drl } from '../../src/objectives/drl.ts';
import { randn } from '../nn/calculus.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const start = (specs: ParamSpecs): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(initialise(specs, 4, 'drl')).map(([k, h]) => [
      k,
      tf.tensor(h.data, [...h.shape]),
    ]),
  );

const SMALL = { width: 4, multipliers: [1, 2], blocks: 1, timeDim: 8, timeHidden: 16 } as const;

describe('drlResNet', () => {
  it('has the number of parameters of the paper', () => {
    const millions = (config: object) => countParams(drlResNet(config).params) / 1e6;
    expect(millions({ blocks: 2 })).toBeCloseTo(9.06, 1);
    expect(millions({ blocks: 8 })).toBeCloseTo(34.83, 1);
    expect(millions({ blocks: 2, multipliers: [1, 2, 2, 2, 4] })).toBeCloseTo(19.2, 0);
  });

  it('normalises every weight but that of the head', () => {
    const { params, spectral } = drlResNet(SMALL);
    const weights = Object.keys(params).filter((k) => k.endsWith('.weight') && k !== 'head.weight');
    expect(Object.keys(spectral).sort()).toEqual(weights.map(spectralKey).sort());
  });
});

describe('spectral normalisation', () => {
  /** diag(3, 1) turned: singular values 3 and 1. */
  const weight = tf.tensor2d([
    [2.4, -0.6],
    [1.8, 0.8],
  ]);
  const iterated = (w: Tensor, n: number) => {
    let u: Record<string, Tensor> = { [spectralKey('w')]: tf.tensor1d([1, 0]) };
    for (let i = 0; i < n; i++) u = powerIteration({ w }, u);
    return u;
  };

  it('divides by the largest singular value once the iteration has converged', () => {
    const { w } = spectralNormalise({ w: weight }, iterated(weight, 30));
    const ratio = tf.div(weight, w).dataSync();
    for (const r of ratio) expect(Math.abs(r - 3)).toBeLessThan(1e-4);
  });

  it('leaves bounded weights alone below 1, and divides them above', () => {
    const bounded = new Set(['w']);
    const small = tf.mul(weight, 0.1);
    const kept = spectralNormalise({ w: small }, iterated(small, 30), bounded);
    expect(Array.from(kept['w'].dataSync())).toEqual(Array.from(small.dataSync()));
    const divided = spectralNormalise({ w: weight }, iterated(weight, 30), bounded);
    expect(Math.abs(divided['w'].dataSync()[0] - 0.8)).toBeLessThan(1e-4);
  });
});

describe('wideResNet', () => {
  it('28-10 has the number of parameters of the PyTorch version', () => {
    expect(countParams(wideResNet().params) / 1e6).toBeCloseTo(39.4, 1);
  });

  it('refuses depths that do not exist and images that its head cannot pool', () => {
    expect(() => wideResNet({ depth: 20 })).toThrow(ConfigError);
    const network = wideResNet({ depth: 10, widen: 1, timeDim: 4, timeHidden: 4 });
    const run = network.bind(start(network.params), { levels: [0] });
    expect(() => run(tf.zeros([1, 3, 16, 16]))).toThrow(ShapeError);
  });
});

describe('drl on images', () => {
  it('steps with spectral norms: vectors of length 1 that follow the weights', () => {
    const network = drlResNet(SMALL);
    const objective = drl({
      batch: 2,
      dataShape: [3, 8, 8],
      chainSteps: 1,
      schedule: { steps: 2 },
      network,
    });
    const noise = Object.fromEntries(
      Object.entries(objective.noise).map(([k, spec]) => [
        k,
        spec.kind === 'integers' ? tf.tensor1d([0, 1], 'int32') : randn(k, spec.shape),
      ]),
    );
    const step = jit(objective.step, { name: 'drl-images' });
    const before = objective.init(1) as never as { spectral: { data: Float32Array } };
    const first = step(before as never, { data: randn('data', [2, 3, 8, 8]) }, noise);
    expect(Number.isFinite(first.metrics['energyLoss'].dataSync()[0])).toBe(true);
    const vectors = first.state.spectral?.dataSync() as Float32Array;
    const norms = Object.keys(network.spectral).length;
    const total = vectors.reduce((s, v) => s + v * v, 0);
    expect(Math.abs(total / norms - 1)).toBeLessThan(1e-4);
    expect(vectors).not.toEqual(before.spectral.data);
    const images = jit((s: never, n: never) => objective.sample?.(s, n) as Tensor);
    const draws = Object.fromEntries(
      Object.entries(objective.sampleNoise?.(2) ?? {}).map(([k, spec]) => [
        k,
        randn(k, spec.shape),
      ]),
    );
    const out = images(first.state as never, draws as never);
    expect(out.shape).toEqual([2, 3, 8, 8]);
    expect(out.dataSync().every(Number.isFinite)).toBe(true);
  });

  it('refuses images without a network for them', () => {
    expect(() => drl({ dataShape: [3, 8, 8] })).toThrow(/pass a network for images/);
  });
});
