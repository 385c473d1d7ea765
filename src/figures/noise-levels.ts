import type { Spec } from './density-panels.ts';
import { derivationPanels, HUES } from './derivation-panels.ts';
import type { Pictures } from './mosaic.ts';
import { picturePanels } from './picture-panels.ts';

/** A forward process, one entry per level k = 0..T, and the weights of eq. (21), t = 0..T−1. */
export interface NoiseLevels {
  /** e.g. `LSUN church`. */
  readonly name: string;
  /** τ_k in [0, 1]. */
  readonly times: ArrayLike<number>;
  /** √ᾱ_k and √(1−ᾱ_k). */
  readonly aCum: ArrayLike<number>;
  readonly sigmaCum: ArrayLike<number>;
  /** w(τ_{t+1}). */
  readonly weights: ArrayLike<number>;
}

const SIDE = 200;

/** Where the levels of each schedule lie, what is left of the signal there, and the weights. */
export function noiseLevelsFigure(all: readonly NoiseLevels[], caption: string): Spec {
  const last = Math.max(...all.map(({ times }) => times.length - 1));
  const levels = Array.from({ length: last + 1 }, (_, k) => k);
  const size = { width: SIDE, height: SIDE };
  return derivationPanels({
    title: 'Levels of noise',
    caption,
    panels: [
      ...all.map(({ name, aCum, sigmaCum }, i) => ({
        title: name,
        ...size,
        x: { title: 'level k', domain: [-0.25, last + 0.25] as const, ticks: levels },
        y: { domain: [-0.04, 1.06] as const, ticks: [0, 0.5, 1] },
        curves: [
          { x: levels, y: aCum, colour: HUES.data, dots: true },
          { x: levels, y: sigmaCum, colour: HUES.warm, dots: true },
        ],
        ...(i === 0 && {
          notes: [
            { x: 2.3, y: 0.66, text: 'noise √(1−ᾱ)', colour: HUES.warm, align: 'left' as const },
            { x: 2.3, y: 0.55, text: 'signal √ᾱ', colour: HUES.data, align: 'left' as const },
          ],
        }),
      })),
      {
        title: 'weight of the reconstruction, eq. (21)',
        ...size,
        x: { title: 'τ of level t + 1', domain: [0, 1.05] as const },
        y: { domain: [0, 1.06] as const, ticks: [0, 0.5, 1] },
        curves: all.map(({ times, weights }, i) => ({
          x: Array.from(times).slice(1),
          y: weights,
          colour: COLOURS[i % COLOURS.length],
          dots: true,
        })),
        key: {
          corner: 'bottom-right' as const,
          entries: all.map(({ name }, i) => ({ text: name, colour: COLOURS[i % COLOURS.length] })),
        },
      },
    ],
  });
}

const COLOURS = [HUES.model, HUES.green, HUES.violet] as const;

/** Pictures at each level of a forward process, pictures [n, 3, side, side] in [0, 1] each. */
export function noisyPicturesFigure(
  levels: readonly { readonly header: string; readonly pictures: Pictures }[],
  { title, caption, across }: { title: string; caption: string; across: number },
): Spec {
  return picturePanels({
    ...{ title, caption, across },
    columns: levels.length,
    panels: levels.map(({ header, pictures }) => ({ header, pictures })),
    side: 140,
  });
}
