import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataError, StoreError } from '../../src/core/errors.ts';
import { sweepExperiment } from '../../src/sweep/experiments.ts';
import { sweepPlan } from '../../src/sweep/plan.ts';
import { publishedSweepPath, publishSweep, readPublishedSweep } from '../../src/sweep/published.ts';
import { SweepResult } from '../../src/sweep/result.ts';
import { runDetails } from '../../src/sweep/run-details.ts';
import { sweep } from '../../src/sweep/sweep.ts';
import { RunStore } from '../../src/train/store/run-store.ts';

const spec = {
  experiment: 'toy',
  method: 'score-matching',
  preset: 'smoke',
  name: 'widths',
  grid: { 'network.width': [8, 16] },
  overrides: {
    steps: 200,
    'evaluation.samples': 100,
    'evaluation.sampleBatch': 100,
    'evaluation.gridSize': 20,
  },
};
const plan = sweepPlan(spec);

let folder: string;
let file: string;
let whole: SweepResult;
const quiet = () => ({ quiet: true, root: join(folder, 'elsewhere') });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gibbs-published-'));
  file = join(folder, 'deeper', 'widths.json');
  const root = join(folder, 'store');
  const outcomes = [];
  for (const task of plan.tasks) {
    outcomes.push({ task, result: await sweepExperiment('toy').run(task.options, { root }) });
  }
  const store = RunStore.open(root);
  whole = new SweepResult(plan, outcomes, (key) => runDetails(store, key));
  publishSweep(plan, whole, store, file, { samples: 7, stretches: 2 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rows = ({ runs }: SweepResult) =>
  runs.map(({ key, metrics, steps, seconds, checksum }) => ({
    ...{ key, metrics, steps, seconds, checksum },
  }));

describe('a published sweep', () => {
  it('stands in for its runs: numbers, curves, samples, origin', async () => {
    const shown = await sweep(spec, { ...quiet(), published: file });
    expect(rows(shown)).toEqual(rows(whole));
    expect(RunStore.find(join(folder, 'elsewhere'))).toBeUndefined();
    const [run] = shown.runs;
    const [ours, theirs] = [shown, whole].map((result) => result.details(run));
    expect(ours?.samples).toEqual(theirs?.samples?.slice(0, 14));
    expect(ours?.curve?.steps.at(-1)).toBe(200);
    expect(ours?.numbers).toEqual(theirs?.numbers);
    expect(shown.provenance()).toEqual(whole.provenance());
    expect(shown.provenance().runs[0]).toMatchObject({ key: run.key, seed: 0, steps: 200 });
    const summary = shown.summary({ metrics: ['noiseAuroc'] });
    expect(summary.rows[0].metrics['noiseAuroc']?.mean).toBe(theirs?.numbers['noiseAuroc']);
  });

  it('answers the points of another grid that it has', async () => {
    const fewer = { ...spec, name: 'one', grid: { 'network.width': [16] } };
    const shown = await sweep(fewer, { ...quiet(), published: file });
    expect(rows(shown)).toEqual(rows(whole).slice(1));
  });

  it('gives way to the same run in the store', async () => {
    const root = join(folder, 'changed');
    const task = plan.tasks[0];
    await sweepExperiment('toy').run(task.options, { root });
    const store = RunStore.open(root);
    const { key } = whole.runs[0];
    store.update(key ?? '', (record) => record && { ...record, seconds: 12_345 });
    const shown = await sweep(spec, { root, quiet: true, published: file });
    expect(shown.runs.map(({ seconds }) => seconds === 12_345)).toEqual([true, false]);
  });

  it('is refused when it is damaged or incomplete', async () => {
    const damaged = join(folder, 'damaged.json');
    const text = readFileSync(file, 'utf8');
    const read = (content: string) => {
      writeFileSync(damaged, content);
      return () => readPublishedSweep(damaged);
    };
    expect(read(text.slice(0, -20))).toThrow(DataError);
    expect(read(text.replace('gibbs-sweep-1', 'gibbs-sweep-9'))).toThrow(/expected gibbs-sweep-1/);
    const { runs, ...rest } = JSON.parse(text);
    expect(read(JSON.stringify({ ...rest, runs: runs.slice(1) }))).toThrow(/not those of its grid/);
    expect(() => readPublishedSweep(join(folder, 'none.json'))).toThrow(/there is no file/);
    const none = new SweepResult(plan, []);
    const store = RunStore.open(join(folder, 'store'));
    expect(() => publishSweep(plan, none, store, damaged)).toThrow(StoreError);
  });
});

describe('the sweeps that come with the project', () => {
  const place = dirname(publishedSweepPath('any'));
  it.each(readdirSync(place))('%s is whole, small and says how each run came about', (name) => {
    const path = join(place, name);
    const { runs, environments, name: inside } = readPublishedSweep(path);
    expect(publishedSweepPath(inside)).toBe(path);
    expect(statSync(path).size).toBeLessThan(100_000);
    for (const { key, details, metrics, environment } of runs) {
      expect(key).toMatch(/^(toy|cifar10)\/[0-9a-f]{12}-s[0-2]$/);
      expect(details.code).toMatch(/^[0-9a-f]{16}$/);
      expect(environments[environment]?.commit).toMatch(/^[0-9a-f]{40}$/);
      if (key.startsWith('toy/')) expect(metrics['gridKl']).toBeGreaterThan(0);
      else {
        const { steps = [], distances = [], floor = 0 } = details.images ?? {};
        expect(steps).toHaveLength(distances.length);
        expect(Math.min(...distances)).toBeGreaterThan(floor);
        expect(details.numbers['fd']).toBe(distances.at(-1));
        expect(details.numbers['auroc.uniform']).toBeGreaterThan(0.5);
      }
    }
  });
});
