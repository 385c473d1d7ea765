import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InterruptedError } from '../../src/core/errors.ts';
import { packPictures } from '../../src/datasets/pack.ts';
import { celeba64 } from '../../src/experiments/celeba64.ts';
import { readImages, sampleFiles } from '../../src/experiments/image-samples.ts';
import { lsunChurch } from '../../src/experiments/lsun-church.ts';
import { lastState, runObjective } from '../../src/experiments/run-objective.ts';
import { writePictures } from './write-pictures.ts';

const folder = mkdtempSync(join(tmpdir(), 'gibbs-picture-runs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const COUNT = 24;

beforeAll(async () => {
  await writePictures(join(folder, 'celeba/train'), COUNT, 178, 218);
  await writePictures(join(folder, 'celeba/validation'), COUNT, 178, 218, COUNT);
  await writePictures(join(folder, 'church/loose'), COUNT, 160, 140);
  const from = { kind: 'folder', path: join(folder, 'church/loose') } as const;
  await packPictures({ source: from, to: join(folder, 'church/train.lmdb') });
});

/** Stops a run of these options once it has come to `at`. */
async function haltedAt(at: number, options: Parameters<typeof celeba64.run>[0]): Promise<void> {
  const stop = new AbortController();
  const halted = celeba64.run({
    ...options,
    onProgress: ({ step }) => step >= at && stop.abort(),
    signal: stop.signal,
  });
  await expect(halted).rejects.toThrow(InterruptedError);
}

describe('training on pictures in files', () => {
  it('goes on where it was stopped, to the same end', async () => {
    const options = {
      preset: 'smoke',
      data: join(folder, 'celeba'),
      root: join(folder, 'runs'),
      shipped: null,
      threads: 1,
    };
    await haltedAt(2, options);
    const resumed = await celeba64.run(options);
    const whole = await celeba64.run({ ...options, root: join(folder, 'other') });
    expect(resumed.run.checksum).toBe(whole.run.checksum);
    expect(resumed.numbers).toEqual(whole.numbers);
    expect(resumed.numbers.series.map(({ step }) => step)).toEqual([0, 2, 4]);
    expect(resumed.pictures.shape).toEqual([3, 9, 3, 64, 64]);
    expect(resumed.real.shape).toEqual([9, 3, 64, 64]);
    expect(resumed.energies['test'].shape).toEqual([COUNT]);
    const place = join(options.root, resumed.run.key);
    const files = sampleFiles(place);
    expect(files.map(({ step }) => step)).toEqual([0, 2, 4]);
    expect(readImages(files[2].path, 64).count).toBe(16);
    expect((await celeba64.run(options)).run.origin).toBe('kept');
    const objective = runObjective('celeba64', resumed.config);
    expect(lastState(objective, place, 0).step).toBe(4);
  });

  it('goes on in parts where it was begun with whole batches', async () => {
    const options = {
      ...{ preset: 'smoke', data: join(folder, 'celeba'), shipped: null, threads: 1 },
      root: join(folder, 'parts'),
    };
    await haltedAt(2, options);
    const { run, numbers } = await celeba64.run({ ...options, parts: 2 });
    const whole = await celeba64.run({ ...options, root: join(folder, 'other') });
    expect(run.key).toBe(whole.run.key);
    expect(run.environment.parts).toBe(2);
    expect(whole.run.environment).not.toHaveProperty('parts');
    numbers.series.forEach(({ mean }, i) => {
      expect(mean).toBeCloseTo(whole.numbers.series[i].mean, 2);
    });
  });

  it('reads LMDB, and takes what is left over for the test pictures', async () => {
    const { numbers, pictures, energies } = await lsunChurch.run({
      preset: 'smoke',
      overrides: { steps: 2, 'data.images': 20 },
      data: join(folder, 'church'),
      root: join(folder, 'runs'),
      shipped: null,
      threads: 1,
    });
    expect(numbers.series.map(({ step }) => step)).toEqual([0, 2]);
    expect(pictures.shape).toEqual([2, 4, 3, 128, 128]);
    expect(energies['test'].shape).toEqual([4]);
  });
});
