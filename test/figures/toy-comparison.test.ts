import { describe, expect, it } from 'vitest';
import { comparisonPanels } from '../../src/figures/comparison-panels.ts';
import { renderPng, renderSvg } from '../../src/figures/render.ts';
import { toyComparison } from '../../src/figures/toy-comparison.ts';
import { toyCurves } from '../../src/figures/toy-curves.ts';

const SIZE = 20;
const bump = Array.from({ length: SIZE * SIZE }, (_, i) => -(((i % SIZE) - 9) ** 2) / 8);
const data = ['25gaussians', 'pinwheel'].map((dataset) => ({
  dataset,
  points: [0, 0, 1, 1],
  logDensity: bump,
  gridSize: SIZE,
}));
const methods = [{ title: 'MEG' }, { title: 'DDGAN' }];
const models = data.flatMap(({ dataset }) =>
  methods.map((model) => ({
    model,
    dataset,
    logDensity: model.title === 'DDGAN' ? undefined : bump,
    config: { evaluation: { gridSize: SIZE } },
    samples: new Float32Array(5000),
    metrics:
      dataset === 'pinwheel'
        ? { mmd: 1e-3 }
        : { modesCovered: 24, modes: 25, shareWithin4Sigma: 0.531, gridKl: 1.234, mmd: 1e-3 },
    steps: model.title === 'MEG' ? 30_000 : 8000,
    seed: 3,
  })),
);
const figure = toyComparison({
  plan: { title: 'Title', rows: ['density', 'samples'], models: methods },
  data,
  panels: models,
});

describe('the comparison of methods on toy data', () => {
  it('says in its caption what was trained', () => {
    const caption = figure.caption.replaceAll('\u00a0', ' ');
    expect(caption).toContain('25 Gaussians: MEG 30 000, DDGAN 8000; Pinwheel: MEG 30 000');
    expect(caption).toContain('seed 3');
  });

  it('shows a density row and a row of samples for each data set', () => {
    const spec = comparisonPanels(figure) as { columns: number; concat: { mark: object }[] };
    expect(spec.columns).toBe(3);
    const kinds = spec.concat.map(({ mark }) => (mark as { type: string }).type);
    expect(kinds).toEqual(
      ['image', 'image', 'circle', ...new Array(3).fill('circle')].concat([
        'image',
        'image',
        'circle',
        ...new Array(3).fill('circle'),
      ]),
    );
  });

  it('notes under each panel what is known of it', () => {
    const [gaussians, pinwheel] = figure.groups;
    expect(gaussians.methods[0].densityNote).toBe('KL 1.23 nat');
    expect(gaussians.methods[0].samplesNote).toBe('24 of 25, 53 % within 4σ');
    expect(pinwheel.methods[0].samplesNote).toBe('MMD² 1.0e-3');
    expect(gaussians.methods[0].samples).toHaveLength(2000);
  });

  it('keeps the columns apart where a model was not trained', () => {
    const { groups } = toyComparison({
      plan: { title: 'Title', rows: ['samples'], models: methods },
      data,
      panels: models.slice(1),
    });
    expect(groups.map((group) => group.methods.length)).toEqual([2, 2]);
    expect(groups[0].methods[0]).toEqual({ title: 'MEG', absent: 'not trained' });
    expect(groups[0].methods[1].samples).toHaveLength(2000);
  });

  it('zooms into the 25 Gaussians by enlarging the picture of the whole grid', () => {
    const { concat } = comparisonPanels(figure) as unknown as {
      concat: { mark: { width?: number } }[];
    };
    const [zoomed, whole] = [concat[1].mark.width ?? 0, concat[7].mark.width ?? 0];
    expect(zoomed / whole).toBeCloseTo(2, 12);
  });

  it('is drawn as the same bytes each time', async () => {
    const draw = async () => {
      const svg = await renderSvg(comparisonPanels(figure), { seed: 3 });
      return { svg, png: Buffer.from(renderPng(svg, 1)) };
    };
    const [first, second] = [await draw(), await draw()];
    expect(second.svg).toBe(first.svg);
    expect(second.png.equals(first.png)).toBe(true);
  });
});

describe('the learning curves', () => {
  const curve = (names: readonly string[]) => ({
    steps: [100, 200],
    losses: Object.fromEntries(names.map((name, i) => [name, [i + 1, i + 0.5]])),
  });
  const panel = (id: string, dataset: string, names: readonly string[]) => ({
    model: { id, title: id.toUpperCase() },
    dataset,
    steps: 200,
    curve: curve(names),
  });
  const spec = toyCurves({
    panels: [
      panel('meg', 'pinwheel', ['energyLoss', 'generatorLoss']),
      panel('drl', 'pinwheel', ['energyLoss']),
    ],
  }) as { columns: number; concat: { data: { values: string } }[] };

  it('have a column per training, the energy above what samples', () => {
    expect(spec.columns).toBe(2);
    expect(spec.concat.map(({ data: { values } }) => values)).toEqual([
      'x,y\n0.1,1\n0.2,0.5',
      'x,y\n0.1,1\n0.2,0.5',
      'x,y\n0.1,2\n0.2,1.5',
      'x,y',
    ]);
  });

  it('are drawn', async () => {
    const svg = await renderSvg(spec, {});
    for (const text of ['MEG', 'DRL', 'Pinwheel', 'energy', 'sampler']) expect(svg).toContain(text);
  });
});
