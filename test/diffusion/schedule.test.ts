import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import {
  posteriorCoefficients,
  reconstructionVariance,
  recoveryWeights,
} from '../../src/diffusion/posterior.ts';
import { noiseSchedule, scheduleConfig } from '../../src/diffusion/schedule.ts';

/** The table of schedules of the reference sheet, to the digits printed there. */
const TABLE = {
  toy: {
    betas: [1.004495e-5, 5.312693e-3, 1.088098e-2, 1.64181e-2, 2.192422e-2],
    alphaBars: [0.99999, 0.994677, 0.983854, 0.967701, 0.946485],
    variance: [1.002609e-5, 3.587076e-3, 8.207202e-3, 1.323231e-2],
    c1: [0.998118, 0.672126, 0.504199, 0.403014],
    c2: [0.001882, 0.327866, 0.495767, 0.596895],
  },
  mnist: {
    betas: [1.049445e-4, 0.2855227, 0.6146939, 0.7922106, 0.8879425],
    alphaBars: [0.999895, 0.714402, 0.275264, 0.057197, 0.006409],
    variance: [1.049169e-4, 0.2422331, 0.6089754, 0.8425552],
    c1: [0.999685, 0.716886, 0.440853, 0.213729],
    c2: [3.106e-4, 0.2446119, 0.3504054, 0.3176391],
  },
  cifar10: {
    betas: [1.09944e-4, 0.4782553, 0.849206, 0.9564177, 0.9874039],
    alphaBars: [0.99989, 0.5216873, 0.0786673, 0.0034285, 4.3186e-5],
    variance: [1.099308e-4, 0.4408679, 0.8842104, 0.9840611],
    c1: [0.999825, 0.665736, 0.269176, 0.057818],
    c2: [1.66031e-4, 0.2015986, 0.1930025, 0.1118524],
  },
  lsun128: {
    betas: [0, 0.252744, 0.568639, 0.750993, 0.999],
    alphaBars: [1, 0.7472556, 0.3223366, 0.0802641, 8.0264e-5],
    variance: [0, 0.212082, 0.553333, 0.91889],
    c1: [1, 0.725367, 0.463583, 0.283049],
    c2: [0, 0.244956, 0.367669, 0.029087],
  },
};

const close = (ours: ArrayLike<number>, printed: readonly number[]) => {
  expect(ours).toHaveLength(printed.length);
  printed.forEach((p, i) => {
    // Four to seven digits are printed.
    expect(Math.abs(ours[i] - p)).toBeLessThan(2e-4 * Math.abs(p) + 6e-7);
  });
};

