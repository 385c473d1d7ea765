import { heading } from './heading.ts';
import { densityPicture } from './heat-map.ts';
import { DATA_COLOUR, FONT_STACK, INK, MODEL_COLOUR, MUTED, THEME } from './theme.ts';

/** Points in the plane: row-major `[n, 2]`. */
export type Points = ArrayLike<number>;

/** What one method learned on one data set. */
export interface MethodPanels {
  /** Name above its columns, e.g. `'DDAEBM'`. */
  readonly method: string;
  /**
   * Log-density up to a constant at t = 0 on a square grid over `[-limit, limit]^2`, both ends
   * included: row-major, y rising with the row and x with the column.
   */
  readonly logDensity: ArrayLike<number>;
  readonly gridSize: number;
  readonly samples: Points;
  /** A few words under the density, e.g. a divergence. */
  readonly densityNote?: string;
  /** A few words under the samples, e.g. the modes covered. */
  readonly samplesNote?: string;
}

export interface DataSetRow {
  readonly title: string;
  readonly data: Points;
  readonly dataNote?: string;
  /** The same methods in the same order in every row. */
  readonly methods: readonly MethodPanels[];
}

export interface DensityFigure {
  readonly title: string;
  /** The lines under the title: what was run. Broken to the width of the panels. */
  readonly caption: string;
  readonly rows: readonly DataSetRow[];
  /** Half the side of the square shown. Default 4. */
  readonly limit?: number;
  /** Side of a panel in pixels. Default 210. */
  readonly panel?: number;
}

/** A Vega-Lite specification, plain JSON. */
export type Spec = Readonly<Record<string, unknown>>;

/** Pixels between columns. */
const GAP = 24;

/** How a panel is framed. */
export interface Frame {
  /** Half the side of the square shown. */
  readonly limit: number;
  readonly panel: number;
  /** Draws the tick labels of y (first column) and of x (last row). */
  readonly labelY: boolean;
  readonly labelX: boolean;
  readonly header?: { readonly text: string; readonly subtitle: string };
  readonly note?: string;
}

/**
 * Rows are data sets; columns are the data, then two per method: its density at t = 0 (mass per
 * grid cell, each panel on a scale of its own) and its samples (paper, Figures 1, 6 and 7).
 */
export function densityPanels(figure: DensityFigure): Spec {
  const { limit = 4, panel = 210 } = figure;
  const panels = figure.rows.flatMap((row, i) => {
    const frame = (first: boolean, note: string | undefined, text: string, subtitle: string) => ({
      limit,
      panel,
      labelY: first,
      labelX: i === figure.rows.length - 1,
      note,
      ...(i === 0 && { header: { text, subtitle } }),
    });
    return [
      scatter(row.data, DATA_COLOUR, frame(true, row.dataNote, 'Data', 'samples'), row.title),
      ...row.methods.flatMap((m) => [
        density(m, frame(false, m.densityNote, m.method, 'learned density')),
        scatter(m.samples, MODEL_COLOUR, frame(false, m.samplesNote, m.method, 'samples')),
      ]),
    ];
  });
  const columns = panels.length / Math.max(1, figure.rows.length);
  const width = columns * (panel + GAP) - GAP;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: heading(figure.title, figure.caption, width),
    // Panels align by their frames; labels and notes lie in the spacing.
    bounds: 'flush',
    spacing: { row: 44, column: GAP },
    columns,
    concat: panels,
    config: THEME,
  };
}

/** Points in a square. */
export function scatter(points: Points, colour: string, frame: Frame, rowTitle?: string): Spec {
  const rows = ['x,y'];
  for (let i = 0; i + 1 < points.length; i += 2) {
    const [x, y] = [points[i], points[i + 1]];
    // Rounded to a hundredth of a pixel or so: the file shrinks to a third.
    if (Math.abs(x) <= frame.limit && Math.abs(y) <= frame.limit) {
      rows.push(`${Math.round(x * 1e3) / 1e3},${Math.round(y * 1e3) / 1e3}`);
    }
  }
  return {
    ...framed(frame),
    // A table of text: as objects the points would weigh five times as much in a notebook file.
    data: { values: rows.join('\n'), format: { type: 'csv', parse: { x: 'number', y: 'number' } } },
    mark: { type: 'circle', size: 5, color: colour, opacity: 0.6, clip: true, aria: false },
    encoding: {
      x: { field: 'x', ...channel(frame, 'x') },
      y: { field: 'y', ...channel(frame, 'y', rowTitle) },
    },
  };
}

/**
 * A density as a heat map on a scale of its own.
 * @param gridLimit half the side of the square that the grid covers; default: all that is shown.
 */
export function density(
  method: Pick<MethodPanels, 'logDensity' | 'gridSize'>,
  frame: Frame,
  rowTitle?: string,
  gridLimit: number = frame.limit,
): Spec {
  // Each value belongs to the middle of its cell, so the outer cells reach past the limits.
  const shown = frame.panel * (gridLimit / frame.limit);
  const side = (shown * method.gridSize) / (method.gridSize - 1);
  return {
    ...framed(frame),
    data: { values: [{ x: 0, y: 0, url: densityPicture(method.logDensity, method.gridSize) }] },
    mark: { type: 'image', width: side, height: side, clip: true, aria: false },
    encoding: {
      x: { field: 'x', ...channel(frame, 'x') },
      y: { field: 'y', ...channel(frame, 'y', rowTitle) },
      url: { field: 'url', type: 'nominal' },
    },
  };
}

function framed({ panel, header }: Frame): Spec {
  return { width: panel, height: panel, ...(header && { title: header }) };
}

function channel(frame: Frame, axis: 'x' | 'y', rowTitle?: string): Spec {
  const labels = axis === 'x' ? frame.labelX : frame.labelY;
  const title = axis === 'x' ? (frame.note ?? null) : (rowTitle ?? null);
  return {
    type: 'quantitative',
    scale: { domain: [-frame.limit, frame.limit], nice: false, zero: false },
    axis: {
      values: [-1, -0.5, 0, 0.5, 1].map((u) => u * frame.limit),
      labels,
      labelFlush: true,
      ticks: labels,
      title,
      ...(rowTitle && {
        titleFontSize: 13.5,
        titleFontWeight: 600,
        titleColor: INK,
        titleFont: FONT_STACK,
        titlePadding: 8,
      }),
      ...(!rowTitle && { titleColor: MUTED }),
    },
  };
}
