import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { bitsPerDim, meanAndError, natsFromBitsPerDim } from '../../src/metrics/likelihood.ts';

describe('bitsPerDim', () => {
  it('gives 8 bits for the uniform law on [0, 1] and 0 for certainty of one of 256 cells', () => {
    expect(bitsPerDim(0, 784)).toBe(8);
    // All mass in one cell of width 1/256 per dimension: density 256^n.
    expect(bitsPerDim(784 * Math.log(256), 784)).toBeCloseTo(0, 12);
  });
  it('is the differential entropy in bits where nothing was dequantised', () => {
    const entropy = 0.5 * Math.log(2 * Math.PI * Math.E);
    expect(bitsPerDim(-3 * entropy, 3, 1)).toBeCloseTo(entropy / Math.LN2, 12);
  });
  it('is undone by natsFromBitsPerDim', () => {
    for (const nats of [-879, 0, 2000]) {
      expect(natsFromBitsPerDim(bitsPerDim(nats, 784), 784)).toBeCloseTo(nats, 8);
    }
    expect(() => bitsPerDim(0, 0)).toThrow(ConfigError);
    expect(() => bitsPerDim(0, 1, 0)).toThrow(/levels/);
  });
});

describe('meanAndError', () => {
  it('agrees with hand-made numbers', () => {
    const { mean, error } = meanAndError([1, 2, 3, 4]);
    expect(mean).toBe(2.5);
    expect(error).toBeCloseTo(Math.sqrt(5 / 3 / 4), 12);
    expect(meanAndError([7]).error).toBeNaN();
  });
});
