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
  const curve = (y: Numbers, colour: string): Curve => ({ ...within(p.x, y, SHOWN), colour });
  const jeffreys = Array.from(p.means, (_, i) => p.reverse[i] + p.forward[i]);
  const line = (y: Numbers, colour: string): Curve => ({ ...within(p.means, y, SHOWN), colour });
  const top = Math.min(16, above(jeffreys));
  return derivationPanels({
    title: 'What Jeffreys adds to KL',
    caption:
      'A Gaussian generator g against a conditional p with two hills. KL(g‖p) is content with one ' +
      'hill, KL(p‖g) spreads over both and the valley between, their sum pays for either fault.',
    panels: [
      {
        title: 'The best Gaussian of each divergence',
        width: 360,
        x: { title: 'x', domain: SHOWN },
        y: { title: 'density', domain: [0, above(p.target, p.fits.reverse)] },
        curves: [
          { ...within(p.x, p.target, SHOWN), colour: HUES.data, filled: true, width: 1.2 },
          curve(p.fits.reverse, HUES.warm),
          curve(p.fits.forward, HUES.green),
          curve(p.fits.jeffreys, HUES.violet),
        ],
        key: {
          corner: 'top-left',
          entries: [
            { text: 'shaded: p', colour: HUES.data },
            { text: 'least KL(g‖p), eq. (11)', colour: HUES.warm },
            { text: 'least KL(p‖g), eq. (12)', colour: HUES.green },
            { text: 'least sum, eq. (10)', colour: HUES.violet },
          ],
        },
      },
      {
        title: 'Divergence by position',
        width: 320,
        x: { title: `mean of g, its deviation being ${p.sd}`, domain: [-1.8, 1.8] },
        y: { title: 'nat', domain: [0, top] },
        curves: [
          line(jeffreys, HUES.violet),
          line(p.reverse, HUES.warm),
          line(p.forward, HUES.green),
        ],
        key: {
          corner: 'top-centre',
          entries: [
            { text: 'KL(g‖p) + KL(p‖g)', colour: HUES.violet },
            { text: 'KL(g‖p)', colour: HUES.warm },
            { text: 'KL(p‖g)', colour: HUES.green },
          ],
        },
      },
    ],
  });
}
