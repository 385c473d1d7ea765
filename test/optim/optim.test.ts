import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, ShapeError } from '../../src/core/errors.ts';
import { type HostTensor, hostTensor } from '../../src/core/host-tensor.ts';
import { normal } from '../../src/core/random.ts';
import { grad } from '../../src/jit/grad.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import { type AdamState, adam } from '../../src/optim/adam.ts';
import { type EmaState, emaInit, emaStep } from '../../src/optim/ema.ts';
import { flatLayout, pack, packTensors, unpack, unpackHost } from '../../src/optim/flat.ts';
import { cosineAnnealing, exponential, stepwise } from '../../src/optim/schedules.ts';
import { type SgdState, sgd } from '../../src/optim/sgd.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const toTensors = <S>(state: object) =>
  Object.fromEntries(
    Object.entries(state as Record<string, HostTensor>).map(([k, v]) => [
      k,
      tf.tensor(v.data, [...v.shape]),
    ]),
  ) as S;

describe('flat', () => {
  const layout = flatLayout({ w: [2, 3], b: [3], s: [] });
  const params = {
    w: hostTensor(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]),
    b: hostTensor(Float32Array.of(7, 8, 9), [3]),
    s: hostTensor(Float32Array.of(10), []),
  };

  it('packs in the order of the layout and unpacks to the same', () => {
    const flat = pack(layout, params);
    expect(Array.from(flat)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(unpackHost(layout, flat)).toEqual(params);
    const tensors = unpack(layout, tf.tensor1d(flat));
    expect(tensors['w'].shape).toEqual([2, 3]);
    expect(Array.from(packTensors(layout, tensors).dataSync())).toEqual(Array.from(flat));
  });

  it('carries gradients back to the vector, zero for what is not used', () => {
    const flat = tf.tensor1d(pack(layout, params));
    const g = grad((x: Tensor) => tf.sum(tf.mul(unpack(layout, x)['b'], 3)))(flat);
    expect(Array.from(g.dataSync())).toEqual([0, 0, 0, 0, 0, 0, 3, 3, 3, 0]);
  });

  it('refuses parameters of another network', () => {
    expect(() => pack(layout, { ...params, b: params.w })).toThrow(ShapeError);
    expect(() => pack(layout, { ...params, x: params.b })).toThrow(/'x'/);
    expect(() => pack(layout, { w: params.w, s: params.s })).toThrow(/'b'.*nothing/);
    expect(() => unpackHost(layout, new Float32Array(3))).toThrow(ShapeError);
  });
});

