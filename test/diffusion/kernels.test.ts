import { beforeAll, describe, expect, it } from 'vitest';
import { ShapeError } from '../../src/core/errors.ts';
import {
  diffusePair,
  logForward,
  logForwardGradient,
  qSample,
} from '../../src/diffusion/forward.ts';
import {
  gaussianLogNorm,
  klToStandardNormal,
  reparameterise,
} from '../../src/diffusion/gaussian.ts';
import { gatherLevels, levelTable } from '../../src/diffusion/levels.ts';
import { logPosterior, posteriorCoefficients } from '../../src/diffusion/posterior.ts';
import { reverseChain } from '../../src/diffusion/reverse.ts';
import { noiseSchedule, scheduleConfig } from '../../src/diffusion/schedule.ts';
import { grad } from '../../src/jit/grad.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import { DEFAULT_OPTIONS, ddaebmTable } from '../../src/objectives/ddaebm-config.ts';
import { mean, randn, variance } from '../nn/calculus.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const schedule = noiseSchedule(scheduleConfig('cifar10'));
const posterior = posteriorCoefficients(schedule);
const table = ddaebmTable({ ...schedule, ...posterior }, DEFAULT_OPTIONS, [2]);
const at = (levels: number[]) => gatherLevels(table, tf.tensor1d(levels, 'int32')).at;

describe('levels', () => {
  it('gather every column and the one-hot level of each sample', () => {
    const small = levelTable({ a: [1, 2, 3], b: [10, 20, 30] });
    const { at, select } = gatherLevels(small, tf.tensor1d([2, 0], 'int32'), 4);
    expect(at.a.shape).toEqual([2, 1, 1, 1]);
    expect(Array.from(at.b.dataSync())).toEqual([30, 10]);
    expect(select.arraySync()).toEqual([
      [0, 0, 1],
      [1, 0, 0],
    ]);
    expect(() => levelTable({ a: [1], b: [1, 2] })).toThrow(ShapeError);
  });
});

