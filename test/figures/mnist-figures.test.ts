import { describe, expect, it } from 'vitest';
import { ShapeError } from '../../src/core/errors.ts';
import { latentEnergyFigure, latentPicturesFigure } from '../../src/figures/latent-prior.ts';
import { fullSquare, mosaic } from '../../src/figures/mosaic.ts';
import { niceCurvesFigure, niceSamplesFigure } from '../../src/figures/nice.ts';
import { sizeOfPng } from '../../src/figures/png.ts';
import { renderSvg } from '../../src/figures/render.ts';
import { stackedCurvesFigure, stackedSamplesFigure } from '../../src/figures/stacked.ts';

const text = (svg: string) => svg.replaceAll(/<[^>]*>/g, ' ').replaceAll('&nbsp;', ' ');
const count = (svg: string, pattern: RegExp) => [...svg.matchAll(pattern)].length;
const bytesOf = (url: string) => Buffer.from(url.split(',')[1], 'base64');
const grays = (n: number, value = 0.5) => ({
  shape: [n, 784],
  data: new Float32Array(n * 784).fill(value),
});

describe('mosaic', () => {
  it('is as many pixels wide as pictures and their sides', () => {
    expect(sizeOfPng(bytesOf(mosaic(grays(9), 3)))).toEqual({ width: 84, height: 84 });
    const colour = { shape: [4, 3, 32, 32], data: new Float32Array(4 * 3072) };
    expect(sizeOfPng(bytesOf(mosaic(colour, 2)))).toEqual({ width: 64, height: 64 });
  });

  it('keeps every picture in its place', () => {
    const one = (bright: number) => {
      const { shape, data } = grays(4, 0);
      data.fill(1, 784 * bright, 784 * (bright + 1));
      return mosaic({ shape, data }, 2);
    };
    expect(new Set([0, 1, 2, 3].map(one)).size).toBe(4);
    // What does not fit is left out.
    expect(one(3)).not.toBe(mosaic(grays(4, 0), 2));
    const { shape, data } = grays(5, 0);
    data.fill(1, 784 * 4);
    expect(mosaic({ shape, data }, 2)).toBe(mosaic(grays(4, 0), 2));
  });

  it('clamps what leaves [0, 1], and knows channels apart', () => {
    expect(mosaic(grays(1, 7), 1)).toBe(mosaic(grays(1, 1), 1));
    expect(mosaic(grays(1, -7), 1)).toBe(mosaic(grays(1, 0), 1));
    const channel = (c: number) => {
      const data = new Float32Array(3 * 16);
      data.fill(1, 16 * c, 16 * (c + 1));
      return mosaic({ shape: [1, 3, 4, 4], data }, 1);
    };
    expect(new Set([0, 1, 2].map(channel)).size).toBe(3);
  });

  it.each([
    ['no squares', [2, 783], 2 * 783],
    ['two channels', [1, 2, 4, 4], 32],
    ['too few values', [2, 784], 784],
  ])('refuses %s', (_, shape, n) => {
    expect(() => mosaic({ shape, data: new Float32Array(n) }, 1)).toThrow(ShapeError);
  });

  it('fills the largest square that all arrays fill', () => {
    expect(fullSquare(6, grays(36))).toBe(6);
    expect(fullSquare(5, grays(36), grays(17))).toBe(4);
    expect(fullSquare(5, grays(3))).toBe(1);
  });
});