describe('adam', () => {
  it('follows the textbook recursion in float64', () => {
    const n = 5;
    const [lr, b1, b2, eps] = [1e-2, 0.8, 0.95, 1e-8];
    const rule = adam({ learningRate: lr, betas: [b1, b2] });
    let state = toTensors<AdamState>(rule.init(n));
    let params: Tensor = tf.zeros([n]);
    const [p, m, v] = [0, 0, 0].map(() => new Float64Array(n));
    for (let k = 1; k <= 50; k++) {
      const g = normal({ seed: 1, stream: 'g', step: k }, n);
      ({ params, state } = rule.step(state, params, tf.tensor1d(g)));
      for (let i = 0; i < n; i++) {
        m[i] = b1 * m[i] + (1 - b1) * g[i];
        v[i] = b2 * v[i] + (1 - b2) * g[i] ** 2;
        p[i] -= (lr * (m[i] / (1 - b1 ** k))) / (Math.sqrt(v[i] / (1 - b2 ** k)) + eps);
      }
    }
    params.dataSync().forEach((x, i) => {
      expect(Math.abs(x - p[i])).toBeLessThan(2e-6);
    });
  });

  it('takes a first step of the learning rate against the sign of any gradient', () => {
    const rule = adam({ learningRate: 1e-3, betas: [0, 0.9] });
    const g = tf.tensor1d([1e-4, -50, 0]);
    const { params } = rule.step(toTensors(rule.init(3)), tf.zeros([3]), g);
    const [a, b, c] = params.dataSync();
    expect(a).toBeCloseTo(-1e-3, 6);
    expect(b).toBeCloseTo(1e-3, 8);
    expect(Math.abs(c)).toBe(0);
  });

  it('keeps the second moment of a dead parameter out of the denormal range', () => {
    const rule = adam({ learningRate: 1e-3, betas: [0, 0.5] });
    let state = toTensors<AdamState>(rule.init(1));
    let params: Tensor = tf.ones([1]);
    for (let k = 0; k < 200; k++) {
      const g = tf.fill([1], k === 0 ? 1 : 0);
      ({ params, state } = rule.step(state, params, g));
    }
    const v = state.v.dataSync()[0];
    expect(v).toBeGreaterThan(1.2e-38);
    expect(v).toBeLessThan(1e-20);
    expect(params.dataSync()[0]).toBeCloseTo(1 - 1e-3, 6);
  });

  it('decays weights through the gradient, so that at zero gradient they shrink by the rate', () => {
    const rule = adam({ learningRate: 0.1, weightDecay: 0.5 });
    const { params } = rule.step(toTensors(rule.init(2)), tf.tensor1d([2, -4]), tf.zeros([2]));
    expect(Array.from(params.dataSync())).toEqual([
      expect.closeTo(1.9, 5),
      expect.closeTo(-3.9, 5),
    ]);
  });

  it('with amsgrad never forgets its largest second moment', () => {
    const rule = adam({ learningRate: 1e-3, betas: [0, 0.5], amsgrad: true });
    let state = toTensors<AdamState>(rule.init(1));
    for (const g of [10, 0, 0]) ({ state } = rule.step(state, tf.zeros([1]), tf.fill([1], g)));
    expect((state.vMax as Tensor).dataSync()[0]).toBeCloseTo(50, 4);
    expect(state.v.dataSync()[0]).toBeCloseTo(12.5, 4);
  });

  it('refuses impossible settings', () => {
    expect(() => adam({ learningRate: 1e-3, betas: [1, 0.9] })).toThrow(ConfigError);
    expect(() => adam({ learningRate: -1 })).toThrow(/learningRate/);
  });
});

describe('sgd', () => {
  it('accumulates velocity as PyTorch does', () => {
    const rule = sgd({ learningRate: 0.1, momentum: 0.5 });
    let state = toTensors<SgdState>(rule.init(1));
    let params: Tensor = tf.zeros([1]);
    for (let k = 0; k < 3; k++) ({ params, state } = rule.step(state, params, tf.ones([1])));
    // Velocities 1, 1.5, 1.75.
    expect(params.dataSync()[0]).toBeCloseTo(-0.425, 6);
    expect(() => sgd({ learningRate: 1, momentum: 1 })).toThrow(ConfigError);
  });
});

describe('emaStep', () => {
  it('copies at first, then averages', () => {
    let state = toTensors<EmaState>(emaInit(1));
    const seen: number[] = [];
    for (const p of [2, 4, 8]) {
      state = emaStep(0.75, state, tf.tensor1d([p]));
      seen.push(state.average.dataSync()[0]);
    }
    expect(seen).toEqual([2, 2.5, 3.875]);
    expect(() => emaStep(1.5, state, tf.zeros([1]))).toThrow(ConfigError);
  });
});

describe('learning-rate schedules', () => {
  it('anneal from the rate to the minimum, through their mean half way', () => {
    const rate = cosineAnnealing(1e-4, 100, 1e-5);
    expect(rate(0)).toBeCloseTo(1e-4, 12);
    expect(rate(50)).toBeCloseTo(5.5e-5, 12);
    expect(rate(100)).toBeCloseTo(1e-5, 12);
    for (let e = 0; e < 100; e++) expect(rate(e + 1)).toBeLessThan(rate(e));
    expect(() => cosineAnnealing(1e-4, 0)).toThrow(ConfigError);
  });

  it('decay by a factor, each epoch or at milestones', () => {
    expect(exponential(2, 0.5)(3)).toBe(0.25);
    expect([0, 4, 5, 9, 10].map(stepwise(1, [5, 10], 0.1))).toEqual([
      1,
      1,
      0.1,
      0.1,
      expect.closeTo(0.01, 12),
    ]);
  });
});
