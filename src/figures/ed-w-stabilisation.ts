import type { Spec } from './density-panels.ts';
import { HUES } from './derivation-panels.ts';
import { seriesFigure } from './ed-series.ts';

/** What the figure needs of the result of one seed. */
export interface EdStabilisationPicture {
  readonly seed: number;
  readonly config: {
    readonly points: number;
    readonly steps: number;
    readonly variance: number;
    readonly particles: number;
  };
  readonly x: readonly number[];
  readonly runs: readonly { readonly stabiliser: number; readonly energy: readonly number[] }[];
}

const COLOURS = [HUES.quiet, HUES.warm, HUES.model, HUES.green] as const;

/**
 * Energies learned with several stabilisers beside the true x^2/2 (paper, Figure 2).
 * @param results one per seed: the first is drawn strong, the others in a panel of their own.
 */
export function edStabilisationFigure(results: readonly EdStabilisationPicture[]): Spec {
  const [first, ...others] = results;
  const { config, x } = first;
  const truth = {
    name: 'truth',
    colour: HUES.data,
    x,
    y: x.map((v) => v ** 2 / 2),
    dash: [5, 4] as const,
  };
  const lines = ({ runs }: EdStabilisationPicture) =>
    runs.map(({ stabiliser, energy }, i) => ({
      name: `w = ${stabiliser}`,
      colour: COLOURS[i % COLOURS.length],
      x,
      y: energy,
      width: 1.7,
    }));
  const frame = { domain: [-0.1, 3], ticks: [0, 0.5, 1, 1.5, 2, 2.5, 3] } as const;
  const rest = others.flatMap(lines).map((line) => ({ ...line, width: 1.2 }));
  return seriesFigure({
    title: 'The stabiliser w decides how steep the learned energy is',
    caption:
      `N(0, 1), ${config.points} points, a network 1 → 2 → 2 → 1, energy discrepancy with ` +
      `t = ${config.variance} and M = ${config.particles}, ${config.steps} iterations on all points. ` +
      'Dashed: the true energy x²/2.',
    xTitle: 'x',
    xDomain: [-3, 3],
    key: 'centre',
    series: [...lines(first), truth],
    panels: [
      { title: `Seed ${first.seed}`, yTitle: 'U − min U', ...frame },
      ...(others.length === 0
        ? []
        : [
            {
              title: `Seed${others.length > 1 ? 's' : ''} ${others.map(({ seed }) => seed).join(', ')}`,
              series: [...rest, truth],
              ...frame,
            },
          ]),
    ],
  });
}