describe('the figures of NICE', () => {
  const run = (name: string, method: string, final: number, generated = true) => ({
    name,
    config: { method, batch: 128, network: { width: 250 } },
    numbers: {
      test: final,
      series: [0, 468, 936].map((step, i) => ({ step, test: final * (3 - i) })),
    },
    exact: grays(16),
    ...(generated && { generated: grays(16, 0.2) }),
  });
  const runs = [
    run('MLE', 'mle', -927.4, false),
    run('MLE, NICE with t', 'mle-t', -990, false),
    run('DDAEBM', 'ddaebm', -1337.2),
    run('DDAEBM, w = 1', 'ddaebm', -6167),
  ];

  it('shows exact samples of all and generators of those that have one', async () => {
    const svg = await renderSvg(niceSamplesFigure(runs), {});
    expect(count(svg, /<image /g)).toBe(6);
    for (const words of ['MLE', 'DDAEBM, w = 1', '−927 nats', '−6167 nats', 'generator']) {
      expect(text(svg)).toContain(words);
    }
  });

  it('draws a line per run in both panels, in colours that differ', async () => {
    const spec = niceCurvesFigure(runs);
    const svg = await renderSvg(spec, {});
    expect(count(svg, /class="mark-line[^"]*"/g)).toBe(8);
    const dashed = JSON.stringify(spec).match(/"strokeDash":\[5,4\]/g);
    expect(dashed).toHaveLength(2);
    expect(text(svg)).toContain('MLE, NICE with t (dashed)');
    const strokes = [...svg.matchAll(/aria-roledescription="line mark"[^>]*stroke="([^"]*)"/g)];
    expect(new Set(strokes.map(([, colour]) => colour)).size).toBe(3);
  });
});

describe('the figures of StackedMNIST', () => {
  const at = (step: number, modes: number) => ({
    step,
    samples: 2000,
    modes,
    klToUniform: Math.log(1000 / modes) + 0.25,
  });
  const run = (name: string, modes: number) => ({
    name,
    config: { batch: 64, network: { features: 16 } },
    numbers: {
      ...at(400, modes),
      samples: 26_000,
      series: [at(0, 5), at(200, 90), at(400, modes)],
    },
    pictures: { shape: [25, 3, 32, 32], data: new Float32Array(25 * 3072).fill(0.4) },
  });
  const runs = [run('WGAN-0GP', 200), run('DDAEBM', 950)];

  it('say how far a perfect sampler is from zero', async () => {
    const spec = stackedCurvesFigure(runs, { onTheWay: 0.25, final: 0.0192 });
    const svg = await renderSvg(spec, {});
    expect(text(svg)).toMatch(/865 modes and\s+0.250 nat from\s+2000 samples/);
    expect(text(svg)).toMatch(/0.019 nat from\s+26000/);
    expect(count(svg, /class="mark-line[^"]*"/g)).toBe(4);
    expect(JSON.stringify(spec)).toContain('{"y":0.0192}');
  });

  it('show real triples where they are at hand', async () => {
    const without = await renderSvg(stackedSamplesFigure(runs), {});
    const given = await renderSvg(stackedSamplesFigure(runs, runs[0].pictures), {});
    expect(count(without, /<image /g)).toBe(2);
    expect(count(given, /<image /g)).toBe(3);
    expect(text(given)).toContain('950 modes, KL 0.30 nat');
  });
});

describe('the figures of the latent prior', () => {
  const energies = (centre: number) => ({
    data: Float32Array.from({ length: 200 }, (_, i) => centre + Math.sin(i)),
  });
  const result = {
    config: { evaluation: { priorSteps: 123 } },
    originals: grays(36),
    reconstructions: grays(36),
    samples: grays(36),
    rawSamples: grays(36),
    gaussianSamples: grays(36),
    latentEnergies: { posterior: energies(-3), prior: energies(-2), gaussian: energies(4) },
  };

  it('show five kinds of pictures', async () => {
    const svg = await renderSvg(latentPicturesFigure(result), {});
    expect(count(svg, /<image /g)).toBe(5);
    expect(text(svg)).toContain('by 123 Langevin steps');
  });

  it('draw densities that integrate to one over what is shown', async () => {
    const spec = latentEnergyFigure(result) as { hconcat: { layer: unknown[] }[] };
    const areas = spec.hconcat[0].layer.flatMap((layer) => {
      const { data } = layer as { data: { values: unknown } };
      return typeof data.values === 'string' ? [data.values] : [];
    });
    expect(areas).toHaveLength(3);
    for (const table of areas) {
      const rows = table
        .split('\n')
        .slice(1)
        .map((row) => row.split(',').map(Number));
      const width = rows[1][0] - rows[0][0];
      const mass = rows.reduce((sum, [, y]) => sum + y * width, 0);
      expect(mass).toBeCloseTo(1, 1);
    }
    expect(text(await renderSvg(spec, {}))).toContain('samples of the prior');
  });
});
