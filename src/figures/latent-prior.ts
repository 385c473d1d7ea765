import type { Spec } from './density-panels.ts';
import { above, derivationPanels, HUES } from './derivation-panels.ts';
import { fullSquare, type Pictures } from './mosaic.ts';
import { picturePanels } from './picture-panels.ts';

/** What the figures need of a decoder with an energy-based prior. */
export interface LatentPriorPicture {
  readonly config: { readonly evaluation: { readonly priorSteps: number } };
  readonly originals: Pictures;
  readonly reconstructions: Pictures;
  readonly samples: Pictures;
  readonly rawSamples: Pictures;
  readonly gaussianSamples: Pictures;
  /** E(z) without the Gaussian part, one per latent. */
  readonly latentEnergies: Readonly<
    Record<'posterior' | 'prior' | 'gaussian', { readonly data: ArrayLike<number> }>
  >;
}

/** Test digits, their reconstructions, and what the decoder makes of three kinds of latents. */
export function latentPicturesFigure(result: LatentPriorPicture): Spec {
  return picturePanels({
    title: 'A decoder of MNIST with an energy-based prior',
    caption:
      'Test digits; the decoder at latents of their posterior; the decoder at samples of the prior, ' +
      `by ${result.config.evaluation.priorSteps} Langevin steps with averaged and with last parameters; and at normal noise, which is ` +
      'the prior without its energy.',
    columns: 5,
    panels: [
      { pictures: result.originals, header: 'Originals' },
      { pictures: result.reconstructions, header: 'Reconstructions' },
      { pictures: result.samples, header: 'Prior samples' },
      { pictures: result.rawSamples, header: '… last parameters' },
      { pictures: result.gaussianSamples, header: 'N(0, I)' },
    ],
    across: fullSquare(6, result.originals),
    side: 168,
  });
}

const KINDS = [
  { kind: 'posterior', text: 'posterior of test digits', colour: HUES.data },
  { kind: 'prior', text: 'samples of the prior', colour: HUES.model },
  { kind: 'gaussian', text: 'N(0, I)', colour: HUES.warm },
] as const;

const BINS = 60;

/** Densities of the energy E(z) of latents of three origins, as smoothed histograms. */
export function latentEnergyFigure({ latentEnergies }: LatentPriorPicture): Spec {
  const all = KINDS.flatMap(({ kind }) => Array.from(latentEnergies[kind].data));
  const [low, high] = [quantile(all, 0.002), quantile(all, 0.998)];
  const margin = 0.08 * (high - low || 1);
  const [from, to] = [low - margin, high + margin];
  const x = Array.from({ length: BINS + 1 }, (_, i) => from + ((to - from) * i) / BINS);
  const curves = KINDS.map(({ kind, colour }) => ({
    x,
    y: kernelDensity(Array.from(latentEnergies[kind].data), x),
    colour,
    filled: true,
    width: 1.6,
  }));
  return derivationPanels({
    title: 'What the prior energy tells apart',
    caption:
      'Density of E(z), the Gaussian part left out; low energies are likely. Where the prior has ' +
      'learned the posterior, its samples lie on the posterior and normal noise to the right of both.',
    panels: [
      {
        title: 'Energy of latents',
        width: 460,
        x: { title: 'E(z)', domain: [from, to] },
        y: { domain: [0, above(...curves.map(({ y }) => y))], bare: true },
        curves,
        key: {
          corner: 'top-right',
          entries: KINDS.map(({ text, colour }) => ({ text, colour })),
        },
      },
    ],
  });
}

/** Gaussian kernels of Silverman's width. */
function kernelDensity(values: readonly number[], x: readonly number[]): number[] {
  const n = values.length;
  const mean = values.reduce((sum, v) => sum + v, 0) / n;
  const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n);
  const width = Math.max(1.06 * deviation * n ** -0.2, 1e-9);
  return x.map(
    (at) =>
      values.reduce((sum, v) => sum + Math.exp(-0.5 * ((at - v) / width) ** 2), 0) /
      (n * width * Math.sqrt(2 * Math.PI)),
  );
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.round(share * (sorted.length - 1))];
}
