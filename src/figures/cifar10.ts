import type { Spec } from './density-panels.ts';
import { above, derivationPanels, HUES } from './derivation-panels.ts';
import {
  distancesOnTheWay,
  type ImageTraining,
  samplesOnTheWay,
  type Values,
} from './on-the-way.ts';

/** What the figures need of a training of DDAEBM on CIFAR-10. */
export interface Cifar10Picture extends ImageTraining {
  readonly config: { readonly batch: number; readonly diffusion: { readonly steps: number } };
  /** E(x, 0) by kind of image. */
  readonly energies: Readonly<Record<string, Values>>;
}

/** Samples of the same latents at some evaluations, the last among them, beside training images. */
export function cifar10SamplesFigure(result: Cifar10Picture): Spec {
  return samplesOnTheWay(result, {
    title: 'CIFAR-10: samples on the way',
    caption: `DDAEBM, preset ${result.preset}, T = ${result.config.diffusion.steps}; the same noise at each point, parameters averaged.`,
    across: 6,
    side: 200,
  });
}

/** Distances of the samples to test images, and the terms of the losses, by iterations. */
export function cifar10CurvesFigure(result: Cifar10Picture): Spec {
  const { preset, config } = result;
  const { series, curve } = result.numbers;
  const rows = curve.map(({ step }) => step);
  const losses = [
    { text: 'E on data', colour: HUES.data, y: curve.map((r) => r['realEnergy']) },
    { text: 'E on samples', colour: HUES.model, y: curve.map((r) => r['fakeEnergy']) },
  ];
  const values = losses.flatMap(({ y }) => y);
  const { step: last, samples } = series[series.length - 1];
  return derivationPanels({
    title: 'CIFAR-10: distance to the data on the way',
    caption:
      `Preset ${preset}: batch ${config.batch}, ${last} iterations, ${samples} samples at each point. ` +
      'Dotted: as many training images. Energies are means over training batches at all levels, a constant is free.',
    panels: [
      ...distancesOnTheWay(result),
      {
        title: 'Energy',
        x: { title: 'iterations', domain: [0, last] },
        y: { domain: [Math.min(...values, 0), Math.max(...values, 0)] },
        curves: losses.map(({ y, colour }) => ({ x: rows, y, colour })),
        key: { corner: 'top-right', entries: losses },
      },
    ],
  });
}

const BINS = 60;
const COLOURS = [HUES.data, HUES.model, HUES.quiet, HUES.warm, HUES.green, HUES.violet] as const;

/** Histograms of E(x, 0) for the kinds of images, as shares of a kind. */
export function cifar10EnergiesFigure({ energies, preset }: Cifar10Picture): Spec {
  const kinds = Object.entries(energies);
  const all = kinds.flatMap(([, { data }]) => Array.from(data)).sort((a, b) => a - b);
  // A few far outliers would leave no room for the rest.
  const [low, high] = [all[Math.floor(0.01 * all.length)], all[all.length - 1]];
  const width = Math.max(high - low, 1e-6) / BINS;
  const centres = Array.from({ length: BINS }, (_, i) => low + (i + 0.5) * width);
  const curves = kinds.map(([, { data }], k) => {
    const y = new Float64Array(BINS);
    for (let i = 0; i < data.length; i++) {
      const bin = Math.floor((data[i] - low) / width);
      y[Math.max(0, Math.min(BINS - 1, bin))] += 1 / data.length;
    }
    return { x: centres, y: Array.from(y), colour: COLOURS[k % COLOURS.length] };
  });
  return derivationPanels({
    title: 'Energy at t = 0 of images of several kinds',
    caption: `Preset ${preset}. High is likely. Shares of ${kinds[0]?.[1].data.length ?? 0} images per bin; noise is added on the scale of [−1, 1].`,
    panels: [
      {
        title: 'share',
        width: 560,
        x: { title: 'E(x, 0)', domain: [low, high] },
        y: { domain: [0, above(...curves.map(({ y }) => y))] },
        curves,
        key: {
          corner: 'top-left',
          entries: kinds.map(([text], k) => ({ text, colour: COLOURS[k % COLOURS.length] })),
        },
      },
    ],
  });
}
