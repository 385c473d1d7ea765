import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MNIST_FIGURES, writeMnistFigure } from '../../src/cli/mnist-figure.ts';
import { InterruptedError } from '../../src/core/errors.ts';
import { loadMnist } from '../../src/datasets/image-set.ts';
import { type KeptRun, type KeptRunOptions, shipRun } from '../../src/experiments/kept-run.ts';
import { runLatentPrior } from '../../src/experiments/latent-prior.ts';
import {
  accuracyOf,
  loadMnistClassifier,
  trainMnistClassifier,
} from '../../src/experiments/mnist-classifier.ts';
import { estimateNice, runNice } from '../../src/experiments/nice.ts';
import { countOfData, picturesOfData, runStacked } from '../../src/experiments/stacked.ts';
import { provenanceOf } from '../../src/figures/render.ts';
import { patchDigits } from '../experiments/patch-digits.ts';

let root: string;
let data: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'gibbs-mnist-'));
  data = patchDigits(join(root, 'digits'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Options = KeptRunOptions & { readonly preset: string; readonly data: string };
type Trained = KeptRun<object, object>;

const EXPERIMENTS: readonly (readonly [string, (options: Options) => Promise<Trained>])[] = [
  ['nice mle', async (o) => (await runNice({ ...o, method: 'mle' })).run],
  ['nice ddaebm', async (o) => (await runNice({ ...o, method: 'ddaebm' })).run],
  ['stacked wgan-0gp', async (o) => (await runStacked({ ...o, method: 'wgan-0gp' })).run],
  ['stacked ddaebm', async (o) => (await runStacked({ ...o, method: 'ddaebm' })).run],
  ['latent-prior', async (o) => (await runLatentPrior(o)).run],
];

describe.each(EXPERIMENTS)('%s in the smoke preset', (name, run) => {
  const place = (folder: string) => join(root, name.replace(' ', '-'), folder);
  const options = (folder: string): Options => ({
    preset: 'smoke',
    data,
    root: place(folder),
    shipped: null,
    checkpointSeconds: 0,
  });
  let whole: Trained;

  it('trains and is kept', async () => {
    whole = await run(options('whole'));
    expect(whole.origin).toBe('trained');
    for (const { data: values } of Object.values(whole.arrays)) {
      expect(Array.from(values as Float32Array).every(Number.isFinite)).toBe(true);
    }
    const again = await run(options('whole'));
    expect(again).toMatchObject({ origin: 'kept', checksum: whole.checksum });
  });

  it('stopped after two iterations, ends with the same bits and numbers', async () => {
    const stop = new AbortController();
    const first = run({
      ...options('stopped'),
      signal: stop.signal,
      onProgress: ({ step }) => {
        if (step >= 2) stop.abort();
      },
    });
    await expect(first).rejects.toThrow(InterruptedError);
    const steps: number[] = [];
    const rest = await run({
      ...options('stopped'),
      onProgress: ({ step, phase }) => {
        if (phase !== 'done') steps.push(step);
      },
    });
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(2);
    expect(rest.checksum).toBe(whole.checksum);
    expect(rest.numbers).toEqual(whole.numbers);
    expect(rest.arrays).toEqual(whole.arrays);
  });

  it('is redrawn without the data once it has been shipped', async () => {
    const shipped = place('shipped');
    shipRun(name.split(' ')[0], whole, shipped);
    const absent = join(root, 'no-such-folder');
    const found = await run({ ...options('elsewhere'), data: absent, shipped });
    expect(found).toMatchObject({ origin: 'shipped', checksum: whole.checksum });
    expect(found.arrays).toEqual(whole.arrays);
  });

  it('says where the data come from when they are missing', async () => {
    const absent = join(root, 'no-such-folder');
    const asked = run({ ...options('absent'), data: absent });
    await expect(asked).rejects.toThrow(/no-such-folder: .*gibbs data fetch mnist/);
  });
});

describe('the pieces around the runs', () => {
  it('measure iterations without leaving a run behind', async () => {
    const { steps, secondsPerStep, seconds } = await estimateNice({ preset: 'smoke', data });
    expect(steps).toBe(6);
    expect(secondsPerStep).toBeGreaterThan(0);
    expect(seconds).toBeCloseTo(steps * secondsPerStep);
  });

  it('count real triples and show them', () => {
    const count = countOfData(300, { data });
    expect(count.samples).toBe(300);
    // Squares are no digits: how many modes the classifier sees in them is not known, the bounds are.
    expect(count.klToUniform).toBeGreaterThanOrEqual(Math.log(1000 / count.modes) - 1e-9);
    const { data: values, shape } = picturesOfData(9, { data });
    expect(shape).toEqual([9, 3, 32, 32]);
    expect(Math.min(...(values as Float32Array))).toBeGreaterThanOrEqual(0);
    expect(Math.max(...(values as Float32Array))).toBeGreaterThan(0.9);
  });

  it('are drawn as files that say what they are of', async () => {
    const options = { preset: 'smoke', data, root: join(root, 'figure'), shipped: null };
    const paths = await writeMnistFigure('latent-prior', join(root, 'drawn'), options);
    expect(paths.map((path) => basename(path))).toEqual(
      ['pictures', 'energy'].flatMap((part) =>
        ['svg', 'png', 'json'].map((extension) => `latent-prior-${part}.${extension}`),
      ),
    );
    const details = JSON.parse(readFileSync(paths[2], 'utf8'));
    expect(details).toMatchObject({ preset: 'smoke', runs: [{ seed: 0, steps: 5 }] });
    expect(details.numbers.reconstructionError).toBeGreaterThan(0);
    const svg = readFileSync(paths[0], 'utf8');
    expect(provenanceOf(svg)).toMatchObject({ runs: [{ key: details.runs[0].key }] });
    expect(MNIST_FIGURES).toContain('2');
  });

  it('train a classifier that its file remembers', async () => {
    const path = join(root, 'classifier.safetensors');
    const record = await trainMnistClassifier(path, { steps: 40, data, root: join(root, 'runs') });
    expect(record.accuracy).toBeGreaterThan(0.8);
    expect(readFileSync(path).length).toBeLessThan(2 * 2 ** 20);
    const stored = loadMnistClassifier(path);
    expect(stored.record.accuracy).toBe(record.accuracy);
    expect(accuracyOf(stored.classify, loadMnist(data, 'test'))).toBe(record.accuracy);
  });
});
