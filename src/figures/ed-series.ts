import type { Spec } from './density-panels.ts';
import { panelRow } from './panel-row.ts';
import { MUTED } from './theme.ts';

/** A quantity that need not be smooth: every value is drawn and joined by straight lines. */
export interface Series {
  readonly name: string;
  readonly colour: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** Length of dash and gap in pixels; a solid line by default. */
  readonly dash?: readonly [number, number];
  /** Of the line in pixels; default 1.3. */
  readonly width?: number;
}

export interface SeriesPanel {
  readonly title: string;
  /** Default: those of the figure. */
  readonly series?: readonly Series[];
  /** What leaves it is clipped. */
  readonly domain: readonly [number, number];
  readonly ticks: readonly number[];
  readonly log?: boolean;
  readonly yTitle?: string;
}

export interface SeriesFigure {
  readonly title: string;
  /** The lines under the title. */
  readonly caption: string;
  readonly xTitle: string;
  /** Default: from 0 to the largest x. */
  readonly xDomain?: readonly [number, number];
  /** Where the first panel names the lines. Default `right`. */
  readonly key?: 'right' | 'centre';
  readonly series: readonly Series[];
  /** The same series on several scales, next to each other; the first panel names the lines. */
  readonly panels: readonly SeriesPanel[];
}

const WIDTH = 340;
const HEIGHT = 220;
const GAP = 62;

/** A power of ten as it is written by hand; a Vega expression. */
const POWER =
  "'10' + ['⁻⁶','⁻⁵','⁻⁴','⁻³','⁻²','⁻¹','⁰','¹','²'][round(log(datum.value) / LN10) + 6]";

/** Series that need not be smooth, in one or more panels with the same x. */
export function seriesFigure(figure: SeriesFigure): Spec {
  const { title, caption, xTitle, series, panels } = figure;
  const width = panels.length * (WIDTH + GAP) - GAP;
  const last = Math.max(...series.flatMap(({ x }) => x));
  const x = {
    field: 'x',
    type: 'quantitative',
    scale: { domain: figure.xDomain ?? [0, last], nice: false },
    axis: { title: xTitle, titleColor: MUTED, tickCount: 6, format: '~r' },
  };
  const lines = (panel: SeriesPanel): Spec[] =>
    (panel.series ?? series).map((line) => ({
      data: { values: table(line, panel), format: CSV },
      mark: {
        type: 'line',
        clip: true,
        color: line.colour,
        strokeWidth: line.width ?? 1.3,
        ...(line.dash && { strokeDash: line.dash }),
      },
    }));
  const centred = figure.key === 'centre';
  const text = { type: 'text', baseline: 'middle', fontSize: 11 };
  const key = series.map(({ name, colour }, i) => ({
    data: { values: [{}] },
    mark: { ...text, align: centred ? 'center' : 'right', text: name, color: colour },
    encoding: { x: { value: centred ? WIDTH / 2 : WIDTH - 9 }, y: { value: 13 + 15 * i } },
  }));
  return panelRow({
    title,
    caption,
    width,
    spacing: GAP,
    panels: panels.map((panel, i) => ({
      title: panel.title,
      width: WIDTH,
      height: HEIGHT,
      encoding: { x, y: yChannel(panel) },
      layer: [...lines(panel), ...(i === 0 ? key : [])],
    })),
  });
}

function yChannel({ domain, ticks, log, yTitle }: SeriesPanel): Spec {
  return {
    field: 'y',
    type: 'quantitative',
    scale: { domain, nice: false, ...(log ? { type: 'log' } : { zero: false }) },
    axis: {
      values: ticks,
      title: yTitle ?? null,
      titleColor: MUTED,
      ...(log && { labelExpr: POWER }),
    },
  };
}

const CSV = { type: 'csv', parse: { x: 'number', y: 'number' } };

/** A table of text, a few kilobytes; far above the frame a value is as good as its edge times ten. */
function table({ x, y }: Pick<Series, 'x' | 'y'>, { domain, log }: SeriesPanel): string {
  const top = 10 * domain[1];
  const rows = x.flatMap((v, i) => {
    if (!Number.isFinite(y[i]) || (log && y[i] <= 0)) return [];
    return [`${v},${Number(Math.min(y[i], top).toPrecision(4))}`];
  });
  return ['x,y', ...rows].join('\n');
}
