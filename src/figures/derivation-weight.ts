import type { Spec } from './density-panels.ts';
import { above, type Curve, derivationPanels, HUES, within } from './derivation-panels.ts';

type Numbers = ArrayLike<number>;

export interface WeightPicture {
  readonly x: Numbers;
  readonly data: Numbers;
  readonly model: Numbers;
  /** p_θ/q. */
  readonly ratio: Numbers;
  /** The constant for which (20) is exact. */
  readonly constant: number;
  /** (21) as curves over τ, each with the values used, one per t. */
  readonly curves: readonly {
    readonly name: string;
    readonly tau: Numbers;
    readonly weight: Numbers;
    readonly used: readonly { readonly tau: number; readonly weight: number }[];
  }[];
}

const SHOWN = [-2.6, 2.6] as const;

/** The importance weight of (20) and the curve (21) that stands in for it. */
export function weightFigure(p: WeightPicture): Spec {
  const inside = (y: Numbers) => within(p.x, y, SHOWN);
  const colours = [HUES.data, HUES.model, HUES.green];
  return derivationPanels({
    title: 'The importance weight',
    caption:
      'Samples of the data replace samples of the model in (19). Exactly, each carries the weight ' +
      'model / data; in training, one number per level.',
    panels: [
      {
        title: 'The two conditionals',
        width: 230,
        x: { title: 'x', domain: SHOWN },
        y: { title: 'density', domain: [0, above(p.data, p.model)] },
        curves: [
          { ...inside(p.data), colour: HUES.data, filled: true },
          { ...inside(p.model), colour: HUES.model },
        ],
        key: {
          corner: 'top-left',
          entries: [
            { text: 'data q(x | x′)', colour: HUES.data },
            { text: 'model p(x | x′)', colour: HUES.model },
          ],
        },
      },
      {
        title: 'Exact weight, model / data',
        width: 230,
        x: { title: 'x', domain: SHOWN },
        y: { domain: [0, Math.min(4, above(inside(p.ratio).y))] },
        levels: [1],
        curves: [
          { ...inside(p.ratio), colour: HUES.warm },
          {
            x: [...SHOWN],
            y: [p.constant, p.constant],
            colour: HUES.violet,
            dash: [5, 3],
          },
        ],
        key: {
          corner: 'bottom-right',
          entries: [
            { text: 'p/q', colour: HUES.warm },
            {
              text: `constant for which (20) holds: ${p.constant.toFixed(2)}`,
              colour: HUES.violet,
            },
          ],
        },
      },
      {
        title: 'Weight per level, eq. (21)',
        width: 230,
        x: { title: 'τ', domain: [0, 1.03] },
        y: { domain: [0, 1.1] },
        curves: p.curves.map(
          (c, i): Curve => ({
            x: c.tau,
            y: c.weight,
            colour: colours[i % colours.length],
          }),
        ),
        notes: p.curves.map((c, i) => ({
          x: 0.93,
          y: c.weight[c.weight.length - 1] + 0.045,
          text: c.name,
          colour: colours[i % colours.length],
          align: 'right',
        })),
        dots: p.curves.flatMap((c, i) =>
          c.used.map((u) => ({ x: u.tau, y: u.weight, colour: colours[i % colours.length] })),
        ),
      },
    ],
  });
}
