import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { runToy } from '../../src/experiments/toy.ts';
import {
  TOY_PRESETS,
  toyConfig,
  toyObjective,
  toyRates,
} from '../../src/experiments/toy-config.ts';
import { TOY_METHODS, toyMethodSpec } from '../../src/experiments/toy-methods.ts';
import { namedLeaves } from '../../src/train/state-leaves.ts';

describe('the methods on toy data', () => {
  it.each(TOY_METHODS)('%s resolves at every preset to a plain configuration', (method) => {
    for (const preset of TOY_PRESETS) {
      const config = toyConfig({ method, preset, dataset: 'pinwheel' });
      expect(config).toMatchObject({ method, dataset: 'pinwheel' });
      expect(JSON.parse(JSON.stringify(config))).toEqual(config);
    }
    expect(toyConfig({ method, preset: 'smoke' }).steps).toBeLessThan(
      toyConfig({ method, preset: 'quick' }).steps,
    );
  });

  it.each(TOY_METHODS)('%s sets learning rates that its state has', (method) => {
    const config = toyConfig({ method, overrides: { 'optimizer.energyRate': 3e-4 } });
    const leaves = namedLeaves(toyObjective(config).init(0));
    const rates = toyRates(config)(0);
    expect(Object.values(rates)).toContain(3e-4);
    for (const name of Object.keys(rates)) expect(leaves).toHaveProperty([name]);
  });

  it.each(TOY_METHODS)('%s names networks that it has', (method) => {
    const objective = toyObjective(toyConfig({ method }));
    const networks = objective.exportNetworks!(objective.init(0));
    for (const name of toyMethodSpec(method).networks) expect(networks).toHaveProperty([name]);
  });

  it('lists the settings of the method, not those of another', () => {
    const ask = (method: 'meg' | 'vera') => () =>
      toyConfig({ method, overrides: { 'objective.importanceSamples': 5 } });
    expect(ask('vera')).not.toThrow();
    expect(ask('meg')).toThrow(ConfigError);
    expect(ask('meg')).toThrow(/objective.energySteps/);
  });

  it.each([
    [{ method: 'megg' }, /unknown method 'megg'; did you mean 'meg'\?/],
    [{ method: 'meg', overrides: { method: 'vera' } }, /cannot be changed/],
    [{ method: 'drl', overrides: { 'objective.chainSteps': 0 } }, /must be an integer/],
    [{ method: 'energy-discrepancy', overrides: { 'objective.variance': 0 } }, /variance/],
  ])('refuses %j', (options, message) => {
    expect(() => toyConfig(options as never)).toThrow(message);
  });
});

describe('a few iterations of every method', () => {
  let root = '';
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'gibbs-toy-'));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const tiny = {
    steps: 3,
    batch: 20,
    'evaluation.samples': 60,
    'evaluation.sampleBatch': 30,
    'evaluation.gridSize': 9,
  };
  const own: Record<string, Record<string, number>> = {
    vera: { 'objective.importanceSamples': 3 },
    drl: { 'objective.chainSteps': 2 },
    'score-flow': { 'sampling.steps': 2 },
    'energy-discrepancy': { 'sampling.steps': 20 },
    'contrastive-divergence': { 'sampling.steps': 20 },
    'score-matching': { 'sampling.steps': 20 },
    'denoising-score-matching': { 'sampling.steps': 20 },
  };

  it.each(TOY_METHODS)(
    '%s trains, draws and is judged',
    async (method) => {
      const overrides = { ...tiny, 'network.width': 8, ...own[method] };
      const result = await runToy({ method, preset: 'smoke', overrides, root });
      expect(result.samples.shape).toEqual([60, 2]);
      expect(result.samples.data.every(Number.isFinite)).toBe(true);
      expect(result.metrics.modes).toBe(25);
      if (method === 'ddgan') {
        expect(result.logDensity).toBeUndefined();
        expect(result.metrics.gridKl).toBeUndefined();
      } else {
        expect(result.logDensity?.shape).toEqual([9, 9]);
        expect(result.metrics.gridKl).toBeGreaterThan(0);
      }
    },
    60_000,
  );
});