describe('the forward process', () => {
  it('closes: a pair from level t is a draw from level t + 1', () => {
    const n = 40_000;
    const data = tf.fill([n, 2], 1.7);
    for (const t of [0, 1, 2]) {
      const levels = new Array(n).fill(t);
      const { xNext } = diffusePair(at(levels), data, {
        x: randn(`x${t}`, [n, 2]),
        xNext: randn(`n${t}`, [n, 2]),
      });
      const direct = qSample(at(levels.map((l) => l + 1)), data, randn(`d${t}`, [n, 2]));
      const [a, b] = [xNext.dataSync(), direct.dataSync()];
      const error = Math.sqrt(variance(b) / a.length);
      expect(Math.abs(mean(a) - mean(b))).toBeLessThan(6 * error);
      expect(Math.abs(variance(a) / variance(b) - 1)).toBeLessThan(0.03);
      expect(mean(a)).toBeCloseTo(1.7 * schedule.aCum[t + 1], 1);
    }
  });

  it('has the density of its draws: log q is normalised and peaks at a·x', () => {
    const level = at([1]);
    const density = (y: number) =>
      Math.exp(logForward(level, tf.tensor2d([[0.4, 0]]), tf.tensor2d([[y, 0]])).dataSync()[0]);
    // The second coordinate sits at its mean: divide its peak out.
    const peak = Math.exp(gaussianLogNorm(1, schedule.betas[2]));
    let mass = 0;
    for (let y = -6; y < 6; y += 0.01) mass += (density(y) / peak) * 0.01;
    expect(mass).toBeCloseTo(1, 3);
  });

  it('has the gradient that automatic differentiation finds', () => {
    const level = at([0, 1, 2, 3]);
    const x = randn('x', [4, 2]);
    const xNext = randn('n', [4, 2]);
    const auto = grad((y: Tensor) => tf.sum(logForward(level, y, xNext)))(x).dataSync();
    const ours = logForwardGradient(level, x, xNext).dataSync();
    ours.forEach((v, i) => {
      expect(v).toBeCloseTo(auto[i], 4);
    });
  });

  it('satisfies Bayes: posterior × evidence = prior × likelihood, per sample', () => {
    const t = [1, 2, 3];
    const level = at(t);
    const [x, data, xNext] = ['x', 'd', 'n'].map((s) => randn(s, [3, 2]));
    const gaussian = (r: Tensor, v: number[]) =>
      (r.arraySync() as number[][]).map(
        (row, i) => gaussianLogNorm(2, v[i]) - row.reduce((s, e) => s + e * e, 0) / (2 * v[i]),
      );
    const cum = (k: number[]) => tf.tensor2d(k.map((i) => [schedule.aCum[i]]));
    const prior = gaussian(
      tf.sub(x, tf.mul(data, cum(t))),
      t.map((k) => 1 - schedule.alphaBars[k]),
    );
    const next = t.map((k) => k + 1);
    const evidence = gaussian(
      tf.sub(xNext, tf.mul(data, cum(next))),
      next.map((k) => 1 - schedule.alphaBars[k]),
    );
    const likelihood = logForward(level, x, xNext).dataSync();
    const exact = {
      ...level,
      halfPrecision: level.reconstructionHalfPrecision,
      logNorm: level.reconstructionLogNorm,
    };
    const ours = logPosterior(exact, x, data, xNext).dataSync();
    ours.forEach((value, i) => {
      expect(value + evidence[i]).toBeCloseTo(prior[i] + likelihood[i], 3);
    });
  });

  it('makes R1 on the conditional density that of the energy plus a constant (A11)', () => {
    // E|∇E + ∇log q|² = E|∇E|² + n·a²/β, because the forward noise has mean zero given x_t.
    const n = 200_000;
    const t = 1;
    const level = at([t]);
    const data = tf.mul(randn('data', [n, 2]), 0.5);
    const { x, xNext } = diffusePair(level, data, {
      x: randn('x', [n, 2]),
      xNext: randn('n', [n, 2]),
    });
    const energy = (y: Tensor) => tf.sum(tf.sub(tf.sin(tf.mul(y, 1.3)), tf.mul(tf.square(y), 0.4)));
    const gradient = grad(energy)(x);
    const norm = (g: Tensor) => tf.sum(tf.square(g)).dataSync()[0] / n;
    const conditional = norm(tf.add(gradient, logForwardGradient(level, x, xNext)));
    const constant = (2 * schedule.a[t + 1] ** 2) / schedule.betas[t + 1];
    expect(conditional / (norm(gradient) + constant)).toBeCloseTo(1, 2);
  });
});

describe('Gaussians', () => {
  it('have a divergence of zero from themselves and the textbook one otherwise', () => {
    const kl = klToStandardNormal(
      tf.tensor2d([
        [0, 0],
        [1, 2],
      ]),
      tf.tensor2d([
        [0, 0],
        [Math.log(4), 0],
      ]),
    ).dataSync();
    expect(kl[0]).toBeCloseTo(0, 6);
    expect(kl[1]).toBeCloseTo(0.5 * (1 + 4 + 4 - 1 - Math.log(4)), 5);
  });

  it('reparameterise to the stated mean and variance', () => {
    const n = 20_000;
    const z = reparameterise(
      tf.fill([n, 1], 3),
      tf.fill([n, 1], Math.log(0.25)),
      randn('z', [n, 1]),
    );
    const values = z.dataSync();
    expect(Math.abs(mean(values) - 3)).toBeLessThan((5 * 0.5) / Math.sqrt(n));
    expect(variance(values) / 0.25).toBeCloseTo(1, 1);
  });
});

describe('reverseChain', () => {
  it('returns every state and adds no noise in the last step', () => {
    const steps = schedule.steps;
    const start = randn('s', [3, 2]);
    const noise = randn('n', [steps, 3, 2]);
    const states = reverseChain(posterior, (x) => x, start, noise);
    expect(states).toHaveLength(steps + 1);
    const last = tf.mul(states[steps - 1], posterior.c1[0] + posterior.c2[0]).dataSync();
    states[steps].dataSync().forEach((v, i) => {
      expect(v).toBeCloseTo(last[i], 5);
    });
    expect(() => reverseChain(posterior, (x) => x, start, randn('n', [1, 3, 2]))).toThrow(
      ShapeError,
    );
  });
});
