import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { recoverySchedule } from '../../src/diffusion/recovery.ts';
import { subVp } from '../../src/diffusion/sub-vp.ts';
import { tf } from '../../src/jit/tf.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const close = (ours: ArrayLike<number>, printed: readonly number[], relative: number) => {
  expect(ours).toHaveLength(printed.length);
  printed.forEach((p, i) => {
    expect(Math.abs(ours[i] - p)).toBeLessThan(relative * Math.abs(p) + 6e-7);
  });
};

describe('recoverySchedule', () => {
  it('has the published numbers of T6', () => {
    const s = recoverySchedule();
    close(s.a, [0.99995, 0.946167, 0.85629, 0.774796, 0.700918, 0.633956, 0.022776], 1e-4);
    close(s.sigma, [0.01, 0.32368, 0.516495, 0.632211, 0.713242, 0.773369, 0.999741], 1e-5);
    close(s.sigmaCum, [0.01, 0.323818, 0.586219, 0.778453, 0.898013, 0.960314, 0.99998], 1e-5);
    close(s.stepFactor, [1, 32.3818, 58.6219, 77.8453, 89.8013, 96.0314], 1e-5);
    close(
      s.stepVariance.map(Math.sqrt),
      [4.5775e-3, 4.1565e-2, 6.8455e-2, 8.8996e-2, 0.10364, 0.13855],
      1e-4,
    );
    close(s.weight, [1, 0.6267, 0.512, 0.4538, 0.4185, 0.3238], 2e-4);
    expect(s.scale[5]).toBe(1);
    expect(s.tether[5]).toBe(0);
  });

  it('pulls a chain of 30 steps by the shares of the reference', () => {
    const s = recoverySchedule();
    const share = s.tether.slice(0, 5).map((k) => 1 - (1 - k) ** 30);
    close(share, [0.003, 0.093, 0.162, 0.209, 0.237], 0.01);
  });

  it('refuses numbers of levels that the rule cannot cut', () => {
    expect(() => recoverySchedule({ steps: 1 })).toThrow(ConfigError);
    expect(() => recoverySchedule({ steps: 1000 })).toThrow(/2\.\.500/);
  });
});

describe('subVp', () => {
  it('has the importance weight of the reference', () => {
    expect(subVp().importanceTotal).toBeCloseTo(28.281, 2);
  });

  it('draws times whose cumulative weight is uniform', () => {
    const d = subVp();
    const u = [0.05, 0.3, 0.6, 0.95];
    const { t, signal, std } = d.importanceTimes(tf.tensor1d(u));
    const weight = (time: number) => 2 * Math.log(Math.sinh(d.integral(time) / 2));
    t.dataSync().forEach((time, i) => {
      expect((weight(time) - weight(1e-3)) / d.importanceTotal).toBeCloseTo(u[i], 3);
      const b = d.integral(time);
      expect(signal.dataSync()[i]).toBeCloseTo(Math.exp(-b / 2), 4);
      expect(std.dataSync()[i] / (1 - Math.exp(-b))).toBeCloseTo(1, 3);
    });
  });

  it('refuses a range of β or a first time that is none', () => {
    expect(() => subVp({ betaMin: 2, betaMax: 1 })).toThrow(ConfigError);
    expect(() => subVp({ firstTime: 0 })).toThrow(/firstTime/);
  });
});
