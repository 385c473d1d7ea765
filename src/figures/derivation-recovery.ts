import type { Spec } from './density-panels.ts';
import { type Curve, derivationPanels, HUES, within } from './derivation-panels.ts';

type Numbers = ArrayLike<number>;

export interface RecoveryPicture {
  /** Points of x. */
  readonly x: Numbers;
  /** q(x_t), t = 0..T. */
  readonly marginals: readonly Numbers[];
  /** q(x_0 | x_1) at some x_1. */
  readonly conditionals: readonly { readonly xNext: number; readonly density: Numbers }[];
  /** Expected minority mass of q(x_0 | x_1) by number of steps. */
  readonly minority: readonly { readonly steps: number; readonly mass: number }[];
  /** That of the marginal q(x_0). */
  readonly marginalMinority: number;
}

const SHOWN = [-2.6, 2.6] as const;

/** Why the recovery likelihood is the easier problem, and what remains hard at few steps. */
export function recoveryFigure(p: RecoveryPicture): Spec {
  const ridge = (density: Numbers, i: number, of: number, colour: string): Curve => {
    const part = within(p.x, density, SHOWN);
    const highest = Math.max(...part.y);
    return {
      x: part.x,
      y: part.y.map((v) => (0.86 * v) / highest),
      base: of - 1 - i,
      colour,
      filled: true,
      width: 1.5,
    };
  };
  const [levels, values] = [p.marginals.length, p.conditionals.length];
  const steps = p.minority.map((m) => m.steps);
  const top = 1.12 * p.marginalMinority;
  return derivationPanels({
    title: 'Why the recovery likelihood is the easier problem',
    caption:
      'Given a noisier neighbour, one hill outweighs the other; with enough steps it stands alone. ' +
      'Left the marginals, in the middle conditionals of the first of four steps (each curve scaled ' +
      'to its peak), right the mass that a sampler misses which never leaves the heaviest hill.',
    panels: [
      {
        title: 'Marginals q(x), by level t',
        x: { title: 'x', domain: SHOWN },
        y: { domain: [0, levels], bare: true },
        curves: p.marginals.map((m, i) => ridge(m, i, levels, HUES.data)),
        notes: p.marginals.map((_, i) => rowNote(`t = ${i}`, levels - 1 - i)),
      },
      {
        title: 'Conditionals q(x₀ | x₁)',
        x: { title: 'x₀', domain: SHOWN },
        y: { domain: [0, values], bare: true },
        curves: p.conditionals.map((c, i) => ridge(c.density, i, values, HUES.model)),
        notes: p.conditionals.map((c, i) => rowNote(`x₁ = ${signed(c.xNext)}`, values - 1 - i)),
      },
      {
        title: 'Mass outside the heaviest hill',
        x: { title: 'number of steps T', domain: [0.9, 36], ticks: steps, log: 2 },
        y: { domain: [0, top] },
        levels: [p.marginalMinority],
        curves: [
          {
            x: steps,
            y: p.minority.map((m) => m.mass),
            colour: HUES.model,
            dots: true,
          },
        ],
        notes: [
          { x: 5, y: p.marginalMinority * 1.045, text: 'marginal q(x₀)', colour: HUES.data },
          { x: 4.6, y: 0.145, text: 'conditional q(x₀ | x₁)', colour: HUES.model },
        ],
      },
    ],
  });
}

function rowNote(text: string, base: number) {
  return { x: 2.5, y: base + 0.2, text, align: 'right' as const };
}

function signed(value: number): string {
  return (value < 0 ? '−' : '') + Math.abs(value);
}

export interface RecoveryFitPicture {
  readonly x: Numbers;
  readonly target: Numbers;
  readonly snapshots: readonly { readonly step: number; readonly density: Numbers }[];
  readonly objective: readonly number[];
  readonly optimum: number;
}

/** The energy found by maximising (7), and how the objective approaches its optimum. */
export function recoveryFitFigure(p: RecoveryFitPicture): Spec {
  const colours = [HUES.quiet, HUES.warm, HUES.violet, HUES.model];
  const learned = p.snapshots.map(
    (s, i): Curve => ({ ...within(p.x, s.density, SHOWN), colour: colours[i % colours.length] }),
  );
  const gaps = p.objective.map((value) => p.optimum - value);
  const step = p.objective.map((_, i) => i + 1);
  const top = 1.15 * Math.max(...Array.from(p.target));
  return derivationPanels({
    title: 'Maximising the recovery likelihood finds the marginal',
    caption:
      'Gradient ascent on (7) with exact integrals. The objective only ever sees pairs of x and its ' +
      'noisier neighbour x′; what it converges to is the density of x alone.',
    panels: [
      {
        title: 'Learned density exp(E) / Z',
        width: 400,
        x: { title: 'x', domain: SHOWN },
        y: { title: 'density', domain: [0, top] },
        curves: [
          { ...within(p.x, p.target, SHOWN), colour: HUES.data, filled: true, width: 0 },
          ...learned,
        ],
        key: {
          corner: 'top-left',
          entries: [
            { text: 'shaded: q(x)', colour: HUES.data },
            ...p.snapshots.map((s, i) => ({
              text: i === 0 ? 'before the first step' : `after ${s.step} steps`,
              colour: colours[i % colours.length],
            })),
          ],
        },
      },
      {
        title: 'Distance to the optimum',
        width: 300,
        x: { title: 'step', domain: [0, step.length] },
        y: {
          title: 'expected KL of the conditionals, nat',
          domain: [1e-5, 3],
          log: 10,
          ticks: [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1],
        },
        curves: [
          { x: step, y: gaps.map((g) => Math.max(g, 1e-5)), colour: HUES.model, width: 1.5 },
        ],
      },
    ],
  });
}
