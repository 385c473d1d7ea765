import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, DataError } from '../../src/core/errors.ts';
import { integers } from '../../src/core/random.ts';
import { sweepExperiment } from '../../src/sweep/experiments.ts';
import { type SweepSpec, sweepPlan } from '../../src/sweep/plan.ts';
import { RunStore } from '../../src/train/store/run-store.ts';

const IMAGES = 600;

let folder: string;
/** As many made-up digits as the smoke presets ask for, so that the tests need no download. */
function writeDigits(to: string): void {
  for (const [stem, step] of [
    ['train', 0],
    ['t10k', 1],
  ] as const) {
    const pixels = integers({ seed: 0, stream: 'pixels', step }, 784 * IMAGES, 256);
    const images = Buffer.alloc(16 + pixels.length);
    for (const [i, word] of [0x803, IMAGES, 28, 28].entries()) images.writeUInt32BE(word, 4 * i);
    images.set(Uint8Array.from(pixels), 16);
    writeFileSync(join(to, `${stem}-images-idx3-ubyte`), images);
    const labels = Buffer.alloc(8 + IMAGES);
    for (const [i, word] of [0x801, IMAGES].entries()) labels.writeUInt32BE(word, 4 * i);
    for (let i = 0; i < IMAGES; i++) labels[8 + i] = i % 10;
    writeFileSync(join(to, `${stem}-labels-idx1-ubyte`), labels);
  }
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gibbs-sweep-experiments-'));
  writeDigits(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function runFirst(spec: SweepSpec) {
  const [task] = sweepPlan(spec).tasks;
  const root = join(folder, `store-${spec.experiment}`);
  const run = () => sweepExperiment(spec.experiment).run(task.options, place);
  const steps: number[] = [];
  const place = {
    root,
    labels: { sweep: 'test' },
    onProgress: ({ step }: { step: number }) => steps.push(step),
  };
  return { first: await run(), again: await run(), steps, store: RunStore.open(root) };
}

describe('experiments of a sweep', () => {
  it.each<[SweepSpec, number, string]>([
    [
      {
        experiment: 'nice',
        method: 'mle',
        preset: 'smoke',
        grid: { 'network.width': [8] },
        overrides: { batch: 32 },
      },
      6,
      'test',
    ],
    [{ experiment: 'stacked', preset: 'smoke', grid: { 'objective.gamma': [0.1] } }, 4, 'klToData'],
    [
      { experiment: 'latent-prior', preset: 'smoke', grid: { 'objective.particles': [2] } },
      5,
      'detection.noise.joint',
    ],
  ])('%o runs, is kept in the store and reused', async (spec, steps, metric) => {
    const { first, again, store } = await runFirst({ ...spec, data: folder });
    expect(first).toMatchObject({ steps, reused: false });
    expect(first.metrics[metric]).toBeTypeOf('number');
    expect(again).toEqual({ ...first, reused: true });
    expect(store.get(first.key)).toMatchObject({ status: 'finished', labels: { sweep: 'test' } });
  });

  it('ed-density runs one method with settings of its own', async () => {
    const { first, steps } = await runFirst({
      experiment: 'ed-density',
      preset: 'smoke',
      grid: { 'method.stabiliser': [0.5] },
      overrides: { steps: 10, width: 8, 'evaluation.every': 5 },
    });
    expect(first.steps).toBe(10);
    expect(Math.max(...steps)).toBe(10);
    expect(Number.isFinite(first.metrics['mse'])).toBe(true);
  });

  it('says where MNIST would have to be', async () => {
    const spec = { experiment: 'nice', preset: 'smoke', grid: {}, data: join(folder, 'none') };
    await expect(runFirst(spec)).rejects.toThrow(DataError);
    await expect(runFirst(spec)).rejects.toThrow(/gibbs data fetch mnist/);
  });

  it.each<[SweepSpec, RegExp]>([
    [{ experiment: 'latent-prior', method: 'mle', grid: {} }, /'latent-prior' has no 'method'/],
    [{ experiment: 'nice', grid: { dataset: ['mnist'] } }, /'nice' has no 'dataset' to choose/],
    [{ experiment: 'toy', data: '/tmp', grid: {} }, /'toy' has no 'data' to choose/],
    [{ experiment: 'ed-density', method: 'ddaebm', grid: {} }, /known: energy-discrepancy, score/],
    [
      { experiment: 'ed-density', method: 'score-matching', grid: { 'method.stabiliser': [1] } },
      /unknown setting 'method.stabiliser'/,
    ],
    [{ experiment: 'stacked', grid: { 'objective.gama': [1] } }, /did you mean 'objective.gamma'/],
    [{ experiment: 'cifar10', grid: { 'network.widht': [8] } }, /did you mean 'network.width'/],
  ])('refuses %o before anything is started', (spec, message) => {
    expect(() => sweepPlan(spec)).toThrow(ConfigError);
    expect(() => sweepPlan(spec)).toThrow(message);
  });
});
