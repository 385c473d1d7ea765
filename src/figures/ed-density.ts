import type { Spec } from './density-panels.ts';
import { HUES } from './derivation-panels.ts';
import { type DensityPanel, densityPictures } from './ed-panels.ts';
import { seriesFigure } from './ed-series.ts';

interface Grid {
  readonly data: ArrayLike<number>;
}

/** What the figures need of one trained energy. */
export interface EdDensityPicture {
  readonly method: { readonly name: string };
  readonly config: {
    readonly steps: number;
    readonly batch: number;
    readonly evaluation: {
      readonly gridSize: number;
      readonly limit: number;
      readonly points: number;
    };
  };
  readonly numbers: {
    readonly mseMedian?: number;
    readonly gridKl: number;
    readonly modesFound: number;
  };
  readonly errors: readonly { readonly step: number; readonly mse: number }[];
  readonly logDensity: Grid;
}

/** What the figures need of the comparison. */
export interface EdComparisonPicture {
  readonly seed: number;
  readonly runs: readonly EdDensityPicture[];
  readonly truth: Grid;
}

const NAMES: Record<string, string> = {
  'energy-discrepancy': 'Energy discrepancy',
  'score-matching': 'Score matching',
  'contrastive-divergence': 'Contrastive divergence',
};

const COLOURS: Record<string, string> = {
  'energy-discrepancy': HUES.model,
  'score-matching': HUES.green,
  'contrastive-divergence': HUES.warm,
};

const nameOf = (run: EdDensityPicture) => NAMES[run.method.name] ?? run.method.name;

/** The error of the learned log-density over the iterations (paper, Figure 4 left). */
export function edErrorFigure(result: EdComparisonPicture): Spec {
  const { seed, runs } = result;
  const { steps, batch, evaluation } = runs[0].config;
  const series = runs.map((run) => ({
    name: nameOf(run),
    colour: COLOURS[run.method.name] ?? HUES.violet,
    x: run.errors.map(({ step }) => step),
    y: run.errors.map(({ mse }) => mse),
  }));
  const least = Math.min(...series.flatMap(({ y }) => y));
  const floor = 10 ** Math.min(-1, Math.floor(Math.log10(Math.max(least, 1e-6))));
  const decades = [-6, -5, -4, -3, -2, -1, 0, 1].map((k) => 10 ** k).filter((v) => v >= floor);
  return seriesFigure({
    title: 'Error of the learned log-density of 25 Gaussians',
    caption:
      `Mean of (−U − log Ẑ − log p)² over ${evaluation.points} fresh data points, nat²; averaged ` +
      `parameters; ${steps} iterations of batch ${batch}, seed ${seed}.`,
    xTitle: 'iteration',
    series,
    panels: [
      { title: 'As published', domain: [-0.2, 5.2], ticks: [0, 1, 2, 3, 4, 5], yTitle: 'MSE' },
      { title: 'The same, logarithmic', domain: [floor, 50], ticks: decades, log: true },
    ],
  });
}

/** The data and the three learned densities. */
export function edDensityFigure(result: EdComparisonPicture): Spec {
  const { seed, runs, truth } = result;
  const { steps, batch, evaluation } = runs[0].config;
  const size = evaluation.gridSize;
  const panels: DensityPanel[] = [
    { logDensity: truth.data, size, header: 'Data', note: '25 modes' },
    ...runs.map((run) => ({
      logDensity: run.logDensity.data,
      size,
      header: nameOf(run),
      note: `${run.numbers.modesFound} modes, KL ${short(run.numbers.gridKl)} nat`,
    })),
  ];
  return densityPictures({
    title: 'Learned densities of 25 Gaussians',
    caption:
      `exp(−U) on ${size} × ${size} points of [−${evaluation.limit}, ${evaluation.limit}]², every panel on a colour ` +
      `scale of its own; ${steps} iterations of batch ${batch}, seed ${seed}. A mode counts when it has at ` +
      'least half its mass; KL(data ‖ model) on the grid.',
    columns: panels.length,
    panels,
    limit: evaluation.limit,
    side: 155,
  });
}

/** What the figure of the settings needs. */
export interface EdGridPicture {
  readonly seed: number;
  readonly cells: readonly {
    readonly noiseScale: number;
    readonly stabiliser: number;
    readonly particles: number;
    readonly config: EdDensityPicture['config'];
    readonly trained?: EdDensityPicture;
    readonly failure?: string;
  }[];
}

/** Energy discrepancy over noise and stabiliser (rows) and number of particles (columns). */
export function edGridFigure(result: EdGridPicture): Spec {
  const { cells, seed } = result;
  const counts = [...new Set(cells.map(({ particles }) => particles))];
  const { steps, batch, evaluation } = cells[0].config;
  const panels = cells.map((cell, i): DensityPanel => {
    const numbers = cell.trained?.numbers;
    return {
      logDensity: cell.trained?.logDensity.data,
      size: evaluation.gridSize,
      ...(i < counts.length && { header: `M = ${cell.particles}` }),
      ...(i % counts.length === 0 && {
        rowTitle: `√t = ${cell.noiseScale}, w = ${cell.stabiliser}`,
      }),
      note: numbers ? `KL ${short(numbers.gridKl)} nat` : 'diverged',
    };
  });
  return densityPictures({
    title: 'Energy discrepancy: noise, stabiliser and particles',
    caption: `${steps} iterations of batch ${batch}, seed ${seed}. √t multiplies the noise: t is its variance.`,
    columns: counts.length,
    panels,
    limit: evaluation.limit,
    side: 84,
  });
}

function short(value: number): string {
  if (value >= 1e4) return value.toExponential(0).replace('e+', '·10^');
  return value < 10 ? value.toFixed(2) : String(Math.round(value));
}
