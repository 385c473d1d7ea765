import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { type SweepSpec, sweepPlan } from '../../src/sweep/plan.ts';
import { ranges } from '../../src/sweep/slurm-client.ts';
import { readSweep } from '../../src/sweep/sweep-file.ts';

const spec: SweepSpec = {
  experiment: 'toy',
  preset: 'smoke',
  grid: { 'diffusion.T': [1, 2], 'objective.divergence': ['kl', 'jeffreys'] },
  seeds: 3,
};

describe('sweepPlan', () => {
  it('is every point of the grid for every seed, seeds fastest', () => {
    const { tasks, name } = sweepPlan(spec);
    expect(tasks).toHaveLength(12);
    expect(tasks.map(({ index }) => index)).toEqual(tasks.map((_, i) => i));
    expect(tasks.slice(2, 4).map(({ settings, seed }) => [settings, seed])).toEqual([
      [{ 'diffusion.T': 1, 'objective.divergence': 'kl' }, 2],
      [{ 'diffusion.T': 1, 'objective.divergence': 'jeffreys' }, 0],
    ]);
    expect(tasks[11].options).toEqual({
      preset: 'smoke',
      seed: 2,
      overrides: { 'diffusion.T': 2, 'objective.divergence': 'jeffreys' },
    });
    expect(name).toMatch(/^toy-[0-9a-f]{8}$/);
    expect(sweepPlan({ ...spec, slurm: { time: '1:00' } }).name).toBe(name);
    expect(sweepPlan({ ...spec, seeds: 2 }).name).not.toBe(name);
  });

  it('takes method, data set and preset as settings, and seeds by name', () => {
    const { tasks } = sweepPlan({
      experiment: 'toy',
      grid: { method: ['meg', 'vera'], dataset: ['pinwheel'] },
      seeds: [5, 7],
      overrides: { steps: 10 },
    });
    expect(tasks[3].options).toEqual({
      method: 'vera',
      dataset: 'pinwheel',
      seed: 7,
      overrides: { steps: 10 },
    });
  });

  it.each<[object, RegExp]>([
    [{ experiment: 'toi' }, /unknown experiment 'toi'.*toy/],
    [{ grid: { 'difusion.T': [1] } }, /unknown setting 'difusion.T'.*did you mean 'diffusion.T'/],
    [{ grid: { 'diffusion.T': [0] } }, /must be a positive integer, got 0/],
    [{ grid: { 'diffusion.T': 4 } }, /grid 'diffusion.T' must be a list/],
    [{ grid: { 'diffusion.T': [] } }, /must be a list of one or more/],
    [{ grid: [1] }, /'grid' must be an object/],
    [{ grid: { 'diffusion.T': [2, '2'] } }, /two points of the grid are the same run/],
    [{ seeds: 0 }, /'seeds' must be a count of at least 1/],
    [{ seeds: [1, 1] }, /list of different seeds/],
    [{ presett: 'smoke' }, /unknown field of a sweep 'presett'.*did you mean 'preset'/],
    [{ name: 'a/b' }, /'name' may hold letters/],
  ])('refuses %j before anything is started', (change, message) => {
    const wrong = () => sweepPlan({ ...spec, ...change } as SweepSpec);
    expect(wrong).toThrow(ConfigError);
    expect(wrong).toThrow(message);
  });
});

describe('readSweep', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'gibbs-sweep-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const read = (text: string) => {
    const path = join(folder, 'sweep.json');
    writeFileSync(path, text);
    return readSweep(path);
  };

  it('reads a file, and names what is wrong with one', () => {
    expect(read(JSON.stringify(spec))).toEqual(spec);
    expect(() => read('{"grid":')).toThrow(/sweep\.json is no JSON/);
    expect(() => read('[]')).toThrow(/expected an object/);
    expect(() => read('{"seeds":1,"seeds":2}')).toThrow(/'seeds' is given twice/);
    expect(() => readSweep(join(folder, 'none.json'))).toThrow(/there is no file/);
  });
});

it('ranges of an array job', () => {
  expect([ranges([0, 1, 2, 3]), ranges([7, 5, 6, 1]), ranges([4])]).toEqual(['0-3', '1,5-7', '4']);
});
