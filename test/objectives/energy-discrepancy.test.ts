import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { grad, jit } from '../../src/jit/index.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import { mlp } from '../../src/models/mlp.ts';
import { countParams } from '../../src/nn/params.ts';
import {
  contrastiveDivergence,
  contrastiveDivergenceObjective,
} from '../../src/objectives/contrastive-divergence.ts';
import {
  energyDiscrepancy,
  energyDiscrepancyObjective,
  varianceOfScale,
} from '../../src/objectives/energy-discrepancy.ts';
import type { Batch, Noise, Objective } from '../../src/objectives/objective.ts';
import {
  denoisingScoreMatching,
  scoreMatching,
  scoreMatchingObjective,
  slicedScoreMatching,
} from '../../src/objectives/score-matching.ts';
import { densityNetwork, type SingleEnergyState } from '../../src/objectives/single-energy.ts';
import { directionalGap, randn } from '../nn/calculus.ts';
import { blobs, lift, noiseAt } from './helpers.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const number = (t: Tensor) => t.dataSync()[0];
/** U(x) = ½Σ k_i x_i². */
const quadratic = (k: Tensor) => (x: Tensor) => tf.mul(tf.sum(tf.mul(tf.square(x), k), 1), 0.5);
const noiseFor = (n: number, m: number, dim: number) => ({
  shared: randn('shared', [n, dim]),
  particles: randn('particles', [n, m, dim]),
});

describe('energyDiscrepancy', () => {
  it('is log((w + M)/M) for a constant energy, whatever the noise', () => {
    const flat = (x: Tensor) => tf.mul(tf.sum(x, 1), 0);
    for (const [w, m] of [
      [1, 4],
      [0.1, 16],
      [0, 3],
    ]) {
      const config = { variance: 2, stabiliser: w, normalised: true };
      const loss = energyDiscrepancy(flat, randn('x', [5, 2]), noiseFor(5, m, 2), config);
      expect(number(loss)).toBeCloseTo(Math.log((w + m) / m), 5);
    }
  });

  it('with one particle and w = 1 is a softplus of the energy gap', () => {
    const energy = quadratic(tf.tensor1d([1, 2]));
    const x = randn('x', [6, 2]);
    const noise = noiseFor(6, 1, 2);
    const moved = tf.add(tf.add(x, noise.shared), tf.reshape(noise.particles, [6, 2]));
    const expected = tf.mean(tf.softplus(tf.sub(energy(x), energy(moved))));
    const loss = energyDiscrepancy(energy, x, noise, { variance: 1 });
    expect(number(loss)).toBeCloseTo(number(expected), 5);
  });

  it('tends to score matching as the noise goes to zero', () => {
    const k = tf.tensor1d([1.5, 0.7]);
    const [n, m, t] = [2000, 64, 4e-3];
    const x = randn('x', [n, 2]);
    // Antithetic in both perturbations: the terms of order √t cancel exactly.
    const shared = randn('s', [n / 2, 2]);
    const half = randn('p', [n / 2, m / 2, 2]);
    const both = tf.concat([half, tf.neg(half)], 1);
    const noise = {
      shared: tf.concat([shared, tf.neg(shared)]),
      particles: tf.concat([both, both]),
    };
    const data = tf.concat([x.slice([0, 0], [n / 2, 2]), x.slice([0, 0], [n / 2, 2])]);
    const config = { variance: t, stabiliser: 0, normalised: true };
    const discrepancy = number(energyDiscrepancy(quadratic(k), data, noise, config)) / t;
    const matching = number(scoreMatching(quadratic(k), data));
    expect(Math.abs(discrepancy - matching)).toBeLessThan(0.08);
  });

  it('is least at the energy of the data, among Gaussians', () => {
    const x = randn('x', [4000, 1]);
    const noise = noiseFor(4000, 16, 1);
    const at = (k: number) =>
      number(energyDiscrepancy(quadratic(tf.tensor1d([k])), x, noise, { variance: 1 }));
    expect(at(1)).toBeLessThan(at(0.6));
    expect(at(1)).toBeLessThan(at(1.6));
  });

  it('has the gradient of its value', () => {
    const x = randn('x', [10, 2]);
    const noise = noiseFor(10, 4, 2);
    const loss = (k: Tensor) => energyDiscrepancy(quadratic(k), x, noise, { variance: 0.5 });
    const k = tf.tensor1d([1, 2]);
    expect(directionalGap(loss, grad(loss)(k), k)).toBeLessThan(3e-3);
  });

  it('takes the noise scale of the density experiment as its square', () => {
    expect(varianceOfScale(50)).toBe(2500);
  });
});

