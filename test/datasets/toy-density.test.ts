import { describe, expect, it } from 'vitest';
import { ConfigError, ShapeError } from '../../src/core/errors.ts';
import { type Key, normal64 } from '../../src/core/random.ts';
import { TOY_NAMES, type ToyName, toyBatch } from '../../src/datasets/toy.ts';
import { toyLogDensity, toyModes } from '../../src/datasets/toy-density.ts';
import { normalInterval, simpson } from '../../src/datasets/toy-mixture.ts';

const KEY: Key = { seed: 11, stream: 'density-test', step: 0 };
const WITH_DENSITY = TOY_NAMES.filter((n) => n !== 'line' && n !== 'cos');
const HALF_WIDTH = 7;

/** Midpoints of size^2 cells over [-7, 7]^2. */
function midpoints(size: number): { xy: Float64Array; area: number } {
  const h = (2 * HALF_WIDTH) / size;
  const xy = new Float64Array(2 * size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      xy[2 * (i * size + j)] = -HALF_WIDTH + h * (j + 0.5);
      xy[2 * (i * size + j) + 1] = -HALF_WIDTH + h * (i + 0.5);
    }
  }
  return { xy, area: h * h };
}

function diffuse(x: ArrayLike<number>, alphaBar: number): Float64Array {
  const z = normal64({ ...KEY, stream: 'density-test/eps' }, x.length);
  return z.map((e, i) => Math.sqrt(alphaBar) * x[i] + Math.sqrt(1 - alphaBar) * e);
}

/**
 * Pearson's statistic of samples against the mass of cells by midpoint sums of `sub`^2 points,
 * cells with fewer than 20 expected points pooled; standardised.
 */
function misfit(name: ToyName, alphaBar: number): number {
  const [n, cells, sub] = [100_000, 28, name === '25gaussians' ? 40 : 8];
  const { xy, area } = midpoints(cells * sub);
  const logP = toyLogDensity(name, xy, { alphaBar });
  const expected = new Float64Array(cells * cells);
  logP.forEach((l, k) => {
    const [row, column] = [Math.floor(k / (cells * sub)), k % (cells * sub)];
    expected[Math.floor(row / sub) * cells + Math.floor(column / sub)] += n * area * Math.exp(l);
  });
  const counts = new Float64Array(cells * cells);
  const x = diffuse(toyBatch(name, KEY, n).data, alphaBar);
  for (let i = 0; i < n; i++) {
    const cell = (v: number) => Math.floor(((v + HALF_WIDTH) / (2 * HALF_WIDTH)) * cells);
    const k = cell(x[2 * i + 1]) * cells + cell(x[2 * i]);
    if (k >= 0 && k < counts.length) counts[k]++;
  }
  let [statistic, used, restCount, restExpected] = [0, 0, 0, 0];
  expected.forEach((e, k) => {
    if (e < 20) {
      restCount += counts[k];
      restExpected += e;
    } else {
      statistic += (counts[k] - e) ** 2 / e;
      used++;
    }
  });
  if (restExpected > 20) {
    statistic += (restCount - restExpected) ** 2 / restExpected;
    used++;
  } else {
    expect(restCount).toBeLessThan(60);
  }
  return (statistic - used) / Math.sqrt(2 * used);
}

