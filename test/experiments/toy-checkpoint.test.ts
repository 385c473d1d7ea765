import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/core/errors.ts';
import { runToy } from '../../src/experiments/toy.ts';
import {
  evaluateToyCheckpoint,
  publishToyRun,
  readToyCheckpoint,
} from '../../src/experiments/toy-checkpoint.ts';
import type { ToyMethod } from '../../src/experiments/toy-methods.ts';

let root = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'gibbs-published-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const tiny = {
  steps: 4,
  batch: 20,
  'network.width': 8,
  'evaluation.samples': 60,
  'evaluation.sampleBatch': 30,
  'evaluation.gridSize': 9,
};
const run = (method: ToyMethod) =>
  runToy({ method, preset: 'smoke', overrides: tiny, root: join(root, 'runs') });

describe('published parameters', () => {
  it.each(['ddaebm', 'meg', 'vera', 'fce', 'score-flow'] as const)(
    '%s draws from them what the run drew, but for rounding',
    async (method) => {
      const result = await run(method);
      const path = join(root, `${method}-25gaussians.safetensors`);
      const about = publishToyRun(result, path);
      expect(about).toMatchObject({ steps: 4, seed: 0, runChecksum: result.checksum });
      expect(readToyCheckpoint(path).config).toEqual(result.config);
      const again = evaluateToyCheckpoint(path);
      expect(again.metrics).toEqual(about.metrics);
      expect(again.samples.shape).toEqual([30, 2]);
      const apart = (a: ArrayLike<number>, b: ArrayLike<number>) =>
        Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i])));
      expect(apart(again.samples.data, result.samples.data.subarray(0, 60))).toBeLessThan(0.02);
      const density = again.logDensity?.data ?? [];
      expect(apart(density, result.logDensity?.data ?? [])).toBeLessThan(0.02);
    },
    60_000,
  );

  it('hold no moments and no networks that a picture does not need', async () => {
    const result = await run('meg');
    const path = join(root, 'small.safetensors');
    publishToyRun(result, path);
    const { leaves } = readToyCheckpoint(path);
    const networks = new Set(Object.keys(leaves).map((name) => name.split('/')[0]));
    expect([...networks].sort()).toEqual(['energy', 'generator']);
    const parameters = Object.values(leaves).reduce((sum, { data }) => sum + data.length, 0);
    expect(statSync(path).size).toBeLessThan(2 * parameters + 8000);
  });

  it('are refused when damaged or absent', async () => {
    const path = join(root, 'damaged.safetensors');
    publishToyRun(await run('meg'), path);
    const bytes = readFileSync(path);
    bytes[bytes.length - 100] ^= 1;
    writeFileSync(path, bytes);
    expect(() => evaluateToyCheckpoint(path)).toThrow(DataError);
    expect(() => evaluateToyCheckpoint(path)).toThrow(/does not match its checksum/);
    expect(() => readToyCheckpoint(join(root, 'none.safetensors'))).toThrow(/there is no file/);
  });
});
