import type { DataSetRow, DensityFigure } from './density-panels.ts';
import { firstPoints, SHOWN, type ToyNumbers, thousands, titleOf } from './toy-words.ts';

/** What Figure 1 needs of one trained model. */
export interface Fig1Run {
  /** e.g. `25gaussians`. */
  readonly dataset: string;
  /** `[n, 2]`, row-major. */
  readonly data: ArrayLike<number>;
  readonly samples: ArrayLike<number>;
  readonly logDensity: ArrayLike<number>;
  readonly gridSize: number;
  readonly metrics: ToyNumbers;
}

/** What was run, for the caption. */
export interface Fig1Setting {
  /** Left out where the model is a published one. */
  readonly preset?: string;
  readonly T: number;
  readonly betaMin: number;
  readonly betaMax: number;
  readonly steps: number;
  readonly batch: number;
  /** One for all rows, or one a row. */
  readonly energyRates: readonly number[];
  readonly generatorRate: number;
  readonly schedule: string;
  readonly seed: number;
}

/** The DDAEBM panels of Figure 1: toy data, learned density and samples. */
export function fig1(runs: readonly Fig1Run[], setting: Fig1Setting): DensityFigure {
  return {
    title: 'Toy data: learned densities and samples',
    caption: caption(setting, runs[0]?.gridSize ?? 0),
    rows: runs.map(row),
  };
}

function row(run: Fig1Run): DataSetRow {
  const { metrics } = run;
  return {
    title: titleOf(run.dataset),
    data: firstPoints(run.data),
    methods: [
      {
        method: 'DDAEBM',
        logDensity: run.logDensity,
        gridSize: run.gridSize,
        samples: firstPoints(run.samples),
        densityNote:
          metrics.gridKl === undefined
            ? undefined
            : `KL(data ‖ model) = ${metrics.gridKl.toFixed(2)} nat`,
        samplesNote: samplesNote(metrics),
      },
    ],
  };
}

function samplesNote(metrics: Fig1Run['metrics']): string {
  const { modes, modesCovered, shareWithin4Sigma: share, mmd } = metrics;
  if (modes === undefined || share === undefined) return `MMD² = ${decimal(mmd)}`;
  return `${modesCovered} of ${modes} modes, ${Math.round(100 * share)} % within 4σ`;
}

function caption(s: Fig1Setting, gridSize: number): string {
  const energy = [...new Set(s.energyRates)].map(decimal).join(' and ');
  const generator = decimal(s.generatorRate);
  const rate =
    energy === generator
      ? `learning rate ${energy}`
      : `learning rates ${energy} (energy) and ${generator} (generator)`;
  const decay = s.schedule === 'cosine' ? ', cosine decay' : '';
  const what = [
    `T = ${s.T}`,
    `β from ${s.betaMin} to ${s.betaMax}`,
    `${thousands(s.steps)} iterations of batch ${s.batch}`,
    `${rate}${decay}`,
    `seed ${s.seed}`,
  ];
  const text = [
    `DDAEBM${s.preset === undefined ? '' : ` at the ${s.preset} preset`}: ${what.join(', ')}.`,
    `Density: exp\u00a0E(x,\u00a00), normalised on a grid of ${gridSize} × ${gridSize} points; every panel has a colour scale of its own.`,
    `${thousands(SHOWN)} points per scatter plot.`,
  ].join(' ');
  // Keeps a number and its unit or sign on one line.
  return text
    .replaceAll(/(\d) (?=\d{3}\b)/g, '$1\u00a0')
    .replaceAll(/ (=|×|to) /g, '\u00a0$1\u00a0');
}

/** e.g. `0.001`, `5·10⁻⁴`. */
function decimal(value: number): string {
  if (value === 0 || Math.abs(value) >= 1e-3) return String(Number(value.toPrecision(2)));
  const [mantissa, exponent] = value.toExponential(1).split('e');
  const raised = exponent.replaceAll('+', '').replaceAll(/[-\d]/g, (c) => SUPERSCRIPT[c]);
  const short = mantissa.replace(/\.0$/, '');
  return short === '1' ? `10${raised}` : `${short}·10${raised}`;
}

const SUPERSCRIPT: Record<string, string> = Object.fromEntries(
  [...'-0123456789'].map((c, i) => [c, [...'⁻⁰¹²³⁴⁵⁶⁷⁸⁹'][i]]),
);