describe('toyLogDensity', () => {
  it.each(WITH_DENSITY.flatMap((name) => [1, 0.7].map((alphaBar) => ({ name, alphaBar }))))(
    '$name at alphaBar $alphaBar has mass 1',
    ({ name, alphaBar }) => {
      const { xy, area } = midpoints(alphaBar < 1 ? 105 : name === '25gaussians' ? 399 : 203);
      const mass =
        toyLogDensity(name, xy, { alphaBar }).reduce((s, l) => s + Math.exp(l), 0) * area;
      // The pinwheel's map folds where 1 + 0.25 e^r s = 0: an integrable singularity in its far tail.
      expect(Math.abs(mass - 1)).toBeLessThan(name === 'pinwheel' && alphaBar === 1 ? 2e-4 : 1e-6);
    },
  );

  it.each([
    ...WITH_DENSITY.map((name) => ({ name, alphaBar: 1 })),
    ...(['pinwheel', 'swissroll', '25gaussians'] as const).map((name) => ({ name, alphaBar: 0.7 })),
  ])('$name at alphaBar $alphaBar is the law of the samples', ({ name, alphaBar }) => {
    // Stratified samples fluctuate less than independent ones, so only large values are suspect.
    expect(misfit(name, alphaBar)).toBeLessThan(4);
  });

  it.each(WITH_DENSITY)('%s: a little diffusion changes little', (name) => {
    const x = toyBatch(name, KEY, 100).data;
    const alphaBar = 1 - 1e-6;
    const data = toyLogDensity(name, x);
    const diffused = toyLogDensity(name, x, { alphaBar });
    data.forEach((l, i) => {
      // Squares of the checkerboard and folds of the pinwheel have edges; allow few points there.
      if (Number.isFinite(l)) expect(Math.abs(diffused[i] - l), `point ${i}`).toBeLessThan(0.05);
    });
  });

  it('is the closed mixture for 25gaussians, diffused too', () => {
    const sd = 0.1 / 2.828;
    for (const alphaBar of [1, 0.5]) {
      const variance = alphaBar * sd ** 2 + 1 - alphaBar;
      const [x, y] = [0.3, -0.71];
      let p = 0;
      for (let i = -2; i <= 2; i++) {
        for (let j = -2; j <= 2; j++) {
          const [dx, dy] = [i, j].map((k, axis) => {
            const mean = (Math.sqrt(alphaBar) * 2 * k) / 2.828;
            return [x, y][axis] - mean;
          });
          p += Math.exp(-(dx * dx + dy * dy) / (2 * variance)) / (25 * 2 * Math.PI * variance);
        }
      }
      expect(toyLogDensity('25gaussians', [x, y], { alphaBar })[0]).toBeCloseTo(Math.log(p), 10);
    }
  });

  it('does not underflow far away', () => {
    const [far] = toyLogDensity('25gaussians', [100, 100]);
    const sd = 0.1 / 2.828;
    const d = Math.SQRT2 * (100 - 4 / 2.828);
    expect(far).toBeCloseTo(-(d ** 2) / (2 * sd ** 2) - Math.log(25 * 2 * Math.PI * sd ** 2), 5);
  });

  it('is -infinity outside the checkerboard', () => {
    expect([...toyLogDensity('checkerboard', [1, 1, 1, 3, -5, 1])]).toEqual([
      Math.log(1 / 32),
      -Infinity,
      -Infinity,
    ]);
  });

  it('refuses what has no density', () => {
    expect(() => toyLogDensity('line', [0, 0])).toThrow(/lies on a curve/);
    expect(() => toyLogDensity('pinweel', [0, 0])).toThrow(/'pinwheel'/);
    expect(() => toyLogDensity('moons', [0, 0, 1])).toThrow(ShapeError);
    expect(() => toyLogDensity('moons', [0, 0], { alphaBar: 0 })).toThrow(ConfigError);
    expect(() => toyLogDensity('moons', [0, 0], { alphaBar: 1.1 })).toThrow(ConfigError);
  });
});

describe('toyModes', () => {
  it('gives 25 centres 0.7072 apart and 8 at radius 2.8289', () => {
    const { centres, sd } = toyModes('25gaussians');
    expect(centres.length).toBe(50);
    expect(sd).toBeCloseTo(0.035361, 6);
    expect(Math.max(...centres)).toBeCloseTo(4 / 2.828, 12);
    const star = toyModes('8gaussians');
    for (let k = 0; k < 8; k++) {
      expect(Math.hypot(star.centres[2 * k], star.centres[2 * k + 1])).toBeCloseTo(2.82885, 5);
    }
  });
});

describe('quadrature', () => {
  it('simpson is exact for cubics', () => {
    const { nodes, weights } = simpson(-1, 2, 4);
    const sum = nodes.reduce((s, t, i) => s + weights[i] * (t ** 3 - 2 * t + 1), 0);
    expect(sum).toBeCloseTo(15 / 4 - 3 + 3, 12);
  });

  it('normalInterval agrees with tabulated values, in the tails relatively', () => {
    expect(normalInterval(-1, 1)).toBeCloseTo(0.6826894921370859, 14);
    expect(normalInterval(0, Infinity)).toBeCloseTo(0.5, 14);
    expect(normalInterval(-3.5, 2)).toBeCloseTo(0.9770172385, 9);
    // P(Z > 5), P(Z > 10).
    expect(normalInterval(5, 40) / 2.866515718791939e-7).toBeCloseTo(1, 12);
    expect(normalInterval(-40, -10) / 7.619853024160527e-24).toBeCloseTo(1, 12);
  });

  it('normalInterval is continuous where its two expansions meet', () => {
    const [below, above] = [normalInterval(3 - 1e-12, 8), normalInterval(3 + 1e-12, 8)];
    expect(Math.abs(below / above - 1)).toBeLessThan(1e-11);
  });
});
