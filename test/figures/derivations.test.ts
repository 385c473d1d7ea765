import { describe, expect, it } from 'vitest';
import type { Spec } from '../../src/figures/density-panels.ts';
import { coefficientFigure } from '../../src/figures/derivation-diffusion.ts';
import { divergenceFigure } from '../../src/figures/derivation-divergences.ts';
import { entropyFigure } from '../../src/figures/derivation-entropy.ts';
import { derivationPanels } from '../../src/figures/derivation-panels.ts';
import { penaltyFigure } from '../../src/figures/derivation-penalty.ts';
import { recoveryFigure, recoveryFitFigure } from '../../src/figures/derivation-recovery.ts';
import { weightFigure } from '../../src/figures/derivation-weight.ts';
import { textWidth } from '../../src/figures/font.ts';
import { renderSvg } from '../../src/figures/render.ts';

const x = Array.from({ length: 401 }, (_, i) => -4 + i / 50);
const bell = (mean: number, sd: number) =>
  x.map((v) => Math.exp(-0.5 * ((v - mean) / sd) ** 2) / (sd * Math.sqrt(2 * Math.PI)));
const waves = Array.from({ length: 500 }, (_, i) => 1 + 0.5 * Math.sin(i * i));
const gradient = { exact: 1, pairs: { mean: 1.01, standardError: 0.02 } };

const FIGURES: Record<string, Spec> = {
  coefficients: coefficientFigure([
    { name: 'one', c1: [1, 0.6, 0.3], c2: [0, 0.2, 0.1], variance: [0, 0.4, 0.9] },
    { name: 'two', c1: [1, 0.5], c2: [0, 0.3], variance: [0, 0.2] },
  ]),
  recovery: recoveryFigure({
    x,
    marginals: [bell(0, 0.5), bell(0, 1)],
    conditionals: [{ xNext: -0.5, density: bell(-0.5, 0.4) }],
    minority: [
      { steps: 1, mass: 0.3 },
      { steps: 4, mass: 0.1 },
    ],
    marginalMinority: 0.3,
  }),
  fit: recoveryFitFigure({
    x,
    target: bell(0.5, 0.4),
    snapshots: [
      { step: 0, density: bell(0, 1) },
      { step: 9, density: bell(0.5, 0.42) },
    ],
    objective: Array.from({ length: 9 }, (_, i) => 0.7 - 1 / (i + 1)),
    optimum: 0.7001,
  }),
  divergences: divergenceFigure({
    x,
    target: bell(-1, 0.3),
    fits: { reverse: bell(-1, 0.3), forward: bell(-0.8, 0.6), jeffreys: bell(-0.9, 0.5) },
    means: x,
    reverse: x.map((v) => v * v),
    forward: x.map((v) => (v - 1) ** 2),
    sd: 0.4,
  }),
  entropy: entropyFigure({
    z: x,
    posteriors: [{ x: -0.6, exact: bell(0, 1), encoder: bell(0.3, 1) }],
    bounds: [{ name: 'prior p(z)', entropy: 1.1, slack: 0.2 }],
  }),
  weight: weightFigure({
    x,
    data: bell(0, 1),
    model: bell(0.2, 0.9),
    ratio: x.map(() => 1.1),
    constant: 0.92,
    curves: [{ name: '(1, 1)', tau: [0, 1], weight: [1, 1], used: [{ tau: 0.5, weight: 1 }] }],
  }),
  penalty: penaltyFigure({
    pairs: waves.map((v) => v + 1),
    plain: waves,
    exact: 1,
    constant: 1,
    gradients: [{ ...gradient, plain: { mean: 0.99, standardError: 0.01 } }],
  }),
};

/** All words that a picture shows. */
function texts(node: unknown): string[] {
  if (Array.isArray(node)) return node.flatMap(texts);
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([name, value]) => {
    const words = name === 'text' || name === 'title' || name === 'subtitle';
    if (words && typeof value === 'string') return [value];
    if (words && Array.isArray(value)) return value.map(String);
    return texts(value);
  });
}

describe.each(Object.entries(FIGURES))('the picture %s', (_name, spec) => {
  it('is drawn without a complaint, the same each time', async () => {
    const svg = await renderSvg(spec, { test: true });
    expect(svg).not.toMatch(/NaN|undefined|null/);
    expect(await renderSvg(spec, { test: true })).toBe(svg);
  });

  it('uses only letters that the bundled font has', () => {
    const missing = textWidth('\uffff', 1);
    const shown = [...new Set(texts(spec).join(''))];
    expect(shown.length).toBeGreaterThan(5);
    expect(shown.filter((letter) => textWidth(letter, 1) === missing)).toEqual([]);
  });

  it('is light enough for a notebook', () => {
    expect(JSON.stringify(spec).length).toBeLessThan(30_000);
  });
});

describe('panels', () => {
  const x = { domain: [0, 1] as const };
  const y = { domain: [0, 1] as const };

  it('thin curves out, shift ridges and leave out what is not finite', () => {
    const long = Array.from({ length: 1000 }, (_, i) => i / 1000);
    const spec = derivationPanels({
      title: 't',
      caption: 'c',
      panels: [
        {
          title: 'p',
          x,
          y,
          curves: [
            { x: long, y: long, colour: 'red' },
            { x: [0, 1, 2], y: [1, Number.NaN, 3], base: 10, colour: 'red' },
          ],
        },
      ],
    }) as unknown as { hconcat: { layer: { data: { values: string } }[] }[] };
    const [first, second] = spec.hconcat[0].layer.map((l) => l.data.values.split('\n'));
    expect(first.length).toBeLessThan(110);
    expect(first.length).toBeGreaterThan(60);
    expect(second).toEqual(['x,y', '0,11', '2,13']);
  });
});
