import { describe, expect, it } from 'vitest';
import {
  type EdComparisonPicture,
  type EdDensityPicture,
  edDensityFigure,
  edErrorFigure,
  edGridFigure,
} from '../../src/figures/ed-density.ts';
import { edMyopiaFigure } from '../../src/figures/ed-myopia.ts';
import { edStabilisationFigure } from '../../src/figures/ed-w-stabilisation.ts';
import { provenanceOf, renderSvg } from '../../src/figures/render.ts';

const SIZE = 12;
const blob = { data: Array.from({ length: SIZE * SIZE }, (_, i) => -(((i % SIZE) - 3) ** 2)) };
const config = {
  steps: 200,
  batch: 16,
  evaluation: { gridSize: SIZE, limit: 4, points: 100 },
};
const trained = (name: string, factor: number): EdDensityPicture => ({
  method: { name },
  config,
  numbers: { gridKl: factor, modesFound: 7 },
  errors: [0, 100, 200].map((step) => ({ step, mse: factor * (3 - step / 100) + 0.01 })),
  logDensity: blob,
});
const comparison: EdComparisonPicture = {
  seed: 4,
  truth: blob,
  runs: [
    trained('energy-discrepancy', 0.5),
    trained('score-matching', 20),
    trained('contrastive-divergence', 1),
  ],
};
const text = (svg: string) => svg.replaceAll(/<[^>]*>/g, ' ').replaceAll('&nbsp;', ' ');
const count = (svg: string, pattern: RegExp) => [...svg.matchAll(pattern)].length;

describe('the pictures of the density experiment', () => {
  it('draw the errors of each method twice, with names', async () => {
    const svg = await renderSvg(edErrorFigure(comparison), { seed: 4 });
    for (const name of ['Energy discrepancy', 'Score matching', 'Contrastive divergence']) {
      expect(text(svg)).toContain(name);
    }
    expect(count(svg, /class="mark-line[^"]*"/g)).toBe(6);
    expect(provenanceOf(svg)).toEqual({ seed: 4 });
  });

  it('clip what leaves the published frame instead of widening it', () => {
    const spec = JSON.stringify(edErrorFigure(comparison));
    expect(spec).toContain('"domain":[-0.2,5.2]');
    // 60.01 is drawn at most ten times above the frame.
    expect(spec).toContain('0,52\\n100,40.01');
  });

  it('show the data and one density per method', async () => {
    const svg = await renderSvg(edDensityFigure(comparison), {});
    expect(count(svg, /<image /g)).toBe(4);
    expect(text(svg)).toContain('7 modes, KL 20 nat');
  });

  it('leave the frame of a diverged training empty and say so', async () => {
    const row = { noiseScale: 1, stabiliser: 0, config };
    const svg = await renderSvg(
      edGridFigure({
        seed: 0,
        cells: [
          { ...row, particles: 1, failure: 'NaN' },
          { ...row, particles: 4, trained: trained('energy-discrepancy', 0.5) },
        ],
      }),
      {},
    );
    expect(count(svg, /<image /g)).toBe(1);
    expect(text(svg)).toContain('diverged');
    expect(text(svg)).toContain('√t = 1, w = 0');
    expect(text(svg)).toContain('M = 4');
  });
});

describe('the picture of nearsightedness', () => {
  const weights = [0.1, 0.2, 0.5, 0.9];
  const curve = (loss: string, t?: number) => ({
    loss,
    ...(t !== undefined && { t }),
    sample: [0.01, 0, 0.02, 0.3],
    exact: [0.02, 0, 0.03, 0.4],
  });
  const picture = {
    seed: 1,
    config: {
      points: 10,
      weight: 0.2,
      centre: 5,
      particles: 4,
      stabiliser: 1,
      limit: 10,
    },
    weights,
    density: { x: [-10, 0, 10], p: [0, 0.3, 0] },
    curves: [
      curve('score-matching'),
      curve('maximum-likelihood'),
      ...[2, 4, 8, 32].map((t) => curve('energy-discrepancy', t)),
    ],
  };

  it('draws six losses twice beside the data', async () => {
    const svg = await renderSvg(edMyopiaFigure(picture), {});
    for (const t of [2, 4, 8, 32]) expect(text(svg)).toContain(`discrepancy, t = ${t}`);
    // Six losses and the true weight in each of two frames.
    expect(count(svg, /class="mark-line[^"]*"/g)).toBeGreaterThanOrEqual(14);
  });
});

describe('the picture of the stabiliser', () => {
  const result = (seed: number) => ({
    seed,
    config: { points: 10, steps: 5, variance: 1, particles: 4 },
    x: [-3, 0, 2.9],
    runs: [0, 0.1, 1, 4].map((stabiliser) => ({ stabiliser, energy: [4, 0, 4] })),
  });

  it('gives further seeds a panel of their own', async () => {
    const one = await renderSvg(edStabilisationFigure([result(0)]), {});
    expect(text(one)).toContain('Seed 0');
    expect(count(one, /class="mark-line[^"]*"/g)).toBe(5);
    const three = await renderSvg(edStabilisationFigure([0, 1, 2].map(result)), {});
    expect(text(three)).toContain('Seeds 1, 2');
    expect(count(three, /class="mark-line[^"]*"/g)).toBe(5 + 9);
  });
});
