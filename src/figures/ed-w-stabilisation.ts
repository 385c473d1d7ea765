import type { Spec } from './density-panels.ts';
import { derivationPanels, HUES } from './derivation-panels.ts';

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
  const truth = { x, y: x.map((v) => v ** 2 / 2), colour: HUES.data, dash: [5, 4] as const };
  const frame = {
    x: { title: 'x', domain: [-3, 3] as const },
    y: { title: 'U − min U', domain: [-0.1, 3] as const },
    height: 250,
  };
  const colour = (i: number) => COLOURS[i % COLOURS.length];
  const entries = first.runs.map(({ stabiliser }, i) => ({
    text: `w = ${stabiliser}`,
    colour: colour(i),
  }));
  return derivationPanels({
    title: 'The stabiliser w decides how steep the learned energy is',
    caption:
      `N(0, 1), ${config.points} points, a network 1 → 2 → 2 → 1, energy discrepancy with ` +
      `t = ${config.variance} and M = ${config.particles}, ${config.steps} iterations on all points. ` +
      'Dashed: the true energy x²/2.',
    panels: [
      {
        title: `Seed ${first.seed}`,
        ...frame,
        curves: [...first.runs.map((r, i) => ({ x, y: r.energy, colour: colour(i) })), truth],
        key: { corner: 'top-centre', entries: [{ text: 'truth', colour: HUES.data }, ...entries] },
      },
      ...(others.length === 0
        ? []
        : [
            {
              title: `Seed${others.length > 1 ? 's' : ''} ${others.map(({ seed }) => seed).join(', ')}`,
              ...frame,
              curves: [
                ...others.flatMap(({ runs }) =>
                  runs.map((r, i) => ({ x, y: r.energy, colour: colour(i), width: 1.1 })),
                ),
                truth,
              ],
            },
          ]),
    ],
  });
}
