import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { uniform } from '../../src/core/random.ts';
import { posteriorCoefficients } from '../../src/diffusion/posterior.ts';
import { noiseSchedule } from '../../src/diffusion/schedule.ts';
import { jit } from '../../src/jit/index.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import type { GeneratorNetwork } from '../../src/models/network.ts';
import { ancestralChain } from '../../src/samplers/ancestral.ts';
import { langevin, langevinChain } from '../../src/samplers/langevin.ts';
import { mean, randn, variance } from '../nn/calculus.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const schedule = noiseSchedule({ steps: 4, betaMin: 0.1, betaMax: 20, maxBeta: 0.999 });
const posterior = posteriorCoefficients(schedule, 'image');

/**
 * The exact denoiser of data N(m, s²): x_data | x_{t+1} is Gaussian, and z supplies its spread.
 * With it, ancestral sampling reproduces every q(x_t).
 */
function gaussianDenoiser(m: number, s: number): GeneratorNetwork {
  return {
    params: {},
    buffers: {},
    norms: [],
    idleNorms: [],
    bind: (_params, time) => {
      const t = (time.levels as number[])[0];
      const [a, v] = [schedule.aCum[t + 1], 1 - schedule.alphaBars[t + 1]];
      const spread = 1 / (1 / s ** 2 + a ** 2 / v);
      return (xNext, z) => {
        const centre = tf.add(tf.mul(xNext, (a / v) * spread), (m / s ** 2) * spread);
        return tf.add(centre, tf.mul(z, Math.sqrt(spread)));
      };
    },
  };
}

describe('ancestralChain', () => {
  it('passes through the marginals of the forward process, given the exact denoiser', () => {
    const n = 30_000;
    const [m, s] = [1.5, 0.4];
    const states = ancestralChain(
      posterior,
      gaussianDenoiser(m, s),
      {},
      {
        start: randn('start', [n, 1]),
        z: randn('z', [4, n, 1]),
        posterior: randn('noise', [4, n, 1]),
      },
    );
    expect(states).toHaveLength(5);
    states.forEach((state, i) => {
      const t = 4 - i;
      const values = state.dataSync();
      const exactMean = schedule.aCum[t] * m;
      const exactVariance = schedule.alphaBars[t] * s ** 2 + (1 - schedule.alphaBars[t]);
      // The chain starts from N(0, 1), of which q(x_T) falls short by its signal ᾱ_T = 4e-5.
      const bias = t === 4 ? schedule.aCum[4] * m : 0.01;
      expect(Math.abs(mean(values) - exactMean)).toBeLessThan(
        bias + 5 * Math.sqrt(exactVariance / n),
      );
      // The last step adds no noise, 1e-4 less than q(x_0).
      expect(Math.abs(variance(values) / exactVariance - 1)).toBeLessThan(0.04);
    });
  });

  it('ignores the latents when there are none', () => {
    const noise = {
      start: randn('s', [3, 1]),
      z: randn('z', [4, 3, 1]),
      posterior: tf.zeros([4, 3, 1]),
    };
    const run = (z: Tensor) => {
      const states = ancestralChain(
        posterior,
        gaussianDenoiser(0, 1),
        {},
        { ...noise, z },
        { latent: false },
      );
      return Array.from(states[4].dataSync());
    };
    expect(run(noise.z)).toEqual(run(tf.zeros([4, 3, 1])));
  });
});

describe('langevin', () => {
  const gaussian = (x: Tensor) => tf.mul(tf.sum(tf.square(x), 1), -0.5);
  const chain = (adjusted: boolean, stepSize: number, steps: number, n: number) => {
    const run = jit((start: Tensor, normal: Tensor, uniforms: Tensor) => {
      const noise = { normal, uniform: uniforms };
      const out = langevinChain(langevin({ stepSize, adjusted }), gaussian, start, noise);
      return { x: out.state.x, acceptance: out.acceptance };
    });
    const u = uniform({ seed: 5, stream: 'u', step: 0 }, steps * n);
    const out = run(tf.zeros([n, 1]), randn('l', [steps, n, 1]), tf.tensor2d(u, [steps, n]));
    return { values: out.x.dataSync(), acceptance: out.acceptance.dataSync()[0] };
  };

  it('without adjustment has the variance 1/(1 − ε/4) of its own stationary law', () => {
    // Far from 1, so that a wrong drift or noise factor shows.
    const n = 20_000;
    const { values, acceptance } = chain(false, 1.2, 25, n);
    expect(variance(values) / (1 / (1 - 1.2 / 4))).toBeCloseTo(1, 1);
    expect(Math.abs(variance(values) * (1 - 1.2 / 4) - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
    expect(acceptance).toBe(1);
  });

  it('with adjustment samples the target itself', () => {
    const n = 20_000;
    const { values, acceptance } = chain(true, 1.2, 40, n);
    expect(Math.abs(mean(values))).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(variance(values) - 1)).toBeLessThan(6 * Math.sqrt(2 / n));
    expect(acceptance).toBeGreaterThan(0.5);
    expect(acceptance).toBeLessThan(0.99);
  });

  it('keeps the state of a rejected proposal whole', () => {
    const sampler = langevin({ stepSize: 0.5, adjusted: true });
    const state = sampler.init(gaussian, tf.tensor2d([[0], [0]]));
    // A proposal 40 standard deviations out is rejected, one at the mode accepted.
    const noise = { normal: tf.tensor2d([[60], [0]]), uniform: tf.tensor1d([0.5, 0.5]) };
    const next = sampler.step(gaussian, state, noise);
    expect(Array.from(next.accepted.dataSync())).toEqual([0, 1]);
    expect(next.state.x.dataSync()[0]).toBe(0);
    expect(next.state.gradient.dataSync()[0]).toBeCloseTo(0, 6);
    expect(next.state.logDensity.dataSync()[0]).toBeCloseTo(0, 6);
  });

  it('refuses a step size of nothing and an adjusted step without uniforms', () => {
    expect(() => langevin({ stepSize: 0 })).toThrow(ConfigError);
    const sampler = langevin({ stepSize: 1, adjusted: true });
    const state = sampler.init(gaussian, tf.zeros([1, 1]));
    expect(() => sampler.step(gaussian, state, { normal: tf.zeros([1, 1]) })).toThrow(/uniform/);
  });
});
