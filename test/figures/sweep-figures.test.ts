import * as vega from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { renderSvg } from '../../src/figures/render.ts';
import { sweepLines } from '../../src/figures/sweep-lines.ts';
import { sweepPanels } from '../../src/figures/sweep-panels.ts';
import { meanRows } from '../../src/figures/sweep-runs.ts';

const runs = [1, 4].flatMap((T) =>
  ['jeffreys', 'kl'].flatMap((divergence) =>
    [0, 1].map((seed) => ({
      settings: { 'diffusion.T': T, 'objective.divergence': divergence },
      seed,
      key: `toy/${T}-${divergence}-${seed}`,
      metrics: {
        gridKl: T + seed / 2 + (divergence === 'kl' ? 0.25 : 0),
        mmd: T === 1 ? -1e-4 : 1e-4,
      },
    })),
  ),
);

/** Every run has a sample of its own, so that it can be told whose samples are shown. */
const sampleOf = (key: string | null) => runs.findIndex((run) => run.key === key) / 10;

const swept = {
  name: 'levels',
  measured: () => runs,
  details: ({ key }: { key: string | null }) => ({
    curve: { steps: [100, 200], losses: { energyLoss: [1, 2], generatorLoss: [3, 4] } },
    samples: [sampleOf(key), sampleOf(key)],
  }),
};

async function viewOf(spec: object): Promise<vega.View> {
  const view = new vega.View(vega.parse(compile(spec as TopLevelSpec).spec), { renderer: 'none' });
  return view.runAsync();
}

/** The rows of the data that the marks of one encoding field are drawn from. */
function shown(view: vega.View, field: string): Record<string, unknown>[] {
  const { data } = view.getState({ data: () => true }) as { data: Record<string, unknown> };
  const tables = Object.keys(data).map((name) => view.data(name) as Record<string, unknown>[]);
  return tables.find((rows) => rows.length > 0 && typeof rows[0][field] === 'number') ?? [];
}

describe('sweepPanels', () => {
  const spec = sweepPanels(swept, { y: 'gridKl' });

  it('shows the best run at first, and another one when it is clicked', async () => {
    const view = await viewOf(spec);
    expect(shown(view, 'u')).toMatchObject([{ run: 'toy/1-jeffreys-0', u: 0, v: 0 }]);
    const [row] = view.data('chosen_store') as Record<string, unknown>[];
    view.change(
      'chosen_store',
      vega
        .changeset()
        .remove(() => true)
        .insert([{ unit: row['unit'], fields: row['fields'], values: ['toy/4-kl-1'] }]),
    );
    await view.runAsync();
    expect(shown(view, 'u')).toMatchObject([{ run: 'toy/4-kl-1', u: 0.7, v: 0.7 }]);
    view.finalize();
  });

  it('is drawn as a picture without a warning, also without curves and samples', async () => {
    expect(await renderSvg(spec, {})).toContain('Samples of the chosen run');
    const bare = { ...swept, details: () => undefined };
    const svg = await renderSvg(sweepPanels(bare, { y: 'mmd', colour: undefined }), {});
    expect(svg).not.toContain('of the chosen run');
    expect(svg).toContain('levels');
  });

  it('refuses what no run has, and a sweep without runs', () => {
    expect(() => sweepPanels(swept, { y: 'gridKL' })).toThrow(/did you mean 'gridKl'/);
    expect(() => sweepPanels(swept, { y: 'gridKl', x: 'T' })).toThrow(ConfigError);
    const none = { ...swept, measured: () => [] };
    expect(() => sweepPanels(none, { y: 'gridKl' })).toThrow(/it has no runs/);
  });
});

describe('sweepLines', () => {
  it('draws the mean over seeds for each point', async () => {
    const spec = sweepLines(swept, { panels: [{ metric: 'gridKl', title: 'KL' }] });
    const view = await viewOf(spec);
    const means = shown(view, 'mean').map((row) => [row['x'], row['c'], row['mean']]);
    expect(means).toContainEqual(['1', 'jeffreys', 1.25]);
    expect(means).toContainEqual(['4', 'kl', 4.5]);
    view.finalize();
    expect(await renderSvg(spec, {})).toContain('divergence');
  });

  it('has bars of one standard error, of no length for a single run', async () => {
    expect(
      meanRows(runs, 'gridKl', { x: 'diffusion.T', colour: undefined, log: false })[0],
    ).toEqual({
      x: '1',
      c: '',
      mean: 1.375,
      // Of 1, 1.5, 1.25, 1.75.
      low: 1.375 - Math.sqrt(0.3125 / 3 / 4),
      high: 1.375 + Math.sqrt(0.3125 / 3 / 4),
    });
    const alone = { ...swept, measured: () => runs.filter(({ seed }) => seed === 0) };
    const [row] = meanRows(alone.measured(), 'gridKl', {
      x: 'diffusion.T',
      colour: 'objective.divergence',
      log: true,
    });
    expect([row.low, row.high]).toEqual([1, 1]);
    expect(await renderSvg(sweepLines(alone, { panels: [{ metric: 'gridKl' }] }), {})).toBeTruthy();
    expect(await renderSvg(sweepPanels(alone, { y: 'gridKl', log: true }), {})).toBeTruthy();
  });

  it('leaves values that a logarithm does not have out', async () => {
    const spec = sweepLines(swept, { panels: [{ metric: 'mmd', log: true }] });
    const panels = spec['hconcat'] as { data: { values: { x: string }[] } }[];
    expect(new Set(panels[0].data.values.map(({ x }) => x))).toEqual(new Set(['4']));
    expect(await renderSvg(spec, {})).toContain('mmd');
  });
});
