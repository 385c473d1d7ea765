import type { Spec } from './density-panels.ts';
import { type Curve, derivationPanels, HUES } from './derivation-panels.ts';
import { fullSquare, type Pictures } from './mosaic.ts';
import { picturePanels } from './picture-panels.ts';

/** What the figures need of one trained NICE. */
export interface NicePicture {
  /** e.g. `DDAEBM, w = 0.1`. */
  readonly name: string;
  readonly config: {
    readonly method: string;
    readonly batch: number;
    readonly network: { readonly width: number };
  };
  readonly numbers: {
    readonly test: number;
    readonly series: readonly { readonly step: number; readonly test: number }[];
  };
  readonly exact: Pictures;
  /** Absent for maximum likelihood, which has no generator. */
  readonly generated?: Pictures;
}

/** Pictures along a side of a panel. */
const ACROSS = 5;

/**
 * Exact samples of the energies above samples of their generators (paper, Figure 2): columns are
 * methods, under each the test log-likelihood.
 */
export function niceSamplesFigure(runs: readonly NicePicture[]): Spec {
  const nats = ({ numbers }: NicePicture) => `${minus(numbers.test)} nats`;
  const exact = runs.map((run, i) => ({
    pictures: run.exact,
    header: run.name,
    note: nats(run),
    ...(i === 0 && { rowTitle: 'energy, exact' }),
  }));
  const generated = runs.map(({ generated: pictures }, i) => ({
    pictures,
    ...(i === runs.findIndex((run) => run.generated) && { rowTitle: 'generator' }),
  }));
  return picturePanels({
    title: 'What a NICE energy and its generator have learned of MNIST',
    caption:
      'Above: exact samples of the energy, the inverse of the flow at normal noise. Below: samples ' +
      'of the generator that trained it; maximum likelihood needs none. Under each column the test ' +
      'log-likelihood in logit space.',
    columns: runs.length,
    panels: [...exact, ...generated],
    across: fullSquare(ACROSS, ...runs.map(({ exact }) => exact)),
    side: 140,
  });
}

type Look = Pick<Curve, 'colour' | 'dash'>;

const LOOKS: Readonly<Record<string, Look>> = {
  mle: { colour: HUES.data },
  'mle-t': { colour: HUES.data, dash: [5, 4] },
  'wgan-0gp': { colour: HUES.quiet },
  meg: { colour: HUES.green },
  vera: { colour: HUES.warm },
  ddaebm: { colour: HUES.model },
};

/** Further runs of a method, at other settings. */
const OTHER: Look = { colour: HUES.violet };

/** Images of an epoch of MNIST. */
const EPOCH = 60_000;

/** Test log-likelihood by epochs, once whole and once near the top. */
export function niceCurvesFigure(runs: readonly NicePicture[]): Spec {
  const methods = runs.map(({ config }) => config.method);
  const looks = methods.map((m, i) => (methods.indexOf(m) === i ? LOOKS[m] : undefined) ?? OTHER);
  const curves = runs.map(({ numbers, config }, i) => ({
    ...looks[i],
    x: numbers.series.map(({ step }) => (step * config.batch) / EPOCH),
    y: numbers.series.map(({ test }) => test),
    dots: true,
  }));
  const last = Math.max(...curves.flatMap(({ x }) => x));
  const x = { title: 'epochs', domain: [0, last] as const };
  const finals = runs.map(({ numbers }) => numbers.test);
  const best = Math.max(...finals);
  const top = best + 0.06 * Math.abs(best);
  const width = 400;
  return derivationPanels({
    title: 'Test log-likelihood on the way',
    caption:
      'On the first test images, nats per image in logit space, for a NICE of width ' +
      `${runs[0].config.network.width}.`,
    panels: [
      {
        title: 'From the start',
        width,
        x,
        y: { title: 'nats', domain: [Math.min(...curves.flatMap(({ y }) => y)), 0] },
        curves,
        key: {
          corner: 'bottom-right',
          entries: runs.map(({ name }, i) => ({
            text: looks[i].dash ? `${name} (dashed)` : name,
            colour: looks[i].colour,
          })),
        },
      },
      {
        title: 'Near the top',
        width,
        x,
        y: { domain: [2.6 * best, top] },
        curves,
      },
    ],
  });
}

function minus(value: number): string {
  return `${value < 0 ? '−' : ''}${Math.abs(value).toFixed(0)}`;
}
