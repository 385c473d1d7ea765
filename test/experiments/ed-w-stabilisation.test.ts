import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import {
  edStabilisationConfig,
  runEdStabilisation,
} from '../../src/experiments/ed-w-stabilisation.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'gibbs-ed-w-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('runEdStabilisation', () => {
  const options = { overrides: { points: 512, steps: 400, learningRate: 0.03 }, shipped: null };

  it('learns flatter energies with larger w', async () => {
    const { runs, x } = await runEdStabilisation({ ...options, root });
    expect(runs.map(({ stabiliser }) => stabiliser)).toEqual([0, 0.1, 1, 4]);
    const [, small, one, large] = runs.map(({ numbers }) => numbers.at18);
    expect(small).toBeGreaterThan(one);
    expect(one).toBeGreaterThan(large);
    for (const { energy } of runs) {
      expect(energy).toHaveLength(x.length);
      expect(Math.min(...energy)).toBe(0);
    }
  });

  it('reuses finished trainings', async () => {
    const again = await runEdStabilisation({ ...options, root });
    expect(again.runs.map(({ run }) => run.origin)).toEqual(['kept', 'kept', 'kept', 'kept']);
    // A folder of results that came with the project is as good.
    const folder = join(root, 'plain');
    await runEdStabilisation({ ...options, root: folder, plain: true });
    const shipped = await runEdStabilisation({
      ...options,
      root: join(root, 'none'),
      shipped: folder,
    });
    expect(shipped.runs[0].run.origin).toBe('shipped');
    expect(shipped.runs.map(({ energy }) => energy)).toEqual(
      again.runs.map(({ energy }) => energy),
    );
  });

  it('refuses settings out of range, by name', async () => {
    expect(() => edStabilisationConfig({ overrides: { particles: 0 } })).toThrow(ConfigError);
    expect(() => edStabilisationConfig({ overrides: { learningRate: -1 } })).toThrow(
      /learningRate/,
    );
    await expect(runEdStabilisation({ preset: 'fast', root })).rejects.toThrow(
      /smoke, quick, paper/,
    );
  });
});
