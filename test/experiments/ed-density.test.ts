import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, InterruptedError, ShapeError } from '../../src/core/errors.ts';
import { hostTensor } from '../../src/core/host-tensor.ts';
import { runEdDensity, runEdGrid } from '../../src/experiments/ed-density.ts';
import { edDensityConfigs, edGridCells } from '../../src/experiments/ed-density-config.ts';
import { gridNumbers, logDensityError } from '../../src/experiments/ed-density-evaluation.ts';
import { edGaussians, edGaussiansLogDensity } from '../../src/experiments/ed-gaussians.ts';
import { gridPoints } from '../../src/metrics/grid.ts';
import { RunStore } from '../../src/train/store/run-store.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'gibbs-ed-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('logDensityError', () => {
  const points = edGaussians({ seed: 1, stream: 'test', step: 0 }, 4000).data;
  const truth = edGaussiansLogDensity(points);

  it('is zero for the truth, whatever constant is added', () => {
    const { mse, logPartition } = logDensityError(
      truth.map((v) => v + 7),
      truth,
    );
    expect(mse).toBeLessThan(1e-20);
    expect(logPartition).toBeCloseTo(7, 9);
  });

  it('estimates the partition function with the data as proposal', () => {
    // exp(-U) = p (1 + x / 10): E_p gives 1, since x has mean 0.
    const model = truth.map((v, i) => v + Math.log(1 + points[2 * i] / 10));
    const { logPartition, mse } = logDensityError(model, truth);
    // sd of x / 10 is 0.2.
    expect(Math.abs(logPartition)).toBeLessThan((5 * 0.2) / Math.sqrt(4000));
    // E log(1 + x/10)^2 = E (x/10)^2 up to fourth order.
    expect(mse).toBeGreaterThan(0.03);
    expect(mse).toBeLessThan(0.06);
  });

  it('refuses lists that do not belong together', () => {
    expect(() => logDensityError([1], [1, 2])).toThrow(ShapeError);
    expect(() => logDensityError([], [])).toThrow(/at least one/);
  });
});

describe('the configurations', () => {
  it('share everything but the method', () => {
    const configs = edDensityConfigs({ preset: 'paper' });
    expect(configs.map(({ method }) => method.name)).toEqual([
      'energy-discrepancy',
      'score-matching',
      'contrastive-divergence',
    ]);
    const [{ method: _, ...first }, ...rest] = configs;
    for (const { method: __, ...other } of rest) expect(other).toEqual(first);
  });

  it('turn the noise scale of the published grid into a variance', () => {
    const cells = edGridCells({ preset: 'paper' });
    expect(cells).toHaveLength(15);
    const variances = cells.map(({ config: { method } }) =>
      method.name === 'energy-discrepancy' ? method.variance : 0,
    );
    expect(variances[0]).toBeCloseTo(0.0025, 12);
    expect(variances[3]).toBe(2500);
    expect(cells.slice(0, 3).map(({ particles }) => particles)).toEqual([1, 32, 512]);
  });

  it('refuse unknown presets and settings out of range', () => {
    expect(() => edDensityConfigs({ preset: 'fast' })).toThrow(/smoke, quick, paper/);
    expect(() => edGridCells({ preset: 'fast' })).toThrow(/smoke, quick, paper/);
    const refused = { batch: 0, ema: 1, learningRate: 0, 'evaluation.every': 0.5, revision: 2 };
    for (const [name, value] of Object.entries(refused)) {
      expect(() => edDensityConfigs({ overrides: { [name]: value } })).toThrow(ConfigError);
      expect(() => edDensityConfigs({ overrides: { [name]: value } })).toThrow(name);
    }
  });
});

describe('gridNumbers', () => {
  it('are those of a perfect model for the truth', () => {
    const [config] = edDensityConfigs();
    const points = gridPoints({ low: -4, high: 4, size: 100 });
    const truth = hostTensor(Float32Array.from(edGaussiansLogDensity(points)), [100, 100]);
    const numbers = gridNumbers(config, truth);
    expect(numbers.gridKl).toBeLessThan(1e-6);
    expect(numbers.modesFound).toBe(25);
    expect(numbers.modeRatio).toBeLessThan(1.05);
    expect(numbers.outside).toBeLessThan(2e-3);
  });
});

