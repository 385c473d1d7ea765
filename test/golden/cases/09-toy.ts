import { toyBatch } from '../../../src/datasets/toy.ts';
import type { Comparison, GoldenCase } from '../golden-case.ts';
import type { GoldenFile } from '../golden-file.ts';

/** Independent batches; their spread gives the standard error of every statistic. */
const BATCHES = 50;

/**
 * Both runs fluctuate, so a difference is measured in its standard error: that of one run, from the
 * spread of 50 batches of ours (which counts stratification), times sqrt 2. |t| > 6 with 49 degrees
 * of freedom has probability 2e-7, and a file holds about 300 of them.
 */
const LARGEST_T = 6;

interface Points {
  readonly x: Float64Array;
  readonly y: Float64Array;
}

function points(name: string, step: number, n: number): Points {
  const { data } = toyBatch(name, { seed: 1, stream: 'golden/toy', step }, n);
  return {
    x: Float64Array.from({ length: n }, (_, i) => data[2 * i]),
    y: Float64Array.from({ length: n }, (_, i) => data[2 * i + 1]),
  };
}

/** The statistics of the file by name; `quantiles` become shares below the file's quantiles. */
function statistics({ x, y }: Points, quantiles: Float64Array): Record<string, number[]> {
  const n = x.length;
  const mean = (f: (i: number) => number) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += f(i);
    return sum / n;
  };
  const [mx, my] = [mean((i) => x[i]), mean((i) => y[i])];
  const central = (a: number, b: number) => mean((i) => (x[i] - mx) ** a * (y[i] - my) ** b);
  const [xx, yy] = [central(2, 0), central(0, 2)];
  const cov = [xx, central(1, 1), central(1, 1), yy].map((v) => (v * n) / (n - 1));
  const radius = (i: number) => Math.hypot(x[i], y[i]);
  const mr = mean(radius);
  const levels = quantiles.length / 2;
  return {
    mean: [mx, my],
    cov,
    skew: [central(3, 0) / xx ** 1.5, central(0, 3) / yy ** 1.5],
    kurtosis: [central(4, 0) / xx ** 2, central(0, 4) / yy ** 2],
    mean_radius: [mr],
    std_radius: [Math.sqrt(mean((i) => (radius(i) - mr) ** 2))],
    cross_x2y2: [mean((i) => (x[i] * y[i]) ** 2)],
    quantiles: Array.from(quantiles, (q, k) => {
      const axis = k < levels ? x : y;
      return mean((i) => (axis[i] <= q ? 1 : 0));
    }),
  };
}

function expectedStatistics(file: GoldenFile, name: string, levels: Float64Array) {
  const out = (s: string) => [...file.numbers(`out:${name}.${s}`)];
  const names = ['mean', 'cov', 'skew', 'kurtosis', 'mean_radius', 'std_radius', 'cross_x2y2'];
  return {
    ...Object.fromEntries(names.map((s) => [s, out(s)])),
    quantiles: [...levels, ...levels],
  } as Record<string, number[]>;
}

function compareStatistics(file: GoldenFile, name: string, batches: readonly Points[]) {
  const levels = file.numbers('in:quantile_levels');
  const quantiles = file.numbers(`out:${name}.quantiles`);
  const ours = batches.map((b) => statistics(b, quantiles));
  const theirs = expectedStatistics(file, name, levels);
  return Object.entries(theirs).map(([statistic, expected]): Comparison => {
    const t = expected.map((e, k) => {
      const values = ours.map((o) => o[statistic][k]);
      const mean = values.reduce((a, b) => a + b) / BATCHES;
      const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / (BATCHES - 1);
      return (mean - e) / Math.sqrt((2 * variance) / BATCHES);
    });
    return {
      name: `out:${name}.${statistic}`,
      actual: t,
      expected: t.map(() => 0),
      tolerance: { kind: 'abs', value: LARGEST_T },
    };
  });
}

/** hist[i, j] over x bin i and y bin j, right edge inclusive. */
function histogram(batches: readonly Points[], range: Float64Array, bins: number) {
  const [x0, x1, y0, y1] = range;
  const counts = new Float64Array(bins * bins);
  let outside = 0;
  for (const { x, y } of batches) {
    for (let i = 0; i < x.length; i++) {
      if (x[i] < x0 || x[i] > x1 || y[i] < y0 || y[i] > y1) outside++;
      else {
        const bin = (v: number, a: number, b: number) =>
          Math.min(bins - 1, Math.floor(((v - a) / (b - a)) * bins));
        counts[bin(x[i], x0, x1) * bins + bin(y[i], y0, y1)]++;
      }
    }
  }
  return { counts, outside };
}

function compareHistograms(file: GoldenFile, name: string, batches: readonly Points[], n: number) {
  const bins = file.shape(`out:${name}.hist`)[0];
  const range = file.numbers(`out:${name}.hist_range_xmin_xmax_ymin_ymax`);
  const { counts, outside } = histogram(batches, range, bins);
  const theirs = file.numbers(`out:${name}.hist`);
  const expectedOutside = file.scalar(`out:${name}.outside`);
  const m = theirs.reduce((a, b) => a + b, expectedOutside);
  let [chi2, cells, l1] = [0, 0, 0];
  counts.forEach((c, k) => {
    if (c + theirs[k] === 0) return;
    cells++;
    // Two-sample statistic, with weights for unequal sizes.
    chi2 += (Math.sqrt(m / n) * c - Math.sqrt(n / m) * theirs[k]) ** 2 / (c + theirs[k]);
    l1 += Math.abs(c / n - theirs[k] / m);
  });
  const floor = file.scalar(`out:${name}.noise_floor_L1_1e6_vs_1e6`);
  const zero = (label: string, actual: number, value: number): Comparison => ({
    name: `out:${name}.${label}`,
    actual,
    expected: 0,
    tolerance: { kind: 'abs', value },
  });
  return [
    zero('hist', chi2, cells + 6 * Math.sqrt(2 * cells)),
    // The floor is one draw of a sum over many cells: it scatters by a few per cent.
    zero('hist (L1)', l1, 1.2 * floor * Math.sqrt((1 / n + 1 / m) / 2e-6)),
    zero(
      'outside',
      outside - (expectedOutside * n) / m,
      6 * Math.sqrt(outside + expectedOutside + 1),
    ),
  ];
}

function run(file: GoldenFile): Comparison[] {
  const total = typeof file.args['n'] === 'number' ? file.args['n'] : 1_000_000;
  const names = file
    .names('out:')
    .filter((n) => n.endsWith('.mean'))
    .map((n) => n.slice('out:'.length, -'.mean'.length));
  return names.flatMap((name) => {
    const size = Math.round(total / BATCHES);
    const batches = Array.from({ length: BATCHES }, (_, step) => points(name, step, size));
    return [
      ...compareStatistics(file, name, batches),
      ...compareHistograms(file, name, batches, size * BATCHES),
    ];
  });
}

export const cases: readonly GoldenCase[] = [
  {
    prefix: '09_toy_distributions',
    given: /\.(noise_floor_.*|hist_range_.*|occupied_cells)$/,
    run,
  },
];
