import type { Spec } from './density-panels.ts';
import { above, derivationPanels, HUES } from './derivation-panels.ts';
import { fullSquare, type Pictures } from './mosaic.ts';
import { picturePanels } from './picture-panels.ts';

interface Count {
  readonly step: number;
  readonly samples: number;
  readonly modes: number;
  readonly klToUniform: number;
}

/** What the figures need of one trained generator of StackedMNIST. */
export interface StackedPicture {
  /** e.g. `DDAEBM`. */
  readonly name: string;
  readonly config: { readonly batch: number; readonly network: { readonly features: number } };
  readonly numbers: Count & { readonly series: readonly Count[] };
  readonly pictures: Pictures;
}

const COLOURS = [HUES.quiet, HUES.green, HUES.model, HUES.warm, HUES.violet] as const;
const ACROSS = 5;

/** Modes found and KL to the uniform law by iterations, with what a perfect sampler would get. */
export function stackedCurvesFigure(
  runs: readonly StackedPicture[],
  floors: { readonly onTheWay: number; readonly final: number },
): Spec {
  const at = (pick: (count: Count) => number) =>
    runs.map(({ numbers }, i) => ({
      colour: COLOURS[i % COLOURS.length],
      x: numbers.series.map(({ step }) => step),
      y: numbers.series.map(pick),
      dots: true,
    }));
  const modes = at((count) => count.modes);
  const divergence = at((count) => count.klToUniform);
  const last = Math.max(...modes.flatMap(({ x }) => x));
  const x = { title: 'iterations', domain: [0, last] as const };
  const { series, samples } = runs[0].numbers;
  const onTheWay = series[0].samples;
  const width = 360;
  const finals = runs.map(({ numbers }, i) => ({
    x: last,
    y: numbers.klToUniform,
    colour: COLOURS[i % COLOURS.length],
  }));
  return derivationPanels({
    title: 'Modes of StackedMNIST on the way',
    caption:
      `${onTheWay} samples at each point, named digit by digit by a classifier; the separate dots ` +
      `at the end are of ${samples} samples. Dotted: what a perfect sampler is expected to get, ` +
      `${expectedModes(onTheWay).toFixed(0)} modes and ${floors.onTheWay.toFixed(3)} nat from ` +
      `${onTheWay} samples, ${expectedModes(samples).toFixed(0)} and ` +
      `${floors.final.toFixed(3)} nat from ${samples}.`,
    panels: [
      {
        title: 'Modes, of 1000',
        width,
        x,
        y: { domain: [0, 1060], ticks: [0, 200, 400, 600, 800, 1000] },
        curves: modes,
        dots: runs.map(({ numbers }, i) => ({
          x: last,
          y: numbers.modes,
          colour: COLOURS[i % COLOURS.length],
        })),
        levels: [expectedModes(onTheWay), expectedModes(samples)],
        key: {
          corner: 'bottom-right',
          entries: runs.map(({ name }, i) => ({ text: name, colour: COLOURS[i % COLOURS.length] })),
        },
      },
      {
        title: 'KL(samples ‖ uniform), nat',
        width,
        x,
        y: { domain: [0, above(...divergence.map(({ y }) => y))] },
        curves: divergence,
        dots: finals,
        levels: [floors.onTheWay, floors.final],
      },
    ],
  });
}

/** Modes of 1000 that a perfect sampler is expected to meet. */
function expectedModes(samples: number): number {
  return 1000 * (1 - (1 - 1 / 1000) ** samples);
}

/** Samples of each generator, beside real triples where they are at hand. */
export function stackedSamplesFigure(runs: readonly StackedPicture[], real?: Pictures): Spec {
  return picturePanels({
    title: 'Three digits in one picture',
    caption:
      'Each colour channel holds a digit of its own: 1000 triples, all about equally likely.',
    columns: runs.length + (real ? 1 : 0),
    panels: [
      ...(real ? [{ pictures: real, header: 'Data' }] : []),
      ...runs.map(({ name, numbers, pictures }) => ({
        pictures,
        header: name,
        note: `${numbers.modes} modes, KL ${numbers.klToUniform.toFixed(2)} nat`,
      })),
    ],
    across: fullSquare(ACROSS, ...runs.map(({ pictures }) => pictures)),
    side: 190,
  });
}
