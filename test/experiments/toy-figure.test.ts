import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { toyConfig } from '../../src/experiments/toy-config.ts';
import { type ToyFigureData, toyModelOptions } from '../../src/experiments/toy-figure.ts';
import { TOY_FIGURES, toyPlan, withMethods } from '../../src/experiments/toy-plans.ts';
import { toyClaims, toyLossTable, toyTable } from '../../src/experiments/toy-table.ts';

const metrics = (gridKl: number, share: number, mmd = 0.01) => ({
  modesCovered: 25,
  modes: 25,
  shareWithin4Sigma: share,
  gridKl,
  mmd,
});

/** A figure whose models got the given numbers, by name of the model. */
function figure(
  number: string,
  of: (id: string, dataset: string, factor: number) => ReturnType<typeof metrics>,
): ToyFigureData {
  const plan = toyPlan(number);
  const panels = plan.datasets.flatMap((dataset) =>
    plan.models.map((model) => ({
      model,
      dataset,
      metrics: of(model.id, dataset, model.densityFactor ?? 1),
      steps: 7,
      seconds: 1.26,
      environment: { cpu: 'Abacus', cores: 3 },
    })),
  );
  return { plan, panels, data: [] } as unknown as ToyFigureData;
}

describe('the plans of the toy figures', () => {
  it.each(TOY_FIGURES)('figure %s asks for configurations that exist', (number) => {
    const plan = toyPlan(number);
    for (const dataset of plan.datasets) {
      for (const model of plan.models) {
        const config = toyConfig(toyModelOptions(model, dataset));
        expect(config).toMatchObject({ method: model.method, dataset });
      }
    }
  });

  it('gives two models of a method two checkpoints, unless they are the same training', () => {
    for (const number of TOY_FIGURES) {
      const { models } = toyPlan(number);
      for (const a of models) {
        for (const b of models) {
          const same = JSON.stringify(a.overrides) === JSON.stringify(b.overrides);
          expect(a.id === b.id).toBe(a.method === b.method && same);
        }
      }
    }
  });

  it('can be cut to some methods', () => {
    const plan = withMethods(toyPlan('1'), ['ddaebm', 'meg']);
    expect(plan.models.map((model) => model.id)).toEqual(['meg', 'ddaebm']);
    expect(() => withMethods(toyPlan('1'), ['drl'])).toThrow(ConfigError);
    expect(() => withMethods(toyPlan('1'), ['drl'])).toThrow(/method of figure 1 'drl'.*bidvl/);
  });
});

describe('the table and the claims', () => {
  it('say of figure 1 what holds', () => {
    const good = figure('1', (id) => (id === 'ddaebm' ? metrics(1, 0.9, 1e-4) : metrics(2, 0.5)));
    expect(toyClaims(good).map((c) => c.holds)).toEqual([true, true, true, true, true, false]);
    const bad = figure('1', (id) => (id === 'ddaebm' ? metrics(3, 0.1) : metrics(2, 0.5)));
    expect(toyClaims(bad).map((c) => c.holds)).toEqual([true, false, false, false, false, true]);
  });

  it('count an equal number as no win', () => {
    const equal = toyClaims(figure('7', () => metrics(1, 1, 0.5)));
    expect(equal.map((claim) => claim.holds)).toEqual([false, false]);
  });

  it('compare the two temperatures of DRL', () => {
    const kl = (_id: string, _dataset: string, factor: number) =>
      metrics(factor === 1 ? 2 : 40, 0.5);
    const [temperature] = toyClaims(figure('6', kl));
    expect(temperature).toMatchObject({ found: 'KL 40.00 as trained, 2.00 scaled', holds: true });
  });

  it('does not call a claim true whose model is missing', () => {
    const whole = figure('6', () => metrics(1, 1));
    const claims = toyClaims({ ...whole, panels: [] });
    expect(claims.every((claim) => claim.holds === undefined)).toBe(true);
    expect(claims[1].found).toBe('not trained: DDAEBM, DRL (energy × 0.01)');
  });

  it('has a row per panel', () => {
    const rows = toyTable(figure('6', () => metrics(1.234, 0.567)));
    expect(rows).toHaveLength(5);
    expect(rows[1]).toEqual({
      'data set': '25gaussians',
      method: 'DRL (as trained)',
      modes: '25 of 25',
      'within 4σ': '56.7 %',
      'grid KL, nat': '1.23',
      'MMD²': '1.0e-2',
      iterations: '7',
      seconds: '1',
      on: 'Abacus, 3 cores',
    });
  });

  it('says of each training once how its loss went', () => {
    const whole = figure('6', () => metrics(1, 1));
    const curve = {
      steps: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
      losses: { energyLoss: Array(10).fill(2) },
    };
    const rows = toyLossTable({
      ...whole,
      panels: whole.panels.map((panel) => ({ ...panel, curve })),
    });
    expect(rows.map((row) => row.method)).toEqual([
      'Score flow',
      'DRL (energy × 0.01)',
      'DDGAN (D(x, t) + log q)',
      'DDAEBM',
    ]);
    expect(rows[0]).toMatchObject({ 'first tenth': '2.00', 'last tenth': '2.00' });
    expect(toyLossTable(whole)).toEqual([]);
  });
});
