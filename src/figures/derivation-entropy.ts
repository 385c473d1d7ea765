import type { Spec } from './density-panels.ts';
import { type Curve, derivationPanels, HUES, within } from './derivation-panels.ts';

type Numbers = ArrayLike<number>;

export interface EntropyPicture {
  /** Points of z. */
  readonly z: Numbers;
  /** p_φ(z | x_t, x_{t+1}) and q_ψ at some x_t. */
  readonly posteriors: readonly {
    readonly x: number;
    readonly exact: Numbers;
    readonly encoder: Numbers;
  }[];
  /** The bound (16) by encoder: H(z | x_t, x_{t+1}) and what the bound adds to it, in nat. */
  readonly bounds: readonly {
    readonly name: string;
    readonly entropy: number;
    readonly slack: number;
  }[];
}

const SHOWN = [-3, 3] as const;

/** The entropy bound (16): the posterior that an encoder stands in for, and what that costs. */
export function entropyFigure(p: EntropyPicture): Spec {
  const rows = p.posteriors.length;
  const highest = Math.max(
    ...p.posteriors.flatMap((row) => [...Array.from(row.exact), ...Array.from(row.encoder)]),
  );
  const ridge = (density: Numbers, i: number, exact: boolean): Curve => ({
    ...within(
      p.z,
      Array.from(density, (v) => (0.86 * v) / highest),
      SHOWN,
    ),
    base: rows - 1 - i,
    colour: exact ? HUES.data : HUES.model,
    filled: exact,
    width: exact ? 1.4 : 1.8,
    ...(!exact && { dash: [5, 3] as const }),
  });
  const bars = p.bounds.length;
  const top = Math.max(...p.bounds.map((b) => b.entropy + b.slack));
  return derivationPanels({
    title: 'The entropy bound and its slack',
    caption:
      'Left: the posterior of the latent (shaded) and the encoder in its place (dashed), each row ' +
      'another x. Right: H(z|x,x′) in grey and in colour what the bound (16) adds, which is the ' +
      'expected KL from posterior to encoder.',
    panels: [
      {
        title: 'Posterior of z and encoder',
        width: 330,
        x: { title: 'z', domain: SHOWN },
        y: { domain: [0, rows], bare: true },
        curves: p.posteriors.flatMap((row, i) => [
          ridge(row.exact, i, true),
          ridge(row.encoder, i, false),
        ]),
        notes: p.posteriors.map((row, i) => ({
          x: 2.9,
          y: rows - 1 - i + 0.24,
          text: `x = ${row.x < 0 ? '−' : ''}${Math.abs(row.x)}`,
          align: 'right' as const,
        })),
      },
      {
        title: 'Entropy and slack',
        width: 330,
        x: { domain: [0, 1.25 * top], title: 'E[−log q(z | x, x′)], nat' },
        y: { domain: [-0.3, bars], bare: true },
        bars: p.bounds.flatMap((b, i) => [
          { x: 0, x2: b.entropy, y: bars - 0.8 - i, colour: HUES.quiet },
          { x: b.entropy, x2: b.entropy + b.slack, y: bars - 0.8 - i, colour: HUES.warm },
        ]),
        notes: p.bounds.flatMap((b, i) => [
          { x: 0.02 * top, y: bars - 0.42 - i, text: b.name },
          {
            x: b.entropy + b.slack + 0.02 * top,
            y: bars - 0.8 - i,
            text: `+${b.slack.toFixed(3)}`,
            colour: HUES.warm,
          },
        ]),
      },
    ],
  });
}
