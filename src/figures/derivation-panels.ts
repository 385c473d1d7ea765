import type { Spec } from './density-panels.ts';
import { wrapText } from './font.ts';
import { DATA_COLOUR, INK, MODEL_COLOUR, MUTED, THEME } from './theme.ts';

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
  readonly width?: number;
  /** Fills down to `base`. */
  readonly filled?: boolean;
  /** Where the curve stands in a ridge plot: added to y. Default 0. */
  readonly base?: number;
  /** Dots at the points, for functions of a few integers. */
  readonly dots?: boolean;
  readonly label?: CurveLabel;
}

/** A word beside a curve, at one of its points. */
export interface CurveLabel {
  readonly text: string;
  /** The x of the point, or `peak` for the highest. */
  readonly at: number | 'peak';
  /** Offset in pixels, right and down. */
  readonly dx?: number;
  readonly dy?: number;
  readonly align?: 'left' | 'center' | 'right';
}

/** A mark at a point, with an interval where there is one. */
export interface Dot {
  readonly x: number;
  readonly y: number;
  /** Half the length of the interval. */
  readonly error?: number;
  readonly colour: string;
}

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

export interface Panel {
  readonly title: string;
  readonly subtitle?: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly curves?: readonly Curve[];
  readonly dots?: readonly Dot[];
  readonly bars?: readonly Bar[];
  readonly notes?: readonly Note[];
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
  readonly columns?: number;
}

const GAP = 62;
const MOST_POINTS = 170;

/** Panels next to each other, each with its own axes. */
export function derivationPanels(figure: PanelFigure): Spec {
  const { panels, columns = panels.length } = figure;
  const width = panels.slice(0, columns).reduce((sum, p) => sum + (p.width ?? 280) + GAP, -GAP);
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: {
      text: figure.title,
      subtitle: wrapText(figure.caption, width, THEME.title.subtitleFontSize),
      fontSize: 16,
      subtitleLineHeight: 15,
      offset: 20,
    },
    bounds: 'flush',
    spacing: { row: 66, column: GAP },
    columns,
    concat: panels.map(panelSpec),
    config: THEME,
  };
}

function panelSpec(panel: Panel): Spec {
  const { curves = [], dots = [], bars = [], notes = [], levels = [] } = panel;
  const x = channel('x', panel.x);
  const y = channel('y', panel.y);
  return {
    title: {
      text: panel.title,
      ...(panel.subtitle !== undefined && { subtitle: panel.subtitle }),
    },
    width: panel.width ?? 280,
    height: panel.height ?? 220,
    layer: [
      ...levels.map((level) => ({
        data: { values: [{ y: level }] },
        mark: { type: 'rule', color: HUES.quiet, strokeWidth: 1, strokeDash: [2, 3] },
        encoding: { y },
      })),
      ...curves.filter((c) => c.filled).map((c) => areaLayer(c, x, y)),
      ...bars.map((bar) => ({
        data: { values: [{ x: bar.x, x2: bar.x2, y: bar.y }] },
        mark: { type: 'bar', color: bar.colour, height: 18, clip: true },
        encoding: { x, x2: { field: 'x2' }, y },
      })),
      ...curves.map((c) => lineLayer(c, x, y)),
      ...dots.flatMap((d) => dotLayers(d, x, y)),
      ...curves.flatMap((c) => (c.label ? [noteLayer(labelOf(c, c.label), x, y)] : [])),
      ...notes.map((note) => noteLayer(note, x, y)),
    ],
  };
}

function lineLayer(curve: Curve, x: Spec, y: Spec): Spec {
  return {
    data: { values: points(curve) },
    mark: {
      type: 'line',
      color: curve.colour,
      strokeWidth: curve.width ?? 1.8,
      clip: true,
      ...(curve.dash && { strokeDash: curve.dash }),
      ...(curve.dots && { point: { size: 26, filled: true, color: curve.colour } }),
    },
    encoding: { x, y },
  };
}

function areaLayer(curve: Curve, x: Spec, y: Spec): Spec {
  const base = curve.base ?? 0;
  return {
    data: { values: points(curve).map((p) => ({ ...p, base })) },
    mark: { type: 'area', color: curve.colour, opacity: 0.16, clip: true },
    encoding: { x, y, y2: { field: 'base' } },
  };
}

function dotLayers(dot: Dot, x: Spec, y: Spec): Spec[] {
  const { error } = dot;
  const mark = { type: 'point', filled: true, size: 42, color: dot.colour, opacity: 1 };
  const point = { data: { values: [{ x: dot.x, y: dot.y }] }, mark, encoding: { x, y } };
  if (error === undefined) return [point];
  return [
    {
      data: { values: [{ x: dot.x, y: dot.y - error, y2: dot.y + error }] },
      mark: { type: 'rule', color: dot.colour, strokeWidth: 1.6, clip: true },
      encoding: { x, y, y2: { field: 'y2' } },
    },
    point,
  ];
}

interface PlacedNote extends Note {
  readonly dx?: number;
  readonly dy?: number;
}

function noteLayer(note: PlacedNote, x: Spec, y: Spec): Spec {
  return {
    data: { values: [{ x: short(note.x), y: short(note.y) }] },
    mark: {
      type: 'text',
      text: note.text,
      color: note.colour ?? INK,
      fontSize: 11,
      align: note.align ?? 'left',
      baseline: 'middle',
      ...(note.dx !== undefined && { dx: note.dx }),
      ...(note.dy !== undefined && { dy: note.dy }),
    },
    encoding: { x, y },
  };
}

function labelOf(curve: Curve, label: CurveLabel): PlacedNote {
  let nearest = 0;
  const distance = (i: number) =>
    label.at === 'peak' ? -curve.y[i] : Math.abs(curve.x[i] - label.at);
  for (let i = 1; i < curve.x.length; i++) if (distance(i) < distance(nearest)) nearest = i;
  const { text, dx = 0, dy = 0, align = 'left' } = label;
  const at = { x: curve.x[nearest], y: curve.y[nearest] + (curve.base ?? 0) };
  return { ...at, text, dx, dy, align, colour: curve.colour };
}

/** Few enough points and digits that a picture is a few kilobytes of text. */
function points(curve: Curve): { x: number; y: number }[] {
  const { x, y, base = 0 } = curve;
  const every = Math.max(1, Math.floor(x.length / MOST_POINTS));
  const kept: { x: number; y: number }[] = [];
  for (let i = 0; i < x.length; i += every) {
    if (Number.isFinite(y[i])) kept.push({ x: short(x[i]), y: short(y[i] + base) });
  }
  return kept;
}

function short(value: number): number {
  return Math.abs(value) < 1e-6 ? 0 : Number(value.toPrecision(5));
}

function channel(field: 'x' | 'y', axis: Axis): Spec {
  return {
    field,
    type: 'quantitative',
    scale: {
      domain: axis.domain,
      nice: false,
      zero: false,
      ...(axis.log && { type: 'log', base: axis.log }),
    },
    axis: {
      title: axis.title ?? null,
      titleColor: MUTED,
      ...(axis.ticks ? { values: axis.ticks } : { tickCount: 5 }),
      ...(axis.bare && { labels: false, ticks: false }),
      ...(axis.log === 10 && { format: '~e' }),
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
