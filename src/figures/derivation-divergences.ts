import type { Spec } from './density-panels.ts';
import { above, type Curve, derivationPanels, HUES, within } from './derivation-panels.ts';

type Numbers = ArrayLike<number>;

export interface DivergencePicture {
  readonly x: Numbers;
  /** The density to be approximated. */
  readonly target: Numbers;
  /** The best Gaussian of each divergence. */
  readonly fits: Readonly<Record<'reverse' | 'forward' | 'jeffreys', Numbers>>;
  /** Means of a Gaussian of fixed deviation, and its divergences from the target. */
  readonly means: Numbers;
  readonly reverse: Numbers;
  readonly forward: Numbers;
  readonly sd: number;
}

const SHOWN = [-2.4, 2.4] as const;

/** What Jeffreys' divergence adds to the reverse KL: it seeks modes and still covers. */
export function divergenceFigure(p: DivergencePicture): Spec {
  const curve = (y: Numbers, colour: string, text: string, more: Partial<Curve['label']> = {}) => ({
    ...within(p.x, y, SHOWN),
    colour,
    label: { text, at: 'peak' as const, dx: 10, dy: 0, ...more },
  });
  const jeffreys = Array.from(p.means, (_, i) => p.reverse[i] + p.forward[i]);
  const line = (y: Numbers, colour: string, text: string, at: number, dy: number): Curve => ({
    ...within(p.means, y, SHOWN),
    colour,
    label: { text, at, dx: 6, dy },
  });
  const top = Math.min(16, above(jeffreys));
  return derivationPanels({
    title: 'What Jeffreys adds to KL',
    caption:
      'A Gaussian generator against a conditional with two hills. KL(p_φ‖p_θ) is content with one ' +
      'hill, KL(p_θ‖p_φ) spreads over both and the gap between them, their sum pays for either fault.',
    panels: [
      {
        title: 'The best Gaussian of each divergence',
        width: 360,
        x: { title: 'x', domain: SHOWN },
        y: { title: 'density', domain: [0, above(p.target, p.fits.reverse)] },
        curves: [
          { ...within(p.x, p.target, SHOWN), colour: HUES.data, filled: true, width: 1.2 },
          curve(p.fits.reverse, HUES.warm, 'KL(p_φ‖p_θ)'),
          curve(p.fits.forward, HUES.green, 'KL(p_θ‖p_φ)', { dx: -8, dy: -9, align: 'right' }),
          curve(p.fits.jeffreys, HUES.violet, 'Jeffreys', { dx: -10, dy: -9, align: 'right' }),
        ],
        notes: [
          { x: -1.35, y: 0.02 + 0.62 * hill(p), text: 'p_θ', colour: HUES.data, align: 'right' },
        ],
      },
      {
        title: 'Divergence by position',
        subtitle: `Gaussian of deviation ${p.sd}`,
        width: 320,
        x: { title: 'mean of the Gaussian', domain: [-1.8, 1.8] },
        y: { title: 'nat', domain: [0, top] },
        curves: [
          line(jeffreys, HUES.violet, 'sum', -0.35, -10),
          line(p.reverse, HUES.warm, 'KL(p_φ‖p_θ)', -0.2, -12),
          line(p.forward, HUES.green, 'KL(p_θ‖p_φ)', 0.5, 12),
        ],
      },
    ],
  });
}

/** Height of the target's left hill. */
function hill({ x, target }: DivergencePicture): number {
  return Math.max(...within(x, target, [-2.4, 0]).y);
}
