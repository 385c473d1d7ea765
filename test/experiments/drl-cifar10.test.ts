import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, DataError, InterruptedError } from '../../src/core/errors.ts';
import { integers } from '../../src/core/random.ts';
import { decodeRgbPng } from '../../src/datasets/png.ts';
import { sampleFiles } from '../../src/experiments/cifar10-samples.ts';
import { type DrlOptions, runDrl } from '../../src/experiments/drl-cifar10.ts';
import {
  DRL_PRESETS,
  drlImageConfig,
  drlImageObjective,
  drlRates,
} from '../../src/experiments/drl-config.ts';
import { DrlEvaluator } from '../../src/experiments/drl-evaluation.ts';
import { jit, type Tensor } from '../../src/jit/index.ts';
import type { HostState, Noise } from '../../src/objectives/objective.ts';
import { drawNoise } from '../../src/train/noise.ts';

const folder = mkdtempSync(join(tmpdir(), 'gibbs-drl-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the presets of diffusion recovery likelihood on images', () => {
  it('are all of them configurations that build', () => {
    for (const preset of DRL_PRESETS) {
      const config = drlImageConfig(preset);
      expect(drlImageObjective(config).batchShape).toEqual([config.batch, 3, 32, 32]);
    }
  });

  it('have in `paper` the network, chains and optimiser of the authors', () => {
    const config = drlImageConfig('paper');
    const { parameterCount, schedule, noise } = drlImageObjective(config);
    // 34.83 million, counted from the description of the network.
    expect(Math.round(parameterCount / 1e4)).toBe(3483);
    expect(schedule.steps).toBe(6);
    expect(noise['chain'].shape).toEqual([30, 256, 3, 32, 32]);
    expect(config.optimizer).toEqual({
      ...{ rate: 1e-4, warmup: 1000, beta1: 0.9, beta2: 0.999, eps: 1e-7, ema: 0.999 },
    });
    expect(config.evaluation.noiseScale).toBe(0.99);
  });

  it('raise the rate linearly and keep it', () => {
    const rate = drlRates(drlImageConfig('nano', { 'optimizer.warmup': 10 }));
    const at = (step: number) => rate(step)['energy/adam/learningRate'];
    expect(at(4) / at(9)).toBeCloseTo(0.5, 12);
    expect(at(9)).toBe(drlImageConfig('nano').optimizer.rate);
    expect(at(5000)).toBe(at(9));
  });

  it('name what is wrong with a setting', () => {
    expect(() => drlImageConfig('tiny')).toThrow(/'tiny'.*smoke, nano, quick, paper/s);
    const wrong: [string, string | number, RegExp][] = [
      ['network.multipliers', '1,x', /positive integers separated by commas, got '1,x'/],
      ['network.multipliers', '1,1,1,1,1,1,1', /can be halved 5 times only/],
      ['chain.steps', 0, /chain\.steps.*at least 1/],
      ['chain.stepVariance', 0, /stepVariance.*positive/],
      ['diffusion.levels', 1, /steps must be an integer in 2\.\.500/],
      ['revision', 7, /cannot be changed/],
    ];
    for (const [name, value, text] of wrong) {
      expect(() => drlImageConfig('smoke', { [name]: value })).toThrow(text);
      expect(() => drlImageConfig('smoke', { [name]: value })).toThrow(ConfigError);
    }
  });
});

describe('sampling level by level', () => {
  const config = drlImageConfig('smoke', { 'evaluation.noiseScale': 1 });
  const objective = drlImageObjective(config);
  const state = objective.init(3);

  it('is the objective’s own sampler in other pieces', () => {
    const n = 2;
    const noise = drawNoise(objective.sampleNoise?.(n) ?? {}, { seed: 0, stream: 's', step: 0 });
    const whole = jit((s: unknown, z: Noise) => objective.sample!(s as never, z));
    const prepare = jit((s: unknown) => objective.evaluationParams(s as never));
    const chain = jit(objective.levelChain);
    const params = (prepare as unknown as (s: HostState) => Record<string, Tensor>)(state);
    let x = noise['start'].data as Float32Array;
    const rows = noise['chain'].data as Float32Array;
    const size = config.chain.steps * n * 3072;
    for (let t = 5; t >= 0; t--) {
      const level = { data: Int32Array.of(t, t), shape: [n], dtype: 'int32' };
      // The rows of the whole chain lie level by level.
      const draws = {
        data: rows.slice(t * size, (t + 1) * size),
        shape: [config.chain.steps, n, 3, 32, 32],
        dtype: 'float32',
      };
      const next = { data: x, shape: [n, 3, 32, 32], dtype: 'float32' };
      const call = chain as unknown as (...args: unknown[]) => Tensor;
      const y = call(params, next, level, draws).dataSync() as Float32Array;
      x = y.map((v) => v / objective.schedule.scale[t]);
    }
    const all = (whole as unknown as (s: unknown, z: unknown) => Tensor)(state, noise).dataSync();
    for (let i = 0; i < x.length; i += 37) expect(x[i]).toBeCloseTo(all[i], 3);
  });

  it('draws every image from noise of its own, and the same ones each time', () => {
    const evaluator = new DrlEvaluator(objective, config, 0);
    const pixels = evaluator.samples(state, 52);
    expect(evaluator.samples(state, 52)).toEqual(pixels);
    const images = Array.from({ length: 52 }, (_, i) =>
      pixels.subarray(3072 * i, 3072 * (i + 1)).join(),
    );
    expect(new Set(images).size).toBe(52);
    const way = evaluator.trajectory(state, 2);
    expect(way.map(({ length }) => length)).toEqual(new Array(7).fill(2 * 3072));
  });

  it('takes less noise with a smaller factor', () => {
    const spread = (noiseScale: number) => {
      const scaled = drlImageConfig('smoke', { 'evaluation.noiseScale': noiseScale });
      const [start, first] = new DrlEvaluator(objective, scaled, 0).trajectory(state, 4);
      return Math.sqrt(first.reduce((sum, v, i) => sum + (v - start[i]) ** 2, 0));
    };
    expect(spread(0)).toBeLessThan(0.5 * spread(0.5));
    expect(spread(0.5)).toBeLessThan(0.7 * spread(1));
  });
});

describe('a run', () => {
  const store = join(folder, 'runs');
  const options: DrlOptions = { preset: 'smoke', data: folder, root: store, shipped: null };
  beforeAll(() => {
    for (const [name, step] of [1, 2, 3, 4, 5, 6].map((n) => [n, n] as const)) {
      const record = integers({ seed: 0, stream: 'cifar', step }, 3073 * 20, 256);
      const bytes = Uint8Array.from(record, (v, i) => (i % 3073 === 0 ? v % 10 : v));
      const file = name === 6 ? 'test_batch.bin' : `data_batch_${name}.bin`;
      writeFileSync(join(folder, file), bytes);
    }
  });

  it('that was stopped ends as one that was not, with its samples and sheets', async () => {
    const stop = new AbortController();
    const onProgress = ({ step }: { step: number }) => step >= 2 && stop.abort();
    const halted = runDrl({ ...options, onProgress, signal: stop.signal });
    await expect(halted).rejects.toThrow(InterruptedError);
    const resumed = await runDrl(options);
    const whole = await runDrl({ ...options, root: join(folder, 'other') });
    expect(resumed.run.checksum).toBe(whole.run.checksum);
    expect(resumed.numbers).toEqual(whole.numbers);
    expect(resumed.numbers.series.map(({ step }) => step)).toEqual([0, 2, 4]);
    expect(resumed.numbers.levels.map(({ level }) => level)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(resumed.pictures.shape).toEqual([3, 16, 3, 32, 32]);
    expect(resumed.trajectory.shape).toEqual([7, 8, 3, 32, 32]);
    expect(Object.keys(resumed.energies)).toContain('noise 0.5');
    const run = join(store, resumed.run.key);
    for (const { path } of sampleFiles(run)) {
      const sheet = path.replace('safetensors', 'png');
      expect(existsSync(sheet)).toBe(true);
      expect(decodeRgbPng(readFileSync(sheet), sheet).width).toBe(128);
    }
    expect((await runDrl(options)).run.origin).toBe('kept');
  });

  it('says how to get the data where they are not', async () => {
    const none = runDrl({ ...options, data: join(folder, 'none'), seed: 5 });
    await expect(none).rejects.toThrow(DataError);
    await expect(none).rejects.toThrow(/gibbs data fetch cifar10/);
  });
});

describe('the result that comes with the project', () => {
  it('is drawn again without training and without CIFAR-10', async () => {
    const onProgress = () => {
      throw new Error('something was trained');
    };
    const { run, numbers } = await runDrl({ root: folder, data: folder, onProgress });
    expect(run.origin).toBe('shipped');
    expect(run.config).toEqual(drlImageConfig());
    expect(numbers.series.at(-1)?.step).toBe(run.steps);
    const distances = numbers.distances?.series.map(({ distance }) => distance) ?? [];
    expect(distances.at(-1)).toBeLessThan(distances[0]);
  });
});
