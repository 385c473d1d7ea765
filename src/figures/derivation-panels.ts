import type { Spec } from './density-panels.ts';
import { panelRow } from './panel-row.ts';
import { DATA_COLOUR, INK, MODEL_COLOUR, MUTED } from './theme.ts';

/** Colours with one meaning in all pictures of the derivations. */
export const HUES = {
  data: DATA_COLOUR,
  model: MODEL_COLOUR,
  warm: '#c0561b',
  green: '#2f7d5c',
  violet: '#7b5299',
  quiet: '#9aa1ab',
} as const;

/** A function drawn as a line. */
export interface Curve {
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  readonly colour: string;
  /** Length of dash and gap in pixels; a solid line by default. */
  readonly dash?: readonly [number, number];
  /** Of the line in pixels; 0 for a filled curve without one. */
  readonly width?: number;
  /** Fills down to `base`. */
  readonly filled?: boolean;
  /** Where the curve stands in a ridge plot: added to y. Default 0. */
  readonly base?: number;
  /** Dots at the points, for functions of a few integers. */
  readonly dots?: boolean;
}

/** A mark at a point, with an interval where there is one. */
export interface Dot {
  readonly x: number;
  readonly y: number;
  /** Half the length of the interval. */
  readonly error?: number;
  readonly colour: string;
}

/** A word at a point of the plot. */
export interface Note {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly colour?: string;
  readonly align?: 'left' | 'center' | 'right';
}

/** Part of a horizontal bar, from x to x2 at height y. */
export interface Bar {
  readonly x: number;
  readonly x2: number;
  readonly y: number;
  readonly colour: string;
}

/** What the colours mean, as coloured words in a corner. */
export interface PanelKey {
  readonly corner: 'top-left' | 'top-right' | 'bottom-left' | 'bottom-right' | 'top-centre';
  readonly entries: readonly { readonly text: string; readonly colour: string }[];
}

export interface Panel {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly curves?: readonly Curve[];
  readonly dots?: readonly Dot[];
  readonly bars?: readonly Bar[];
  readonly notes?: readonly Note[];
  readonly key?: PanelKey;
  /** Horizontal lines. */
  readonly levels?: readonly number[];
  /** Pixels; default 280 and 220. */
  readonly width?: number;
  readonly height?: number;
}

export interface Axis {
  readonly title?: string;
  readonly domain: readonly [number, number];
  readonly ticks?: readonly number[];
  /** Without numbers: for ridge plots and categories. */
  readonly bare?: boolean;
  /** A logarithmic scale of this base. */
  readonly log?: 2 | 10;
}

export interface PanelFigure {
  readonly title: string;
  /** The lines under the title. */
  readonly caption: string;
  readonly panels: readonly Panel[];
}

const WIDTH = 280;
const HEIGHT = 220;
/** Pixels between panels: room for an axis with its title. */
const GAP = 62;
const MOST_POINTS = 100;
/** Points of a curve that was measured rather than tabulated, at most. */
const FEW = 60;

/** Panels next to each other, each with its own axes. */
export function derivationPanels({ title, caption, panels }: PanelFigure): Spec {
  const width = panels.reduce((sum, p) => sum + (p.width ?? WIDTH) + GAP, -GAP);
  return panelRow({ title, caption, width, spacing: GAP, panels: panels.map(panelSpec) });
}

function panelSpec(panel: Panel): Spec {
  const { curves = [], dots = [], bars = [], notes = [], levels = [], key } = panel;
  return {
    title: panel.title,
    width: panel.width ?? WIDTH,
    height: panel.height ?? HEIGHT,
    encoding: { x: channel('x', panel.x), y: channel('y', panel.y) },
    layer: [
      ...(levels.length > 0 ? [levelLayer(levels)] : []),
      ...curves.map(curveLayer),
      ...(bars.length > 0 ? [barLayer(bars)] : []),
      ...(dots.some((d) => d.error !== undefined) ? [errorLayer(dots)] : []),
      ...(dots.length > 0 ? [dotLayer(dots)] : []),
      ...(['left', 'center', 'right'] as const).flatMap((align) => noteLayer(notes, align)),
      ...(key ? keyLayers(key, panel) : []),
    ],
  };
}

const COLOUR = { field: 'colour', type: 'nominal', scale: null };

function levelLayer(levels: readonly number[]): Spec {
  return {
    data: { values: levels.map((y) => ({ y })) },
    mark: { type: 'rule', color: HUES.quiet, strokeWidth: 1, strokeDash: [2, 3] },
    encoding: { x: { value: 0 }, x2: { value: 'width' } },
  };
}

function curveLayer(curve: Curve): Spec {
  const { colour, base = 0, dash, width = 1.8, filled, dots } = curve;
  const data = { values: table(curve), format: CSV };
  // What was sampled finely is smooth, and stays so when thinned out; a few points are joined.
  const interpolate = curve.x.length > FEW ? 'natural' : 'linear';
  const stroke = {
    interpolate,
    color: colour,
    strokeWidth: width,
    ...(dash && { strokeDash: dash }),
  };
  if (!filled) {
    const point = dots && { point: { size: 26, filled: true, color: colour } };
    return { data, mark: { type: 'line', clip: true, ...stroke, ...point } };
  }
  const line = width > 0 && { line: stroke };
  return {
    data,
    mark: { type: 'area', clip: true, interpolate, color: colour, fillOpacity: 0.16, ...line },
    encoding: { y2: { datum: base } },
  };
}

