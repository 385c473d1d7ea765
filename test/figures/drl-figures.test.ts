import { describe, expect, it } from 'vitest';
import type { Spec } from '../../src/figures/density-panels.ts';
import {
  type DrlPicture,
  drlDistancesFigure,
  drlLevelsFigure,
  drlSamplesFigure,
  drlTrajectoryFigure,
} from '../../src/figures/drl.ts';

const bytes = (...shape: number[]) => ({
  data: new Uint8Array(shape.reduce((a, b) => a * b, 1)).fill(128),
  shape,
});
const moments = (mean: number, deviation = 1) => ({ mean, deviation });

const result: DrlPicture = {
  preset: 'smoke',
  config: { batch: 4, chain: { steps: 30 }, diffusion: { levels: 2 } },
  numbers: {
    series: [0, 5, 10].map((step) => ({ step, samples: 8, thumbnailDistance: 3 - step / 10 })),
    floor: 0.1,
    curve: [5, 10].map((step) => ({ step, energyLoss: 1 / step, displacement: step })),
    distances: {
      title: 'FD (own features)',
      reference: 80,
      floor: 1,
      series: [0, 5, 10].map((step) => ({ step, distance: 40 - step })),
    },
    levels: [0, 1].map((level) => ({
      ...{ level, noise: 0.5 },
      data: moments(10, 2),
      start: moments(4),
      recovered: moments(11),
      generated: moments(10),
    })),
  },
  pictures: bytes(3, 4, 3, 32, 32),
  trajectory: bytes(3, 8, 3, 32, 32),
  real: bytes(4, 3, 32, 32),
};

const panels = (spec: Spec) => (spec['concat'] ?? spec['hconcat']) as Spec[];
const text = (spec: Spec) => JSON.stringify(spec);

describe('the figures of diffusion recovery likelihood', () => {
  it('show each evaluation of the samples once, and training images', () => {
    expect(panels(drlSamplesFigure(result))).toHaveLength(3);
    expect(text(drlSamplesFigure(result))).toContain('10 iterations');
  });

  it('show a row for each level, from noise at the top', () => {
    const spec = drlTrajectoryFigure(result);
    expect(panels(spec)).toHaveLength(3 * 6);
    const titles = [...text(spec).matchAll(/"t = (\d)"/g)].map(([, t]) => Number(t));
    expect(titles).toEqual([2, 1, 0]);
  });

  it('measure energies from those of data, in their deviations', () => {
    const [levels] = panels(drlLevelsFigure(result));
    // (4 − 10)/2, (11 − 10)/2, (10 − 10)/2.
    for (const height of ['-3', '0.5', '0']) {
      expect(text(levels)).toContain(`x,y\\n0,${height}\\n1,${height}"`);
    }
  });

  it('leave out distances that were not measured', () => {
    expect(panels(drlDistancesFigure(result))).toHaveLength(2);
    const { distances: _, ...numbers } = result.numbers;
    expect(panels(drlDistancesFigure({ ...result, numbers }))).toHaveLength(1);
  });
});
