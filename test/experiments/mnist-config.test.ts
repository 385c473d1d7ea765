import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { describeEstimate } from '../../src/experiments/eta.ts';
import { latentPriorConfig } from '../../src/experiments/latent-prior-config.ts';
import { niceConfig } from '../../src/experiments/nice.ts';
import { NICE_METHODS } from '../../src/experiments/nice-methods.ts';
import { samplingFloor } from '../../src/experiments/stacked.ts';
import { stackedConfig } from '../../src/experiments/stacked-config.ts';

describe('the presets of the MNIST experiments', () => {
  it('give the games of NICE one budget and the same network', () => {
    for (const preset of ['quick', 'overnight', 'paper']) {
      const games = NICE_METHODS.filter((m) => !m.startsWith('mle'));
      const configs = games.map((method) => niceConfig({ method, preset }));
      expect(new Set(configs.map((c) => c.steps)).size).toBe(1);
      expect(new Set(configs.map((c) => JSON.stringify(c.network))).size).toBe(1);
    }
  });

  it('train maximum likelihood for at least 20 epochs beyond smoke', () => {
    for (const preset of ['quick', 'overnight', 'paper']) {
      expect(niceConfig({ method: 'mle', preset }).steps * 128).toBeGreaterThanOrEqual(20 * 59_904);
    }
  });

  it('refuse unknown names with those that exist', () => {
    expect(() => niceConfig({ method: 'vear' })).toThrow(/did you mean 'vera'/);
    expect(() => niceConfig({ preset: 'slow' })).toThrow(/known: smoke, quick, overnight, paper/);
    expect(() => niceConfig({ overrides: { 'network.layers': 1 } })).toThrow(ConfigError);
    expect(() => stackedConfig('gan')).toThrow(ConfigError);
    expect(() => latentPriorConfig('slow')).toThrow(/unknown preset/);
    expect(() => latentPriorConfig('quick', { 'objective.sigma': 0 })).toThrow(/sigma/);
  });
});

describe('samplingFloor', () => {
  it('is 0.019 nat at the 26,000 samples of PacGAN', () => {
    expect(samplingFloor(26_000)).toBeCloseTo(0.0193, 4);
    expect(samplingFloor(10_000)).toBeCloseTo(0.051, 3);
  });

  it('is the mean over all draws, however few', () => {
    // Three draws of two modes: all alike with probability 1/4, else two and one.
    const apart = Math.log(2) + (1 / 3) * Math.log(1 / 3) + (2 / 3) * Math.log(2 / 3);
    expect(samplingFloor(3, 2)).toBeCloseTo(Math.log(2) / 4 + (3 / 4) * apart, 12);
    expect(samplingFloor(1, 1000)).toBeCloseTo(Math.log(1000), 12);
    expect(samplingFloor(10, 1)).toBe(0);
  });

  it('becomes (K − 1)/2N', () => {
    for (const n of [100_000, 1_000_000]) {
      expect(samplingFloor(n) / (999 / (2 * n))).toBeCloseTo(1, 2);
    }
  });
});

describe('describeEstimate', () => {
  it('says count, pace and duration', () => {
    const text = describeEstimate({ steps: 9360, secondsPerStep: 0.031, seconds: 290 });
    expect(text).toBe('9360 iterations of 31 ms: about 4:50 min');
  });
});