describe('score matching', () => {
  const k = () => tf.tensor1d([1.5, 0.7]);

  it('is ½Σk²x² − Σk for a quadratic energy', () => {
    const x = tf.tensor2d([
      [1, 2],
      [0, -1],
    ]);
    const expected = (0.5 * (2.25 + 4 * 0.49) + 0.5 * 0.49) / 2 - 2.2;
    expect(number(scoreMatching(quadratic(k()), x))).toBeCloseTo(expected, 5);
  });

  it('sliced in the coordinate directions has the same trace', () => {
    const x = tf.tensor2d([[0.5, -1]]);
    const along = (v: number[]) => number(slicedScoreMatching(quadratic(k()), x, tf.tensor2d([v])));
    const half = 0.5 * ((1.5 * 0.5) ** 2 + 0.7 ** 2);
    expect(along([1, 0]) + along([0, 1]) - half).toBeCloseTo(
      number(scoreMatching(quadratic(k()), x)),
      5,
    );
  });

  it('denoising is least at the energy of the blurred data', () => {
    const n = 20_000;
    const sigma = 0.5;
    const x = randn('x', [n, 1]);
    const noise = randn('e', [n, 1]);
    const at = (c: number) =>
      number(denoisingScoreMatching(quadratic(tf.tensor1d([c])), x, noise, sigma));
    const best = 1 / (1 + sigma ** 2);
    expect(at(best)).toBeLessThan(at(best + 0.1));
    expect(at(best)).toBeLessThan(at(best - 0.1));
  });

  it('differentiates a third time, in the parameters of a network', () => {
    const net = mlp({ widths: [2, 6, 6, 1], activation: 'softplus' });
    const w = randn('w', [6, 6]);
    const rest = Object.fromEntries(
      Object.entries(net.params).map(([key, s]) => [key, randn(key, s.shape)]),
    );
    const x = randn('x', [8, 2]);
    const loss = (v: Tensor) =>
      scoreMatching((y) => net.apply({ ...rest, 'layers.1.weight': v }, y).reshape([-1]), x);
    expect(directionalGap(loss, grad(loss)(w), w, 1e-2)).toBeLessThan(2e-2);
  });
});

describe('contrastiveDivergence', () => {
  it('contrasts the data with where the chain takes them', () => {
    const config = { stepSize: 0.01, regularisation: 0 };
    // No noise: pure descent of ½kx², five steps of factor 1 − ½εk.
    const loss = contrastiveDivergence(
      quadratic(tf.tensor1d([2])),
      tf.tensor2d([[1], [3]]),
      tf.zeros([5, 2, 1]),
      config,
    );
    const shrink = (1 - 0.01) ** 10;
    expect(number(loss)).toBeCloseTo((1 - shrink) * 5, 4);
  });

  it('does not differentiate through the chain', () => {
    const x = tf.tensor2d([[1], [2]]);
    const noise = randn('c', [3, 2, 1]);
    const config = { stepSize: 0.1, regularisation: 0.3 };
    const k = tf.tensor1d([1.3]);
    const loss = (v: Tensor) => contrastiveDivergence(quadratic(v), x, noise, config);
    // The end of the chain, computed once, held fixed.
    let end: Tensor = x;
    for (const row of tf.unstack(noise)) {
      end = tf.add(tf.sub(end, tf.mul(end, 0.05 * 1.3)), tf.mul(row, Math.sqrt(0.1)));
    }
    const fixed = (v: Tensor) => {
      const [p, q] = [quadratic(v)(x), quadratic(v)(end)];
      return tf.add(
        tf.mean(tf.sub(p, q)),
        tf.mul(tf.mean(tf.add(tf.square(p), tf.square(q))), 0.3),
      );
    };
    expect(number(grad(loss)(k))).toBeCloseTo(number(grad(fixed)(k)), 4);
  });
});

describe('the density objectives', () => {
  it('use a network of 50,049 parameters', () => {
    expect(countParams(densityNetwork().params)).toBe(50_049);
  });

  const network = () => mlp({ widths: [2, 32, 32, 1], activation: 'softplus' });
  const common = { batch: 64, adam: { learningRate: 5e-3 }, ema: 0.9 };
  const METHODS: Record<string, () => Objective<SingleEnergyState>> = {
    'energy discrepancy': () =>
      energyDiscrepancyObjective({ ...common, network: network(), variance: 0.25 }),
    'score matching': () => scoreMatchingObjective({ ...common, network: network() }),
    'contrastive divergence': () =>
      contrastiveDivergenceObjective({ ...common, network: network(), stepSize: 0.05 }),
  };

  it.each(Object.entries(METHODS))('%s learns where the data are', (_, build) => {
    const objective = build();
    const step = jit((s: SingleEnergyState, b: Batch, n: Noise) => objective.step(s, b, n), {
      donate: [0],
    });
    type Args = Parameters<typeof step>;
    let state = objective.init(1) as unknown as SingleEnergyState;
    for (let k = 0; k < 400; k++) {
      state = step(
        state as unknown as Args[0],
        { data: blobs(64, k) } as unknown as Args[1],
        noiseAt(objective.noise, k) as unknown as Args[2],
      ).state;
    }
    const at = (x: Tensor) => number(tf.mean(objective.energy?.(state, x) as Tensor));
    const data = at(lift<Tensor>(blobs(100, 777)));
    for (const far of [
      [2.5, 2.5],
      [-2.5, 2.5],
      [0, -3],
    ]) {
      expect(data).toBeGreaterThan(at(tf.tensor2d([far])) + 0.5);
    }
  });

  it('refuse a variance of nothing', () => {
    expect(() => energyDiscrepancyObjective({ variance: 0 })).toThrow(ConfigError);
    expect(() => energyDiscrepancyObjective({ variance: 1, stabiliser: -1 })).toThrow(/stabiliser/);
  });
});
