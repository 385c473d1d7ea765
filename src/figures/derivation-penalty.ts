import type { Spec } from './density-panels.ts';
import { derivationPanels, HUES } from './derivation-panels.ts';

type Numbers = ArrayLike<number>;

export interface PenaltyPicture {
  /** Penalty per draw: with log q(x_{t+1} | x_t) inside, and of the energy alone. */
  readonly pairs: Numbers;
  readonly plain: Numbers;
  /** E of the penalty of the energy alone. */
  readonly exact: number;
  /** n·a²/β. */
  readonly constant: number;
  readonly gradients: readonly {
    readonly exact: number;
    readonly pairs: { readonly mean: number; readonly standardError: number };
    readonly plain: { readonly mean: number; readonly standardError: number };
  }[];
}

const MARKS = 55;

/** ∂ is the derivative in x; the bundled font has no nabla. */
const KEY = [
  { text: '|∂E + ∂ log q(x′ | x)|²', colour: HUES.model },
  { text: '|∂E|²', colour: HUES.warm },
];

/** Both forms of the gradient penalty: equal but for a constant, with the same gradient. */
export function penaltyFigure(p: PenaltyPicture): Spec {
  const total = p.pairs.length;
  const pairs = runningMean(p.pairs);
  const plain = runningMean(p.plain);
  const low = Math.min(p.exact, p.exact + p.constant);
  const room = 0.55 * p.constant;
  const errors = p.gradients.flatMap((g) => [
    Math.abs(g.pairs.mean - g.exact) + g.pairs.standardError,
    Math.abs(g.plain.mean - g.exact) + g.plain.standardError,
  ]);
  const reach = 1e3 * Math.max(...errors) * 1.35;
  const decades = [2, 3, 4, 5, 6].map((k) => 10 ** k).filter((n) => n <= total);
  return derivationPanels({
    title: 'The gradient penalty of (23) is R1 plus a constant',
    caption:
      'Left: running means over draws of pairs; the dotted lines are the exact values, n·a²/β apart. ' +
      'Right: the gradient in each coefficient of the energy as estimated from the same draws, less ' +
      'its exact value, with one standard error.',
    panels: [
      {
        title: 'Running mean of the penalty',
        width: 360,
        x: { title: 'draws', domain: [100, total * 1.05], log: 10, ticks: decades },
        y: { domain: [low - room, p.exact + p.constant + room] },
        levels: [p.exact, p.exact + p.constant],
        curves: [
          { x: pairs.n, y: pairs.mean, colour: HUES.model },
          { x: plain.n, y: plain.mean, colour: HUES.warm },
        ],
        key: { corner: 'bottom-right', entries: KEY },
      },
      {
        title: 'Error of the gradient',
        width: 300,
        x: {
          domain: [-0.6, p.gradients.length - 0.4],
          ticks: p.gradients.map((_, j) => j),
          title: 'coefficient of the energy',
        },
        y: { title: '10⁻³', domain: [-reach, reach] },
        levels: [0],
        dots: p.gradients.flatMap((g, j) => [
          {
            x: j - 0.1,
            y: 1e3 * (g.pairs.mean - g.exact),
            error: 1e3 * g.pairs.standardError,
            colour: HUES.model,
          },
          {
            x: j + 0.1,
            y: 1e3 * (g.plain.mean - g.exact),
            error: 1e3 * g.plain.standardError,
            colour: HUES.warm,
          },
        ]),
        key: { corner: 'top-left', entries: KEY },
      },
    ],
  });
}

/** Means of the first n values at numbers n that are even on a logarithmic scale. */
function runningMean(values: Numbers): { n: number[]; mean: number[] } {
  const marks = new Set<number>();
  const first = 100;
  for (let i = 0; i <= MARKS; i++) {
    marks.add(Math.round(first * (values.length / first) ** (i / MARKS)));
  }
  const out: { n: number[]; mean: number[] } = { n: [], mean: [] };
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    sum += values[i];
    if (!marks.has(i + 1)) continue;
    out.n.push(i + 1);
    out.mean.push(sum / (i + 1));
  }
  return out;
}