describe('noiseSchedule', () => {
  it.each(Object.entries(TABLE))('%s has the published numbers', (name, row) => {
    const s = noiseSchedule(scheduleConfig(name));
    const p = posteriorCoefficients(s);
    close(s.betas, row.betas);
    close(s.alphaBars, row.alphaBars);
    close(p.variance, row.variance);
    close(p.c1, row.c1);
    close(p.c2, row.c2);
  });

  it.each([
    [1, [1.09944e-4, 0.999]],
    [2, [1.09944e-4, 0.921324, 0.999]],
    [
      8,
      [
        1.09944e-4, 0.1564453, 0.3814928, 0.5465011, 0.6674877, 0.7561969, 0.8212398, 0.8689303,
        0.9038977,
      ],
    ],
  ])('for T = %i on CIFAR-10 too', (steps, betas) => {
    close(noiseSchedule({ ...scheduleConfig('cifar10'), steps }).betas, betas);
  });

  it('has cumulative signal 1 − σ²(τ) exactly when nothing is clamped', () => {
    const [min, max] = [0.1, 12];
    const s = noiseSchedule({ steps: 7, betaMin: min, betaMax: max });
    s.times.forEach((t, k) => {
      expect(s.alphaBars[k]).toBeCloseTo(Math.exp(-0.5 * t * t * (max - min) - t * min), 13);
      expect(s.aCum[k] ** 2 + s.sigmaCum[k] ** 2).toBeCloseTo(1, 13);
    });
  });

  it("takes the paper's times with firstTime 0", () => {
    const s = noiseSchedule({ ...scheduleConfig('cifar10'), firstTime: 0 });
    expect(Array.from(s.times)).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(s.betas[0]).toBe(0);
  });

  it('spaces the geometric variance evenly in the logarithm', () => {
    const s = noiseSchedule({ steps: 4, betaMin: 0.01, betaMax: 0.1, variance: 'geometric' });
    const logs = s.alphaBars.map((a) => Math.log(1 - a));
    for (let k = 2; k <= 4; k++) expect(logs[k] - logs[k - 1]).toBeCloseTo(logs[1] - logs[0], 10);
    expect(1 - s.alphaBars[4]).toBeCloseTo(0.1, 12);
  });

  it('refuses what is no schedule', () => {
    expect(() => noiseSchedule({ steps: 0, betaMin: 0.1, betaMax: 1 })).toThrow(ConfigError);
    expect(() => noiseSchedule({ steps: 4, betaMin: 2, betaMax: 1 })).toThrow(/betaMin/);
    expect(() => scheduleConfig('cifar')).toThrow(/did you mean 'cifar10'/);
    expect(() =>
      noiseSchedule({ steps: 1, betaMin: 0.1, betaMax: 1, times: 'first-stage' }),
    ).toThrow(/at least 2/);
  });
});

describe('posteriorCoefficients', () => {
  it('are those of Bayes: precision and mean of the product of the two Gaussians', () => {
    const s = noiseSchedule(scheduleConfig('mnist'));
    const p = posteriorCoefficients(s);
    for (let t = 0; t < s.steps; t++) {
      // q(x_t | x_data) has variance 1−ᾱ_t; q(x_{t+1} | x_t) seen from x_t: β/(1−β).
      const precision = 1 / (1 - s.alphaBars[t]) + (1 - s.betas[t + 1]) / s.betas[t + 1];
      expect(p.variance[t] * precision).toBeCloseTo(1, 11);
      expect((p.c1[t] * precision * (1 - s.alphaBars[t])) / s.aCum[t]).toBeCloseTo(1, 11);
      expect((p.c2[t] * precision * s.betas[t + 1]) / s.a[t + 1]).toBeCloseTo(1, 11);
    }
  });

  it('floors the sampling variance in the image convention only', () => {
    const s = noiseSchedule(scheduleConfig('lsun128'));
    expect(posteriorCoefficients(s, 'toy').logVariance[0]).toBe(Number.NEGATIVE_INFINITY);
    expect(posteriorCoefficients(s, 'image').logVariance[0]).toBeCloseTo(Math.log(1e-4), 12);
  });

  it('floors the reconstruction variance by a number or by that of t = 1', () => {
    const toy = posteriorCoefficients(noiseSchedule(scheduleConfig('toy')));
    close(reconstructionVariance(toy.logVariance, 0.01), [0.01, 0.01, 0.01, 1.323231e-2]);
    const cifar = posteriorCoefficients(noiseSchedule(scheduleConfig('cifar10')), 'image');
    close(
      reconstructionVariance(cifar.logVariance, 'second'),
      [0.4408679, 0.4408679, 0.8842104, 0.9840611],
    );
  });
});

describe('recoveryWeights', () => {
  it('pass through the two given points', () => {
    const [half, one] = recoveryWeights([0.5, 1], 0.6, 0.2);
    expect(half).toBeCloseTo(0.2, 12);
    expect(one).toBeCloseTo(0.6, 12);
    expect(Array.from(recoveryWeights([0.1, 0.7], 1, 1))).toEqual([1, 1]);
  });

  it('are those of LSUN at its times', () => {
    const s = noiseSchedule(scheduleConfig('lsun128'));
    close(recoveryWeights(s.times, 0.6, 0.2).slice(1), [0.034893, 0.10468, 0.199049, 0.6]);
  });
});
