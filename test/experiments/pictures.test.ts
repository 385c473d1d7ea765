import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, DataError } from '../../src/core/errors.ts';
import { loadPictures, pictureBatches } from '../../src/datasets/picture-batches.ts';
import { noiseSchedule, scheduleConfig } from '../../src/diffusion/schedule.ts';
import { CELEBA64_PRESETS, celeba64 } from '../../src/experiments/celeba64.ts';
import { LSUN_CHURCH_PRESETS, lsunChurch } from '../../src/experiments/lsun-church.ts';
import { referencePictures, trainingBatches } from '../../src/experiments/picture-data.ts';

const folder = mkdtempSync(join(tmpdir(), 'gibbs-picture-sets-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Picture i of a folder is grey with the value 10 i. */
async function greys(place: string, count: number, width: number, height: number): Promise<void> {
  mkdirSync(join(folder, place), { recursive: true });
  for (let i = 0; i < count; i++) {
    const grey = { r: 10 * i, g: 10 * i, b: 10 * i };
    await sharp({ create: { width, height, channels: 3, background: grey } })
      .png()
      .toFile(join(folder, place, `${String(i).padStart(3, '0')}.png`));
  }
}

const each = [
  [celeba64, CELEBA64_PRESETS, 19_693_955, 25_651_843 + 15_063_048],
  [lsunChurch, LSUN_CHURCH_PRESETS, 30_273_347, 37_902_403 + 27_839_304],
] as const;

describe.each(each)('the experiment on pictures', (experiment, presets, energy, generator) => {
  const { size } = experiment.setting;

  it('has presets that build, and in `paper` the sizes of the paper', () => {
    expect(Object.keys(experiment.setting.presets)).toEqual(presets);
    for (const preset of presets) {
      const config = experiment.config(preset);
      expect(experiment.objective(config).batchShape).toEqual([config.batch, 3, size, size]);
    }
    const { players } = experiment.objective(experiment.config('paper'));
    expect(players.energy.layout.total).toBe(energy);
    expect(players.generator.layout.total).toBe(generator);
  });

  it('names what is wrong with a setting', () => {
    expect(() => experiment.config('tiny')).toThrow(/'tiny'.*smoke, nano, quick, paper/s);
    expect(() => experiment.config('smoke', { 'network.multipliers': '1,x' })).toThrow(ConfigError);
    expect(() => experiment.config('smoke', { revision: 2 })).toThrow(/cannot be changed/);
    expect(() => experiment.config('smoke', { 'data.image': 2 })).toThrow(/data\.images/);
  });

  it('says where to get the pictures and where to put them', async () => {
    const data = join(folder, 'none');
    const run = experiment.run({ preset: 'smoke', data, root: folder, shipped: null });
    await expect(run).rejects.toThrow(DataError);
    await expect(run).rejects.toThrow(/none\/train\.lmdb.*no package registry.*authors.*--data/s);
    await expect(experiment.estimate({ preset: 'smoke', data })).rejects.toThrow(DataError);
  });
});

describe('LSUN church', () => {
  it('has levels close to the data, and weighs their reconstructions by eq. (21)', () => {
    const { config } = lsunChurch.objective(lsunChurch.config('paper'));
    const { times } = noiseSchedule(scheduleConfig('lsun128'));
    expect(Array.from(config.coefficients.times)).toEqual([...times]);
    expect(times[2]).toBeLessThan(1 / 2);
    expect(config.options.recoveryWeights).toEqual([0.6, 0.2]);
    // Against the same objective with weight 1 at every level.
    const plain = lsunChurch.objective(
      lsunChurch.config('paper', { 'objective.weight': 1, 'objective.middleWeight': 1 }),
    );
    const precisions = ({ table: { columns, levels, values } }: typeof config) => {
      const at = columns.indexOf('reconstructionHalfPrecision');
      return Array.from({ length: levels }, (_, t) => values[t * (columns.length + levels) + at]);
    };
    const all = precisions(plain.config);
    const share = precisions(config).map((v, t) => v / all[t]);
    expect(share[3]).toBeCloseTo(0.6, 6);
    expect(share[0]).toBeCloseTo(0.6 * times[1] ** (Math.log(1 / 3) / Math.log(0.5)), 6);
  });

  it('samples as the released code does, without dropout', () => {
    const names = Object.keys(lsunChurch.objective(lsunChurch.config('nano')).noise);
    expect(names.some((name) => name.startsWith('dropout/'))).toBe(false);
    const celeba = Object.keys(celeba64.objective(celeba64.config('nano')).noise);
    expect(celeba.some((name) => name.startsWith('dropout/'))).toBe(true);
  });
});

describe('the pictures of a set', () => {
  beforeAll(async () => {
    await greys('set/train', 12, 20, 16);
    await greys('held/train', 12, 20, 16);
    await greys('held/test', 3, 20, 16);
  });
  const { places } = lsunChurch.setting;
  const choice = (set: string, images: number) =>
    ({ folder: join(folder, set), images, size: 8, fit: 'shorter', threads: 1 }) as const;
  const shades = ({ pixels }: { pixels: Uint8Array }) =>
    [...pixels].filter((_, i) => i % (3 * 64) === 0);

  it('are trained with up to a number, and those behind it are the test pictures', async () => {
    const { training, test } = await referencePictures(places, choice('set', 8), 100);
    expect(shades(training)).toEqual([0, 10, 20, 30, 40, 50, 60, 70]);
    expect(shades(test)).toEqual([80, 90, 100, 110]);
    const batches = trainingBatches(places, choice('set', 8), 4);
    const seen = [0, 1].flatMap((step) => {
      const { data } = batches.batch({ seed: 0, stream: 'data', step });
      return [0, 1, 2, 3].map((i) => Math.round((data[i * 192] + 1) * 127.5));
    });
    expect(seen.sort((a, b) => a - b)).toEqual([0, 10, 20, 30, 40, 50, 60, 70]);
    await batches.close();
  });

  it('have test pictures of their own where there are some', async () => {
    const { training, test } = await referencePictures(places, choice('held', 12), 5);
    expect([training.count, test.count]).toEqual([5, 3]);
  });

  it('are refused when none is left to test with', async () => {
    const all = referencePictures(places, choice('set', 12), 5);
    await expect(all).rejects.toThrow(/no test pictures.*all 12.*data\.images lower/s);
  });

  it('can be loaded from one on', async () => {
    const source = { kind: 'folder', path: join(folder, 'set/train') } as const;
    const how = { size: 8, fit: 'centre' } as const;
    const some = await loadPictures(source, how, { from: 5, most: 2, threads: 1 });
    expect(shades(some)).toEqual([50, 60]);
    await expect(loadPictures(source, how, { from: 12 })).rejects.toThrow(/no picture 12/);
    expect(() => pictureBatches({ source, ...how, batch: 4, most: 3 })).toThrow(ConfigError);
  });
});