describe('gridNumbers of a collapse', () => {
  it('stay finite when all mass is at one point between the modes', () => {
    const [config] = edDensityConfigs();
    const spike = new Float32Array(1e4).fill(-1e6);
    spike[0] = 0;
    const numbers = gridNumbers(config, hostTensor(spike, [100, 100]));
    expect(JSON.parse(JSON.stringify(numbers))).toEqual(numbers);
    expect(numbers.modesFound).toBe(0);
    expect(numbers.outside).toBeCloseTo(1, 9);
    expect(numbers.gridKl).toBeGreaterThan(1e5);
  });
});

describe('runEdDensity', () => {
  const tiny = {
    shipped: null,
    preset: 'smoke',
    overrides: { width: 8, batch: 16, steps: 12, 'evaluation.every': 4, 'evaluation.points': 50 },
  };

  it('trains three energies and follows their errors', async () => {
    const result = await runEdDensity({ ...tiny, root });
    expect(result.runs).toHaveLength(3);
    for (const { errors, numbers, logDensity, config } of result.runs) {
      expect(errors.map(({ step }) => step)).toEqual([0, 4, 8, 12]);
      expect(numbers.mse).toBeCloseTo(errors[3].mse, 5);
      const { gridSize } = config.evaluation;
      expect(logDensity.shape).toEqual([gridSize, gridSize]);
      expect(numbers.gridKl).toBeGreaterThan(0.5);
    }
    const again = await runEdDensity({ ...tiny, root });
    expect(again.runs.map(({ run }) => run.origin)).toEqual(['kept', 'kept', 'kept']);
  });

  it('stopped and resumed, ends in the same bits with the same errors', async () => {
    const other = join(root, 'stopped');
    const stop = new AbortController();
    const interrupted = runEdDensity({
      ...tiny,
      root: other,
      signal: stop.signal,
      overrides: { ...tiny.overrides, steps: 400, 'evaluation.every': 100 },
      onProgress: ({ step }) => {
        if (step > 0) stop.abort();
      },
    });
    await expect(interrupted).rejects.toThrow(InterruptedError);
    const options = {
      ...tiny,
      overrides: { ...tiny.overrides, steps: 400, 'evaluation.every': 100 },
    };
    const resumed = await runEdDensity({ ...options, root: other });
    const straight = await runEdDensity({ ...options, root: join(root, 'straight') });
    resumed.runs.forEach((run, i) => {
      expect(run.run.checksum).toBe(straight.runs[i].run.checksum);
      expect(run.errors).toEqual(straight.runs[i].errors);
      expect(run.errors).toHaveLength(5);
    });
  });

  it('keeps a result that says what it was made with', async () => {
    const { runs } = await runEdDensity({ ...tiny, root });
    const store = RunStore.open(root);
    const record = store.resolve(runs[0].run.key);
    expect(record.config).toMatchObject({ method: { name: 'energy-discrepancy' } });
    expect(record.checksum).toBe(runs[0].run.checksum);
    const [session] = record.sessions;
    expect(store.environment(session.environment)).toMatchObject({ node: process.version });
    expect(JSON.stringify(record)).not.toContain(root);
  });
});

describe('runEdGrid', () => {
  it('trains every cell, and reports a divergence as a finding', async () => {
    const overrides = { width: 8, batch: 8, steps: 3, 'evaluation.gridSize': 8 };
    const options = { preset: 'smoke', shipped: null, root };
    const { cells } = await runEdGrid({ ...options, overrides });
    expect(cells).toHaveLength(10);
    for (const cell of cells) expect(cell.trained?.errors).toEqual([]);
    const wild = await runEdGrid({ ...options, overrides: { ...overrides, learningRate: 1e30 } });
    expect(wild.cells.every(({ trained, failure }) => (trained ? !failure : !!failure))).toBe(true);
    expect(wild.cells.some(({ failure }) => failure?.includes('after iteration'))).toBe(true);
  });
});
