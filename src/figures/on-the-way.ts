import type { Spec } from './density-panels.ts';
import { above, HUES, type Panel } from './derivation-panels.ts';
import { fullSquare, type Pictures } from './mosaic.ts';
import { picturePanels } from './picture-panels.ts';

/** Numbers with their shape, e.g. bytes of images. */
export interface Values {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}

/** What the figures of every training on CIFAR-10 need. */
export interface ImageTraining {
  readonly preset: string;
  readonly numbers: {
    readonly series: readonly {
      readonly step: number;
      readonly samples: number;
      readonly thumbnailDistance: number;
    }[];
    /** Distance of thumbnails between training and test images. */
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
}

/** Evaluations that are shown. */
const SHOWN = 3;

interface Layout {
  readonly title: string;
  readonly caption: string;
  /** Pictures along the side of a panel at most. */
  readonly across: number;
  /** Pixels of a panel. */
  readonly side: number;
}

/** Samples of the same noise at some evaluations, the last among them, beside training images. */
export function samplesOnTheWay(
  { numbers: { series }, pictures, real }: ImageTraining,
  { title, caption, across, side }: Layout,
): Spec {
  const last = series.length - 1;
  const at = new Set(Array.from({ length: SHOWN }, (_, i) => Math.round((last * (i + 1)) / SHOWN)));
  const panels = [...at].map((i) => ({
    pictures: squares(pictures, i),
    header: `${series[i].step} iterations`,
  }));
  return picturePanels({
    title,
    caption,
    columns: panels.length + 1,
    panels: [...panels, { pictures: squares(real), header: 'Training images' }],
    across: fullSquare(across, ...panels.map((panel) => panel.pictures)),
    side,
  });
}

/** Distances of the samples to test images by iterations; dotted, those of training images. */
export function distancesOnTheWay({ numbers }: ImageTraining): Panel[] {
  const { series, floor, distances } = numbers;
  const steps = series.map(({ step }) => step);
  const panel = (title: string, y: readonly number[], level: number): Panel => ({
    title,
    x: { title: 'iterations', domain: [0, steps[steps.length - 1]] },
    y: { domain: [0, above(y)] },
    curves: [{ x: steps, y, colour: HUES.model, dots: true }],
    levels: [level],
  });
  const thumbnails = panel(
    'Fréchet distance of 4 × 4 thumbnails',
    series.map((row) => row.thumbnailDistance),
    floor,
  );
  if (!distances) return [thumbnails];
  const found = distances.series.map(({ distance }) => distance);
  const title = `${distances.title}, ${distances.reference} test images`;
  return [panel(title, found, distances.floor), thumbnails];
}

/** Bytes as pictures in [0, 1]; with `row`, those of one evaluation. */
export function squares({ data, shape }: Values, row?: number): Pictures {
  const of = row === undefined ? shape : shape.slice(1);
  const size = of.reduce((a, b) => a * b, 1);
  const from = (row ?? 0) * size;
  return { data: Float32Array.from({ length: size }, (_, i) => data[from + i] / 255), shape: of };
}
