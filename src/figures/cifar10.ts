import type { Spec } from './density-panels.ts';
import { above, type Curve, derivationPanels, HUES } from './derivation-panels.ts';
import { fullSquare, type Pictures } from './mosaic.ts';
import { picturePanels } from './picture-panels.ts';

interface Values {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}

/** What the figures need of a training of DDAEBM on CIFAR-10. */
export interface Cifar10Picture {
  readonly preset: string;
  readonly config: { readonly batch: number; readonly diffusion: { readonly steps: number } };
  readonly numbers: {
    readonly series: readonly {
      readonly step: number;
      readonly samples: number;
      readonly thumbnailDistance: number;
    }[];
    readonly floor: number;
    readonly curve: readonly Readonly<Record<string, number>>[];
    readonly distances?: {
      readonly title: string;
      readonly reference: number;
      readonly floor: number;
      readonly series: readonly { readonly step: number; readonly distance: number }[];
    };
  };
  /** Bytes [evaluations, n, 3, 32, 32] and [n, 3, 32, 32]. */
  readonly pictures: Values;
  readonly real: Values;
  /** E(x, 0) by kind of image. */
  readonly energies: Readonly<Record<string, Values>>;
}

/** Pictures along the side of a panel. */
const ACROSS = 6;
/** Evaluations that are shown. */
const SHOWN = 3;

/** Samples of the same latents at some evaluations, the last among them, beside training images. */
export function cifar10SamplesFigure(result: Cifar10Picture): Spec {
  const { series } = result.numbers;
  const last = series.length - 1;
  const at = [
    ...new Set(Array.from({ length: SHOWN }, (_, i) => Math.round((last * (i + 1)) / SHOWN))),
  ];
  const panels = at.map((i) => ({
    pictures: squares(result.pictures, i),
    header: `${series[i].step} iterations`,
  }));
  return picturePanels({
    title: 'CIFAR-10: samples on the way',
    caption: `DDAEBM, preset ${result.preset}, T = ${result.config.diffusion.steps}; the same noise at each point, parameters averaged.`,
    columns: panels.length + 1,
    panels: [...panels, { pictures: squares(result.real), header: 'Training images' }],
    across: fullSquare(ACROSS, ...panels.map(({ pictures }) => pictures)),
    side: 200,
  });
}

/** Bytes as pictures in [0, 1]; with `row`, those of one evaluation. */
export function squares({ data, shape }: Values, row?: number): Pictures {
  const of = row === undefined ? shape : shape.slice(1);
  const size = of.reduce((a, b) => a * b, 1);
  const from = (row ?? 0) * size;
  return { data: Float32Array.from({ length: size }, (_, i) => data[from + i] / 255), shape: of };
}

/** Distances of the samples to test images, and the terms of the losses, by iterations. */
export function cifar10CurvesFigure({ numbers, preset, config }: Cifar10Picture): Spec {
  const { series, floor, curve, distances } = numbers;
  const steps = series.map(({ step }) => step);
  const x = { title: 'iterations', domain: [0, steps[steps.length - 1]] as const };
  const line = (y: readonly number[], colour: string): Curve => ({
    x: steps,
    y,
    colour,
    dots: true,
  });
  const thumbnails = series.map((row) => row.thumbnailDistance);
  const rows = curve.map(({ step }) => step);
  const losses = [
    { text: 'E on data', colour: HUES.data, y: curve.map((r) => r['realEnergy']) },
    { text: 'E on samples', colour: HUES.model, y: curve.map((r) => r['fakeEnergy']) },
  ];
  const values = losses.flatMap(({ y }) => y);
  const samples = series[0].samples;
  return derivationPanels({
    title: 'CIFAR-10: distance to the data on the way',
    caption:
      `Preset ${preset}: batch ${config.batch}, ${steps[steps.length - 1]} iterations, ${samples} samples at each point. ` +
      'Dotted: as many training images. Energies are means over training batches at all levels, a constant is free.',
    panels: [
      ...(distances
        ? [
            {
              title: `${distances.title}, ${distances.reference} test images`,
              x,
              y: { domain: [0, above(distances.series.map((r) => r.distance))] as const },
              curves: [
                line(
                  distances.series.map((r) => r.distance),
                  HUES.model,
                ),
              ],
              levels: [distances.floor],
            },
          ]
        : []),
      {
        title: 'Fréchet distance of 4 × 4 thumbnails',
        x,
        y: { domain: [0, above(thumbnails)] as const },
        curves: [line(thumbnails, HUES.model)],
        levels: [floor],
      },
      {
        title: 'Energy',
        x,
        y: { domain: [Math.min(...values, 0), Math.max(...values, 0)] as const },
        curves: losses.map(({ y, colour }) => ({ x: rows, y, colour })),
        key: { corner: 'top-right' as const, entries: losses },
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
