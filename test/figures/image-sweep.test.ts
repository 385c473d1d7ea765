import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { encodeRgbPng } from '../../src/datasets/png.ts';
import {
  type ImageSweep,
  type ImageSweepDetails,
  imageDistanceLines,
  imageSheets,
} from '../../src/figures/image-sweep.ts';
import { noiseLevelsFigure } from '../../src/figures/noise-levels.ts';
import { renderSvg } from '../../src/figures/render.ts';

const png = encodeRgbPng({ width: 2, height: 2, pixels: new Uint8Array(12).fill(200) });
const details: Record<string, ImageSweepDetails> = Object.fromEntries(
  [400, 300].map((last, i) => [
    `cifar10/${i}`,
    {
      images: {
        ...{ title: 'FD (own features)', reference: 10_000, samples: 1000, floor: 3 },
        ...{ steps: [0, 10, 20], distances: [450, 420, last] },
        sheet: Buffer.from(png).toString('base64'),
      },
    },
  ]),
);
const runs = [4, 2, 8].map((T, i) => ({
  settings: { 'diffusion.steps': T },
  seed: 0,
  key: `cifar10/${i}`,
  metrics: {},
}));
/** The run of eight steps has no distances. */
const sweep: ImageSweep = {
  name: 'levels',
  runs,
  details: ({ key }) => details[key ?? ''],
};

describe('figures of a sweep over trainings on images', () => {
  it('draw a line for each run that has distances, called by its setting', async () => {
    const spec = imageDistanceLines(sweep);
    const svg = await renderSvg(spec, {});
    expect(svg).toContain('steps 4');
    expect(svg).toContain('steps 2');
    expect(svg).not.toContain('steps 8');
    expect(svg).toContain('FD (own features), 10000 test images');
    const shown = JSON.stringify(spec);
    for (const last of [400, 300]) expect(shown).toContain(`0,450\\n10,420\\n20,${last}`);
  });

  it('name the seed where there are several', () => {
    const two = { ...sweep, runs: runs.map((run, seed) => ({ ...run, seed })) };
    expect(JSON.stringify(imageDistanceLines(two))).toContain('steps 2, seed 1');
  });

  it('show the samples as they are', async () => {
    const spec = imageSheets(sweep, { title: 'At the end' });
    const url = `data:image/png;base64,${details['cifar10/0'].images?.sheet}`;
    expect(JSON.stringify(spec).split(url)).toHaveLength(3);
    expect(await renderSvg(spec, {})).toContain('At the end');
  });

  it('refuse a sweep of which nothing was measured', () => {
    const none = { ...sweep, details: () => undefined };
    expect(() => imageDistanceLines(none)).toThrow(ConfigError);
    expect(() => imageSheets(none)).toThrow(/no run has distances/);
  });
});

describe('the levels of noise', () => {
  it('have a line for signal and noise each, and the weights by the time of the next level', async () => {
    const one = {
      ...{ name: 'One', times: [0, 0.25, 1], aCum: [1, 0.75, 0.125] },
      ...{ sigmaCum: [0, 0.625, 0.875], weights: [0.375, 0.5] },
    };
    const spec = noiseLevelsFigure([one], 'levels');
    const shown = JSON.stringify(spec);
    expect(shown).toContain('0,1\\n1,0.75\\n2,0.125');
    expect(shown).toContain('0,0\\n1,0.625\\n2,0.875');
    expect(shown).toContain('0.25,0.375\\n1,0.5');
    expect(await renderSvg(spec, {})).toContain('One');
  });
});
