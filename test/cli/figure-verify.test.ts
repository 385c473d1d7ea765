import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { figuresIn, firstDifference } from '../../src/cli/figure-files.ts';
import { verifyFigure } from '../../src/cli/figure-verify.ts';
import { writeToyFigure } from '../../src/cli/toy-figure.ts';
import { figureFromRuns } from '../../src/experiments/toy-figure.ts';
import { toyPlan, withMethods } from '../../src/experiments/toy-plans.ts';
import { RunStore } from '../../src/train/store/run-store.ts';

const NAME = 'fig1-toy-density';
const plan = withMethods(toyPlan('1'), ['ddaebm']);
const overrides = {
  steps: 2,
  'network.width': 8,
  'evaluation.samples': 40,
  'evaluation.sampleBatch': 20,
  'evaluation.gridSize': 12,
};

let folder: string;
let copy: string;
const drawn = () => join(folder, 'drawn');
const at = (extension: string) => join(copy, `${NAME}.${extension}`);
const edit = (extension: string, change: (text: string) => string) =>
  writeFileSync(at(extension), change(readFileSync(at(extension), 'utf8')));
const verify = (place = 'store', retrain = false) =>
  verifyFigure(at('json'), {
    root: join(folder, place),
    retrain,
    jobs: 1,
    signal: new AbortController().signal,
  });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gibbs-verify-'));
  const root = join(folder, 'store');
  const data = await figureFromRuns(plan, { preset: 'smoke', overrides, root });
  await writeToyFigure(data, drawn(), 'smoke', root);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(() => {
  copy = mkdtempSync(join(folder, 'copy-'));
  for (const extension of ['json', 'svg', 'png']) {
    copyFileSync(join(drawn(), `${NAME}.${extension}`), at(extension));
  }
});

describe('figure verify', () => {
  it('finds a figure that agrees with its runs, which it names', async () => {
    expect(await verify()).toEqual({
      figure: NAME,
      verdict: 'agrees',
      detail: `the same bytes, 2 models from ${join(folder, 'store')}`,
    });
    const { runs } = JSON.parse(readFileSync(at('json'), 'utf8'));
    const store = RunStore.open(join(folder, 'store'));
    for (const { key, code, checksum, finished } of runs) {
      expect(store.get(key)).toMatchObject({ code, checksum, updated: finished });
    }
  });

  it('does not take the runs of another configuration for those of the figure', async () => {
    const { verdict, detail } = await verify('nowhere');
    expect(verdict).toBe('missing');
    expect(detail).toContain('ddaebm on 25gaussians, ddaebm on pinwheel; --retrain trains them');
  });

  it('tells numbers that are not those of the runs', async () => {
    edit('json', (text) => text.replace(/"mmd": [-\d.e]+/, '"mmd": 0.5'));
    expect(await verify()).toMatchObject({
      verdict: 'differs',
      detail: expect.stringMatching(/^ddaebm on 25gaussians: mmd was 0\.5, is /),
    });
  });

  it('tells another picture of the same numbers', async () => {
    const other = join(folder, 'other');
    mkdirSync(other, { recursive: true });
    const root = join(folder, 'store');
    const data = await figureFromRuns(plan, { preset: 'smoke', overrides, root });
    const moved = data.panels.map((panel) => ({
      ...panel,
      samples: Array.from(panel.samples, (v) => v / 2),
    }));
    await writeToyFigure({ ...data, panels: moved }, other, 'smoke', root);
    for (const extension of ['json', 'svg', 'png']) {
      copyFileSync(join(other, `${NAME}.${extension}`), at(extension));
    }
    expect(await verify()).toMatchObject({
      verdict: 'differs',
      detail: 'the same numbers, but another picture',
    });
  });

  it.each<[string, () => void, RegExp]>([
    ['a missing file', () => rmSync(at('png')), /fig1-toy-density\.png is missing/],
    ['a JSON that is none', () => edit('json', (text) => text.slice(9)), /is no JSON/],
    [
      'a JSON of another seed',
      () => edit('json', (text) => text.replaceAll('"seed": 0', '"seed": 1')),
      /the JSON says something else of seed/,
    ],
    [
      'an SVG that was drawn in',
      () => edit('svg', (text) => text.replace('</svg>', '<rect width="90" height="90"/></svg>')),
      /the PNG does not show the SVG/,
    ],
    [
      'an SVG without provenance',
      () => edit('svg', (text) => text.replace(/<metadata.*?<\/metadata>/s, '')),
      /the SVG carries no provenance/,
    ],
  ])('tells %s', async (_, spoil, message) => {
    spoil();
    const { verdict, detail } = await verify();
    expect(verdict).toBe('differs');
    expect(detail).toMatch(message);
  });

  it('looks a figure of another kind up by the keys of its runs', async () => {
    const rename = (text: string) => text.replaceAll(NAME, 'fig99-other');
    edit('svg', rename);
    edit('json', rename);
    const { renderPng } = await import('../../src/figures/render.ts');
    writeFileSync(at('png'), renderPng(readFileSync(at('svg'), 'utf8')));
    expect(await verify()).toMatchObject({
      verdict: 'agrees',
      detail: expect.stringMatching(/^its 2 runs are in .*, unchanged$/),
    });
    expect(await verify('nowhere')).toMatchObject({ verdict: 'missing' });
  });

  it('lists the figures of a folder', () => {
    expect(figuresIn(copy)).toEqual([at('json')]);
  });
});

describe('firstDifference', () => {
  it('names the first leaf that is missing or other', () => {
    expect(firstDifference({ a: { b: 1 } }, { a: { b: 1, c: 2 } })).toBeUndefined();
    expect(firstDifference({ a: { b: 1 } }, { a: { b: 2 } })).toBe('a.b');
    expect(firstDifference({ a: [1, 2] }, { a: [1] })).toBe('a');
    expect(firstDifference({ a: 1 }, undefined)).toBe('');
  });
});
