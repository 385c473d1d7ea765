import { describe, expect, it } from 'vitest';
import type { Key } from '../../src/core/random.ts';
import { toyBatch } from '../../src/datasets/toy.ts';
import { celeba64 } from '../../src/experiments/celeba64.ts';
import { runCifar10 } from '../../src/experiments/cifar10.ts';
import { CIFAR10, CIFAR10_PRESETS, cifar10Config } from '../../src/experiments/cifar10-config.ts';
import { describeEstimate, estimatePart } from '../../src/experiments/eta.ts';
import { imageObjective } from '../../src/experiments/image-config.ts';
import { imageExecution, imagePart } from '../../src/experiments/image-parts.ts';
import { lsunChurch } from '../../src/experiments/lsun-church.ts';
import { toyConfig, toyObjective } from '../../src/experiments/toy-config.ts';
import type { Ranks } from '../../src/train/parallel/ranks.ts';

const GB = 1e9;
const paper = cifar10Config('paper');

describe('how a training of images is carried out', () => {
  it('is in one part wherever that fits, so that the smaller presets are as they were', () => {
    for (const preset of CIFAR10_PRESETS.filter((name) => name !== 'paper')) {
      expect(imageExecution(CIFAR10, cifar10Config(preset)).parts).toBe(1);
    }
  });

  it.each([
    ['cifar10', CIFAR10, paper],
    ['celeba64', celeba64.setting, celeba64.config('paper')],
    ['lsun-church', lsunChurch.setting, lsunChurch.config('paper')],
  ] as const)('is in parts at paper scale, below 24 GB: %s', (_, setting, config) => {
    const { parts, images, memory } = imageExecution(setting, config);
    expect(parts).toBeGreaterThan(1);
    expect(parts * images).toBe(config.batch);
    expect(images).toBeLessThanOrEqual(16);
    expect(memory).toBeLessThan(24 * GB);
    const { memory: whole } = imageExecution(setting, config, { parts: 1 });
    expect(whole).toBeGreaterThan(24 * GB);
  });

  it('divides the share of a rank, and takes what is asked for', () => {
    const ranks = { rank: 0, size: 8 } as Ranks;
    const { parts, images } = imageExecution(CIFAR10, paper, { ranks });
    expect(parts * images).toBe(32);
    expect(imageExecution(CIFAR10, paper, { parts: 64 })).toMatchObject({ parts: 64, images: 4 });
  });

  it('refuses parts that do not divide the batch before anything else', async () => {
    const message = 'parts must divide the batch of 4, got 3 parts; use another number of parts';
    await expect(runCifar10({ preset: 'smoke', parts: 3, data: '/nowhere' })).rejects.toThrow(
      message,
    );
    expect(() => imageExecution(CIFAR10, paper, { parts: 0 })).toThrow('batch of 256, got 0;');
  });

  it('leaves the method as it is, but for recomputed blocks', () => {
    const config = cifar10Config('smoke');
    const noise = (batch: number) => imageObjective(CIFAR10, { ...config, batch }).noise;
    expect(imagePart(CIFAR10, config, 2, 2).noise).toEqual(noise(2));
    expect(config.network).not.toHaveProperty('recompute');
  });
});

describe('the estimate of a training in parts', () => {
  it('measures one part, and says what memory is expected', async () => {
    const method = (batch: number) =>
      toyObjective(toyConfig({ method: 'drl', preset: 'smoke', overrides: { batch } }));
    const asked: number[] = [];
    const data = (key: Key) => {
      asked.push(key.step);
      return toyBatch('25gaussians', key, 24);
    };
    const estimate = await estimatePart(method(6), data, 10, 4);
    expect(asked).toEqual([0, 1]);
    expect(estimate.secondsPerStep).toBeGreaterThan(0);
    expect(estimate.seconds).toBeCloseTo(10 * estimate.secondsPerStep, 9);
    const execution = { parts: 16, images: 16, memory: 10.2e9 };
    expect(describeEstimate({ steps: 10, secondsPerStep: 600, seconds: 6000, execution })).toBe(
      '10 iterations of 600.0 s: about 1:40 h; each batch in 16 parts of 16, about 10 GB of memory',
    );
  });
});
