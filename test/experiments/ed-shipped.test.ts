import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runEdDensity, runEdGrid } from '../../src/experiments/ed-density.ts';
import { edDensityConfigs, edGridCells } from '../../src/experiments/ed-density-config.ts';
import {
  edStabilisationConfig,
  runEdStabilisation,
} from '../../src/experiments/ed-w-stabilisation.ts';
import { shippedFolder } from '../../src/experiments/kept-run.ts';
import { runKey } from '../../src/train/run.ts';

const folderOf = (experiment: string, config: unknown, seed: number) =>
  join(shippedFolder(), runKey({ experiment, config, seed }));

const density = [
  ...edDensityConfigs({ preset: 'paper' }),
  ...edGridCells().map(({ config }) => config),
];
const stabilisation = [0, 0.1, 1, 4].map((stabiliser) => ({
  ...edStabilisationConfig(),
  stabiliser,
}));
const folders = [
  ...density.map((config) => folderOf('ed-density', config, 0)),
  ...stabilisation.map((config) => folderOf('ed-w-stabilisation', config, 0)),
];

describe('the results that come with the project', () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'gibbs-ed-shipped-'));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  // Missing ones would be trained by the test below, for minutes.
  it.each(folders)('%s is there and small', (folder) => {
    expect(existsSync(join(folder, 'result.json'))).toBe(true);
    expect(statSync(join(folder, 'arrays.safetensors')).size).toBeLessThan(50_000);
  });

  it.runIf(folders.every((folder) => existsSync(join(folder, 'result.json'))))(
    'redraw the notebooks without training',
    async () => {
      const onProgress = () => {
        throw new Error('something was trained');
      };
      const comparison = await runEdDensity({ preset: 'paper', root, onProgress });
      for (const { run, errors, numbers, config } of comparison.runs) {
        expect(run.origin).toBe('shipped');
        expect(errors).toHaveLength(config.steps / config.evaluation.every + 1);
        expect(numbers.mse).toBeCloseTo(errors[errors.length - 1].mse, 4);
      }
      const grid = await runEdGrid({ root, onProgress });
      expect(grid.cells.every(({ trained }) => trained?.run.origin === 'shipped')).toBe(true);
      const { runs } = await runEdStabilisation({ root, onProgress });
      expect(runs.map(({ run }) => run.origin)).toEqual(new Array(4).fill('shipped'));
    },
  );
});