const CSV = { type: 'csv', parse: { x: 'number', y: 'number' } };

/** Few points, few digits and a table of text: a picture is a few kilobytes of a notebook. */
function table(curve: Curve): string {
  const { x, y, base = 0 } = curve;
  const every = Math.max(1, Math.ceil(x.length / MOST_POINTS));
  const rows = ['x,y'];
  for (let i = 0; i < x.length; i += every) {
    if (Number.isFinite(y[i])) rows.push(`${short(x[i])},${short(y[i] + base)}`);
  }
  return rows.join('\n');
}

function barLayer(bars: readonly Bar[]): Spec {
  return {
    data: { values: bars },
    mark: { type: 'bar', height: 18, clip: true },
    encoding: { x2: { field: 'x2' }, color: COLOUR },
  };
}

function errorLayer(dots: readonly Dot[]): Spec {
  const values = dots
    .filter((d) => d.error !== undefined)
    .map(({ x, y, error = 0, colour }) => ({ x, y: y - error, y2: y + error, colour }));
  return {
    data: { values },
    mark: { type: 'rule', strokeWidth: 1.6, clip: true },
    encoding: { y2: { field: 'y2' }, color: COLOUR },
  };
}

function dotLayer(dots: readonly Dot[]): Spec {
  return {
    data: { values: dots.map(({ x, y, colour }) => ({ x, y, colour })) },
    mark: { type: 'point', filled: true, size: 42, opacity: 1 },
    encoding: { color: COLOUR },
  };
}

const TEXT = { type: 'text', fontSize: 11, baseline: 'middle' } as const;
const TEXT_FIELD = { field: 'text', type: 'nominal' };

function noteLayer(notes: readonly Note[], align: 'left' | 'center' | 'right'): Spec[] {
  const values = notes
    .filter((note) => (note.align ?? 'left') === align)
    .map(({ x, y, text, colour = INK }) => ({ x, y, text, colour }));
  if (values.length === 0) return [];
  return [
    { data: { values }, mark: { ...TEXT, align }, encoding: { text: TEXT_FIELD, color: COLOUR } },
  ];
}

/** Pixels from the frame to the words of a key, and between its lines. */
const MARGIN = 9;
const LEADING = 15;

function keyLayers({ corner, entries }: PanelKey, panel: Panel): Spec[] {
  const [vertical, horizontal] = corner.split('-');
  const width = panel.width ?? WIDTH;
  const height = panel.height ?? HEIGHT;
  const x = { left: MARGIN, right: width - MARGIN, centre: width / 2 }[horizontal] ?? MARGIN;
  const align = horizontal === 'centre' ? 'center' : horizontal;
  const first =
    vertical === 'top' ? MARGIN + 4 : height - MARGIN - 4 - LEADING * (entries.length - 1);
  return entries.map(({ text, colour }, i) => ({
    data: { values: [{}] },
    mark: { ...TEXT, align, text, color: colour },
    encoding: { x: { value: x }, y: { value: first + LEADING * i } },
  }));
}

function short(value: number): number {
  return Math.abs(value) < 1e-6 ? 0 : Number(value.toPrecision(4));
}

/** A power of ten as it is written by hand; a Vega expression. */
const POWER =
  "'10' + ['⁻⁶','⁻⁵','⁻⁴','⁻³','⁻²','⁻¹','⁰','¹','²','³','⁴','⁵','⁶','⁷'][round(log(datum.value) / LN10) + 6]";

function channel(field: 'x' | 'y', axis: Axis): Spec {
  return {
    field,
    type: 'quantitative',
    scale: {
      domain: axis.domain,
      nice: false,
      ...(axis.log ? { type: 'log', base: axis.log } : { zero: false }),
    },
    axis: {
      title: axis.title ?? null,
      titleColor: MUTED,
      ...(axis.ticks ? { values: axis.ticks } : { tickCount: 5 }),
      ...(axis.bare && { labels: false, ticks: false }),
      ...(axis.log === 10 && { labelExpr: POWER }),
    },
  };
}

/** The part of a curve between two values of x. */
export function within(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  [low, high]: readonly [number, number],
): { x: number[]; y: number[] } {
  const kept: { x: number[]; y: number[] } = { x: [], y: [] };
  for (let i = 0; i < x.length; i++) {
    if (x[i] < low || x[i] > high) continue;
    kept.x.push(x[i]);
    kept.y.push(y[i]);
  }
  return kept;
}

/** Upper end of an axis for curves that must fit, with some air. */
export function above(...curves: readonly ArrayLike<number>[]): number {
  let top = 0;
  for (const y of curves) for (let i = 0; i < y.length; i++) top = Math.max(top, y[i]);
  return top * 1.12;
}
