import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, DataError } from '../../src/core/errors.ts';
import { integers } from '../../src/core/random.ts';
import { writeSafetensorsFile } from '../../src/core/safetensors.ts';
import type { ByteImages } from '../../src/datasets/images.ts';
import { decodeRgbPng, encodeRgbPng, pictureSheet } from '../../src/datasets/png.ts';
import { runCifar10 } from '../../src/experiments/cifar10.ts';
import {
  CIFAR_DIM,
  CIFAR10_PRESETS,
  type Cifar10Config,
  cifar10Config,
  cifar10Objective,
  cifar10Rates,
  cifar10Unet,
} from '../../src/experiments/cifar10-config.ts';
import {
  encodeSamples,
  readSamples,
  sampleFiles,
  samplesName,
  thumbnailDistance,
  thumbnails,
  toBytes,
} from '../../src/experiments/cifar10-samples.ts';

const folder = mkdtempSync(join(tmpdir(), 'gibbs-cifar10-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function images(count: number, seed = 0): ByteImages {
  const key = { seed, stream: 'test/images', step: 0 };
  const pixels = Uint8Array.from(integers(key, count * CIFAR_DIM, 256));
  return { count, channels: 3, height: 32, width: 32, pixels };
}

describe('the presets of the CIFAR-10 experiment', () => {
  it('are all of them configurations that build', () => {
    for (const preset of CIFAR10_PRESETS) {
      const config = cifar10Config(preset);
      expect(cifar10Objective(config).batchShape).toEqual([config.batch, 3, 32, 32]);
    }
  });

  it('have the sizes of the paper in `paper`', () => {
    const { players } = cifar10Objective(cifar10Config('paper'));
    expect(players.energy.layout.total).toBe(40_279_171);
    expect(players.generator.layout.total).toBe(48_432_515 + 4_772_872);
  });

  it('drop features in `paper` alone, and elsewhere where it is asked for', () => {
    expect(cifar10Unet(cifar10Config('paper')).dropout).toBe(0.1);
    const drawn = (config: Cifar10Config) =>
      Object.keys(cifar10Objective(config).noise).filter((name) => name.startsWith('dropout/'));
    expect(drawn(cifar10Config('smoke', { 'network.dropout': 0.2 })).length).toBeGreaterThan(0);
    for (const preset of ['smoke', 'nano', 'quick']) {
      // A key more would make another run of one that is there.
      expect(cifar10Config(preset).network).not.toHaveProperty('dropout');
      expect(drawn(cifar10Config(preset))).toEqual([]);
    }
    expect(() => cifar10Config('smoke', { 'network.dropout': 1 })).toThrow(/dropout.*\[0, 1\)/);
  });

  it('work through a batch in parts with recomputed blocks where that is asked for', () => {
    const config = cifar10Config('paper', { 'objective.parts': '16', 'network.recompute': 'true' });
    expect(cifar10Unet(config).recompute).toBe(true);
    expect(config.objective.parts).toBe(16);
    expect(() => cifar10Config('paper', { 'objective.parts': 3 })).toThrow(/parts must divide/);
    for (const preset of CIFAR10_PRESETS) {
      expect(cifar10Config(preset).network).not.toHaveProperty('recompute');
      expect(cifar10Config(preset).objective).not.toHaveProperty('parts');
    }
  });

  it('lower both rates from their start to the minimum', () => {
    const config = cifar10Config('nano', { steps: 100 });
    const rates = cifar10Rates(config);
    expect(rates(0)['energy/adam/learningRate']).toBe(config.optimizer.energyRate);
    expect(rates(0)['generator/adam/learningRate']).toBe(config.optimizer.generatorRate);
    expect(rates(100)['energy/adam/learningRate']).toBeCloseTo(config.optimizer.minimumRate, 12);
    for (let i = 1; i <= 100; i++) {
      const falls = rates(i)['generator/adam/learningRate'];
      expect(falls).toBeLessThan(rates(i - 1)['generator/adam/learningRate']);
    }
  });

  it('name what is wrong with a setting', () => {
    expect(() => cifar10Config('tiny')).toThrow(/'tiny'.*smoke, nano, quick, paper/s);
    const wrong: [string, string | number, RegExp][] = [
      ['network.multipliers', '1,x', /multipliers must be positive integers/],
      ['network.multipliers', '1,1,1,1,1,1,1', /size 32 is not divisible/],
      ['evaluation.samples', 0, /evaluation\.samples.*at least 2/],
      ['objective.form', 'other', /encoder, released/],
      ['objective.divergence', 'hellinger', /jeffreys, kl/],
      ['revision', 7, /cannot be changed/],
    ];
    for (const [name, value, text] of wrong) {
      expect(() => cifar10Config('smoke', { [name]: value })).toThrow(text);
      expect(() => cifar10Config('smoke', { [name]: value })).toThrow(ConfigError);
    }
  });

  it('say how to get the data where they are not', async () => {
    const run = runCifar10({ preset: 'smoke', data: folder, root: folder, shipped: null });
    await expect(run).rejects.toThrow(/gibbs data fetch cifar10/);
    await expect(run).rejects.toThrow(DataError);
  });
});

describe('samples as files', () => {
  it('come back byte by byte, in the order of the iterations', () => {
    for (const step of [500, 0, 1000]) {
      const chunks = encodeSamples(images(3, step).pixels);
      writeFileSync(join(folder, samplesName(step)), Buffer.concat(chunks));
    }
    const files = sampleFiles(folder);
    expect(files.map(({ step }) => step)).toEqual([0, 500, 1000]);
    for (const { step, path } of files) {
      expect(readSamples(path)).toEqual(images(3, step));
    }
  });

  it('are refused where they are no images', () => {
    const path = join(folder, 'other.safetensors');
    const data = Float32Array.of(1);
    writeSafetensorsFile(path, { images: { dtype: 'float32', shape: [1], data } });
    expect(() => readSamples(path)).toThrow(/holds no images/);
  });

  it('make bytes of [−1, 1], ends included and cut beyond', () => {
    expect([...toBytes([-1, 1, 0, -2, 2])]).toEqual([0, 255, 128, 0, 255]);
  });

  it('make a sheet that a PNG reader gives back', () => {
    const five = images(5);
    const sheet = pictureSheet(five);
    expect([sheet.width, sheet.height]).toEqual([96, 64]);
    const back = decodeRgbPng(encodeRgbPng(sheet), 'sheet');
    expect(back).toEqual(sheet);
    // Image 4 (second row, second column), row 7, column 9, green.
    const at = 3 * (96 * (32 + 7) + 32 + 9) + 1;
    expect(back.pixels[at]).toBe(five.pixels[4 * CIFAR_DIM + 1024 + 7 * 32 + 9]);
  });
});

describe('thumbnails', () => {
  it('are means of squares', () => {
    const one = images(1);
    const [first] = thumbnails(one);
    let sum = 0;
    for (let y = 0; y < 8; y++) for (let x = 0; x < 8; x++) sum += one.pixels[32 * y + x];
    expect(first).toBeCloseTo(sum / 64 / 255, 5);
  });

  it('measure a shift of the colour by its square', () => {
    const a = images(200);
    const dark = { ...a, pixels: a.pixels.map((v) => Math.floor(v / 2)) };
    const light = { ...a, pixels: dark.pixels.map((v) => v + 51) };
    // 51/255 = 0.2 in each of 48 places, nothing else changes.
    expect(thumbnailDistance(dark, light)).toBeCloseTo(48 * 0.04, 3);
    expect(Math.abs(thumbnailDistance(a, a))).toBeLessThan(1e-9);
  });
});
