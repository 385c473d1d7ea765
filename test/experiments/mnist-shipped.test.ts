import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shippedFolder } from '../../src/experiments/kept-run.ts';
import { runLatentPrior } from '../../src/experiments/latent-prior.ts';
import { latentPriorConfig } from '../../src/experiments/latent-prior-config.ts';
import {
  NICE_TABLE,
  runNiceTable,
  runStackedTable,
  STACKED_TABLE,
} from '../../src/experiments/mnist-tables.ts';
import { niceConfig } from '../../src/experiments/nice.ts';
import { samplingFloor } from '../../src/experiments/stacked.ts';
import { stackedConfig } from '../../src/experiments/stacked-config.ts';
import { runKey } from '../../src/train/run.ts';

const folderOf = (experiment: string, config: unknown) =>
  join(shippedFolder(), runKey({ experiment, config, seed: 0 }));
const folders = [
  ...NICE_TABLE.map((entry) => folderOf('nice', niceConfig(entry))),
  ...STACKED_TABLE.map(({ method }) => folderOf('stacked', stackedConfig(method))),
  folderOf('latent-prior', latentPriorConfig()),
];

describe('the MNIST results that come with the project', () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'gibbs-mnist-shipped-'));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  // Missing ones would be trained by the test below, for minutes.
  it.each(folders)('%s is there and small', (folder) => {
    expect(existsSync(join(folder, 'result.json'))).toBe(true);
    expect(statSync(join(folder, 'arrays.safetensors')).size).toBeLessThan(2 * 2 ** 20);
  });

  it.runIf(folders.every((folder) => existsSync(join(folder, 'result.json'))))(
    'redraw the notebooks without training and without MNIST',
    async () => {
      const onProgress = () => {
        throw new Error('something was trained');
      };
      const options = { root, data: join(root, 'no-mnist'), onProgress };
      for (const { run, numbers } of await runNiceTable(options)) {
        expect(run.origin).toBe('shipped');
        // The last evaluation looks at fewer images than the number of the table.
        const { test } = numbers.series[numbers.series.length - 1];
        expect(Math.abs(test / numbers.test - 1)).toBeLessThan(0.05);
      }
      for (const { run, numbers } of await runStackedTable(options)) {
        expect(run.origin).toBe('shipped');
        expect(numbers.samples).toBe(26_000);
        expect(numbers.klToUniform).toBeGreaterThan(samplingFloor(numbers.samples));
      }
      expect((await runLatentPrior(options)).run.origin).toBe('shipped');
    },
  );
});
