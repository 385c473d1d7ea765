import type { ComparisonColumn, ComparisonFigure } from './comparison-panels.ts';
import { firstPoints, SHOWN, type ToyNumbers, thousands, titleOf } from './toy-words.ts';

/** What a toy figure shows of one model on one data set. */
export interface ComparedModel {
  readonly model: { readonly title: string; readonly subtitle?: string };
  readonly dataset: string;
  readonly logDensity: ArrayLike<number> | undefined;
  readonly config: { readonly evaluation: { readonly gridSize: number } };
  readonly samples: ArrayLike<number>;
  readonly metrics: ToyNumbers;
  /** Iterations that were trained. */
  readonly steps: number;
  readonly seed: number;
}

export interface Comparison {
  readonly plan: {
    readonly title: string;
    readonly rows: ComparisonFigure['rows'];
    readonly models: readonly ComparedModel['model'][];
  };
  readonly data: readonly {
    readonly dataset: string;
    readonly points: ArrayLike<number>;
    readonly logDensity: ArrayLike<number> | undefined;
    readonly gridSize: number;
  }[];
  readonly panels: readonly ComparedModel[];
}

/** Half the side of the square shown; everything beyond is empty in the data. */
const LIMITS: Readonly<Record<string, number>> = { '25gaussians': 2 };

/** Figures 1, 6 and 7: the data, then every model, each with the numbers it got. */
export function toyComparison({ plan, data, panels: models }: Comparison): ComparisonFigure {
  const { title, rows } = plan;
  return {
    title,
    caption: caption(rows, models),
    rows,
    groups: data.map(({ dataset, points, logDensity, gridSize }) => ({
      title: titleOf(dataset),
      limit: LIMITS[dataset],
      data: {
        title: 'Data',
        subtitle: `${rows.includes('density') ? 'exact; ' : ''}${SHOWN} points`,
        samples: firstPoints(points),
        logDensity,
        gridSize,
      },
      methods: plan.models.map((model) => {
        const panel = models.find((m) => m.model === model && m.dataset === dataset);
        return panel ? column(panel) : { ...model, absent: 'not trained' };
      }),
    })),
  };
}

function column({ model, ...panel }: ComparedModel): ComparisonColumn {
  const { title, subtitle } = model;
  const { logDensity, metrics, samples } = panel;
  const { modes, modesCovered, shareWithin4Sigma: share, gridKl, mmd } = metrics;
  return {
    title,
    subtitle,
    logDensity,
    gridSize: panel.config.evaluation.gridSize,
    samples: firstPoints(samples),
    densityNote: gridKl === undefined ? undefined : `KL ${gridKl.toFixed(2)} nat`,
    samplesNote:
      modes === undefined || share === undefined
        ? `MMD² ${mmd.toExponential(1)}`
        : `${modesCovered} of ${modes}, ${Math.round(100 * share)} % within 4σ`,
  };
}

function caption(rows: ComparisonFigure['rows'], models: readonly ComparedModel[]): string {
  if (models.length === 0) return 'None of these models has been trained.';
  const datasets = [...new Set(models.map((model) => model.dataset))];
  const run = datasets.map((dataset) => {
    const own = models.filter((model) => model.dataset === dataset);
    const each = [
      ...new Set(own.map(({ model, steps }) => `${model.title} ${thousands(steps)}`)),
    ].join(', ');
    return `${datasets.length > 1 ? `${titleOf(dataset)}: ` : ''}${each}`;
  });
  const seeds = [...new Set(models.map((model) => model.seed))].join(', ');
  const density = rows.includes('density')
    ? 'Densities are normalised on a grid; every panel has a colour scale of its own. KL: of the model from the exact density on that grid. '
    : '';
  const zoom = datasets.includes('25gaussians')
    ? '25 Gaussians are shown on [−2, 2]² of the [−4, 4]² that all densities cover. '
    : '';
  return `${density}${zoom}Iterations trained: ${run.join('; ')}; seed ${seeds}.`;
}
