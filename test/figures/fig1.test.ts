import { describe, expect, it } from 'vitest';
import { fig1 } from '../../src/figures/fig1.ts';

const setting = {
  preset: 'quick',
  T: 4,
  betaMin: 0.01,
  betaMax: 0.1,
  steps: 12_500,
  batch: 200,
  energyRates: [5e-4],
  generatorRate: 5e-4,
  schedule: 'constant',
  seed: 3,
};
const run = {
  data: new Float32Array(6000),
  samples: new Float32Array(6000),
  logDensity: new Float32Array(100 * 100),
  gridSize: 100,
};
const modes = { modesCovered: 24, modes: 25, shareWithin4Sigma: 0.531, gridKl: 0.314, mmd: 1e-3 };
const plain = (text: string) => text.replaceAll('\u00a0', ' ');

describe('figure 1', () => {
  const figure = fig1(
    [
      { ...run, dataset: '25gaussians', metrics: modes },
      { ...run, dataset: 'line', metrics: { mmd: -2.34e-5 } },
    ],
    setting,
  );

  it('says in its caption what was run', () => {
    expect(plain(figure.caption)).toContain(
      'DDAEBM at the quick preset: T = 4, β from 0.01 to 0.1, 12 500 iterations of batch 200, learning rate 5·10⁻⁴, seed 3.',
    );
    expect(plain(figure.caption)).toContain('a grid of 100 × 100 points');
  });

  it('names two rates where they differ, and their decay', () => {
    const other = fig1([], {
      ...setting,
      energyRates: [5e-4, 2e-3, 5e-4],
      generatorRate: 1e-3,
      schedule: 'cosine',
    });
    expect(plain(other.caption)).toContain(
      'learning rates 5·10⁻⁴ and 0.002 (energy) and 0.001 (generator), cosine decay',
    );
  });

  it('notes under each panel what is known of it', () => {
    const [gaussians, line] = figure.rows;
    expect(gaussians.title).toBe('25 Gaussians');
    expect(gaussians.methods[0].densityNote).toBe('KL(data ‖ model) = 0.31 nat');
    expect(gaussians.methods[0].samplesNote).toBe('24 of 25 modes, 53 % within 4σ');
    expect(line.methods[0].densityNote).toBeUndefined();
    expect(line.methods[0].samplesNote).toBe('MMD² = -2.3·10⁻⁵');
  });

  it('shows a thousand points', () => {
    expect(figure.rows[0].data).toHaveLength(2000);
    expect(figure.rows[0].methods[0].samples).toHaveLength(2000);
  });
});
