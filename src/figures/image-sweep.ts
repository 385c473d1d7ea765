import { ConfigError } from '../core/errors.ts';
import type { Spec } from './density-panels.ts';
import { above, derivationPanels, HUES } from './derivation-panels.ts';
import { picturePanels } from './picture-panels.ts';
import { settingsOf, settingTitle, valueText } from './sweep-runs.ts';

interface SweptImages {
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  readonly seed: number;
  readonly key: string | null;
  readonly metrics: Readonly<Record<string, number | undefined>>;
}

/** What a sweep over trainings on images knows of a run. */
export interface ImageSweepDetails {
  readonly images?: {
    readonly title: string;
    readonly reference: number;
    readonly samples: number;
    readonly floor: number;
    readonly steps: readonly number[];
    readonly distances: readonly number[];
    /** PNG in base64. */
    readonly sheet: string;
  };
}

/** A sweep over trainings on images, e.g. a `SweepResult` of `cifar10`. */
export interface ImageSweep {
  readonly name: string;
  readonly runs: readonly SweptImages[];
  details(run: { readonly key: string | null }): ImageSweepDetails | undefined;
}

export interface ImageSweepOptions {
  readonly title?: string;
  /** The lines under the title. */
  readonly caption?: string;
}

/** In the order of the values; one that is wanted further comes round again. */
const COLOURS = [HUES.model, HUES.warm, HUES.green, HUES.violet, HUES.data] as const;
const WIDTH = 520;
const SHEET = 128;

/**
 * The distance of the samples to the data by iterations, a line for each run (Figure 5); dotted, the
 * distance of as many training images.
 * @throws ConfigError when no run has distances.
 */
export function imageDistanceLines(sweep: ImageSweep, options: ImageSweepOptions = {}): Spec {
  const runs = measuredRuns(sweep);
  const { title, reference, floor, samples } = runs[0].images;
  const last = Math.max(...runs.flatMap(({ images }) => images.steps));
  const curves = runs.map(({ images }, i) => ({
    x: images.steps,
    y: images.distances,
    colour: COLOURS[i % COLOURS.length],
    dots: true,
  }));
  return derivationPanels({
    title: options.title ?? sweep.name,
    caption:
      options.caption ?? `${samples} samples at each point; dotted: as many training images.`,
    panels: [
      {
        title: `${title}, ${reference} test images`,
        width: WIDTH,
        x: { title: 'iterations', domain: [0, last] },
        y: { domain: [0, above(...curves.map(({ y }) => y))] },
        curves,
        levels: [floor],
        key: {
          corner: 'bottom-left',
          entries: curves.map(({ colour }, i) => ({ text: runs[i].name, colour })),
        },
      },
    ],
  });
}

/** Some of the last samples of each run. @throws ConfigError when no run has samples. */
export function imageSheets(sweep: ImageSweep, options: ImageSweepOptions = {}): Spec {
  const runs = measuredRuns(sweep);
  return picturePanels({
    title: options.title ?? sweep.name,
    caption: options.caption ?? 'Samples at the end.',
    columns: runs.length,
    panels: runs.map(({ name, images }) => ({
      image: `data:image/png;base64,${images.sheet}`,
      header: name,
    })),
    across: 1,
    side: SHEET,
  });
}

/** The runs that have distances, and how a figure calls them. */
function measuredRuns(sweep: ImageSweep) {
  const names = settingsOf(sweep.runs);
  const seeds = new Set(sweep.runs.map(({ seed }) => seed));
  const found = sweep.runs.flatMap((run) => {
    const images = sweep.details(run)?.images;
    if (images === undefined) return [];
    const words = names.map((name) => `${settingTitle(name)} ${valueText(run.settings[name])}`);
    if (seeds.size > 1) words.push(`seed ${run.seed}`);
    return [{ name: words.join(', '), images }];
  });
  if (found.length > 0) return found;
  throw new ConfigError(
    `figure of ${sweep.name}: no run has distances of images; sweep 'cifar10' where its classifier is`,
  );
}
