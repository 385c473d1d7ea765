import type { Spec } from './density-panels.ts';
import { derivationPanels, HUES } from './derivation-panels.ts';

type Numbers = readonly number[];

/** What the figure needs of the result of the experiment. */
export interface EdMyopiaPicture {
  readonly config: {
    readonly points: number;
    readonly weight: number;
    readonly centre: number;
    readonly particles: number;
    readonly stabiliser: number;
    readonly limit: number;
  };
  readonly seed: number;
  readonly weights: Numbers;
  readonly density: { readonly x: Numbers; readonly p: Numbers };
  readonly curves: readonly {
    readonly loss: string;
    readonly t?: number;
    readonly sample: Numbers;
    readonly exact: Numbers;
  }[];
}

/** From faint to strong with t. */
const BLUES = ['#a3c6e0', '#6aa5d0', '#337ab3', '#173f6b'] as const;

const FRAME = [-0.01, 0.1] as const;

/** The two modes, and the losses over the weight given to the left one (paper, Figure 1). */
export function edMyopiaFigure(result: EdMyopiaPicture): Spec {
  const { config, weights, density, curves, seed } = result;
  const discrepancies = curves.filter(({ t }) => t !== undefined);
  const plain = (loss: string) => curves.filter((curve) => curve.loss === loss);
  const lines = [
    ...plain('maximum-likelihood').map((c) => ({ ...c, colour: HUES.warm, name: 'likelihood' })),
    ...plain('score-matching').map((c) => ({ ...c, colour: HUES.green, name: 'score matching' })),
    ...discrepancies.map((c, i) => ({
      ...c,
      colour: BLUES[Math.min(i, BLUES.length - 1)],
      name: `discrepancy, t = ${c.t}`,
    })),
  ];
  const x = { title: 'weight ρ of the left mode in the model', domain: [0, 1] as const };
  const frame = { x, y: { domain: FRAME, ticks: [0, 0.02, 0.04, 0.06, 0.08, 0.1] }, width: 300 };
  const mark = { x: [config.weight, config.weight], y: [...FRAME], colour: HUES.quiet };
  const truth = { ...mark, dash: [4, 4] as const, width: 1.2 };
  const dash = (t: number | undefined) => (t === undefined ? { dash: [6, 3] as const } : {});
  return derivationPanels({
    title: 'Score matching cannot see the weights of modes that hardly overlap',
    caption:
      `${config.points} points of ${config.weight}·N(−${config.centre}, 1) + ${1 - config.weight}·N(${config.centre}, 1), ` +
      `seed ${seed}. Estimator: M = ${config.particles}, w = ${config.stabiliser}, one draw of noise per t for all ρ. ` +
      'Exact: by quadrature, w = 0 and M → ∞. All but score matching are shifted to a least value of 0; ' +
      'the vertical line is the true weight.',
    panels: [
      {
        title: 'The data',
        width: 230,
        x: { domain: [-config.limit, config.limit] },
        y: { title: 'density', domain: [0, 0.1 * Math.ceil(10.5 * Math.max(...density.p))] },
        key: {
          corner: 'top-left',
          entries: lines.map(({ name, colour }) => ({ text: name, colour })),
        },
        curves: [{ ...density, y: density.p, colour: HUES.data, filled: true, width: 1.6 }],
      },
      {
        title: 'Losses on the sample',
        ...frame,
        curves: [
          truth,
          ...lines.map(({ sample, colour, t }) => ({ x: weights, y: sample, colour, ...dash(t) })),
        ],
      },
      {
        title: 'Exact losses',
        ...frame,
        curves: [
          truth,
          ...lines.map(({ exact, colour, t }) => ({ x: weights, y: exact, colour, ...dash(t) })),
        ],
      },
    ],
  });
}
