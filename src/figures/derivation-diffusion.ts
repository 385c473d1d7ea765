import type { Spec } from './density-panels.ts';
import { derivationPanels, HUES, type Panel } from './derivation-panels.ts';

/** Posterior coefficients of one schedule, one entry per t = 0..T−1. */
export interface CoefficientSeries {
  readonly name: string;
  readonly c1: ArrayLike<number>;
  readonly c2: ArrayLike<number>;
  readonly variance: ArrayLike<number>;
}

/** c1, c2 and β̃ by level, a panel per schedule. */
export function coefficientFigure(series: readonly CoefficientSeries[]): Spec {
  return derivationPanels({
    title: 'Coefficients of the forward posterior',
    caption:
      'q(x_t | x_t+1, x̂) = N(c₁x̂ + c₂x_t+1, β̃ I). Close to the data the step follows the ' +
      'prediction x̂; far from it the variance takes over and the prediction hardly matters.',
    panels: series.map((s, i) => coefficients(s, i === 0)),
  });
}

function coefficients(s: CoefficientSeries, labelled: boolean): Panel {
  const steps = s.c1.length;
  const t = Array.from({ length: steps }, (_, k) => k);
  const label = (text: string, dy: number) =>
    labelled ? { label: { text, at: 1, dx: 6, dy } } : {};
  return {
    title: s.name,
    width: 170,
    height: 170,
    x: { title: 't', domain: [-0.25, steps - 0.75], ticks: t },
    y: { domain: [-0.04, 1.06], ticks: [0, 0.5, 1] },
    curves: [
      { x: t, y: s.c1, colour: HUES.data, dots: true, ...label('c₁', -9) },
      { x: t, y: s.c2, colour: HUES.model, dots: true, ...label('c₂', 10) },
      { x: t, y: s.variance, colour: HUES.warm, dots: true, ...label('β̃', -9) },
    ],
  };
}
