import { deflateSync } from 'node:zlib';
import { ShapeError } from '../core/errors.ts';
import type { Spec } from './density-panels.ts';
import { wrapText } from './font.ts';
import { cellMasses, viridis } from './heat-map.ts';
import { encodeIndexedPng } from './png.ts';
import { INK, MUTED, THEME } from './theme.ts';

/** One density in the plane. */
export interface DensityPanel {
  /** `[size, size]` row-major, y rising with the row; absent: an empty frame. */
  readonly logDensity?: ArrayLike<number>;
  readonly size: number;
  /** Above the panel. */
  readonly header?: string;
  /** A few words below it. */
  readonly note?: string;
  /** Beside it, on the left. */
  readonly rowTitle?: string;
}

export interface DensityPanelFigure {
  readonly title: string;
  /** The lines under the title. */
  readonly caption: string;
  readonly columns: number;
  /** Row by row. */
  readonly panels: readonly DensityPanel[];
  /** Half the side of the square shown. */
  readonly limit: number;
  /** Side of a panel in pixels. Default 190. */
  readonly side?: number;
}

const GAP = 16;

/** Densities next to each other, each on a colour scale of its own, without axes. */
export function densityPictures(figure: DensityPanelFigure): Spec {
  const { columns, panels, side = 190 } = figure;
  const width = columns * (side + GAP) - GAP;
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
    spacing: { row: panels.some(({ note }) => note) ? 34 : GAP, column: GAP },
    columns,
    concat: panels.map((panel) => picture(panel, figure.limit, side)),
    config: THEME,
  };
}

function picture(panel: DensityPanel, limit: number, side: number): Spec {
  const { logDensity, size, header, note, rowTitle } = panel;
  // Each value belongs to the middle of its cell, so the outer cells reach past the limits.
  const reach = (side * size) / (size - 1);
  const scale = { domain: [-limit, limit], nice: false, zero: false };
  const axis = (title: string | undefined, strong: boolean) => ({
    labels: false,
    ticks: false,
    title: title ?? null,
    titleColor: strong ? INK : MUTED,
    ...(strong && { titleFontWeight: 600, titleFontSize: 12.5 }),
  });
  const x = { field: 'x', type: 'quantitative', scale, axis: axis(note, false) };
  const y = { field: 'y', type: 'quantitative', scale, axis: axis(rowTitle, true) };
  const values =
    logDensity === undefined ? [] : [{ x: 0, y: 0, url: smallPicture(logDensity, size) }];
  return {
    width: side,
    height: side,
    ...(header !== undefined && { title: { text: header, anchor: 'middle', offset: 6 } }),
    data: { values },
    mark: { type: 'image', width: reach, height: reach, clip: true, aria: false },
    encoding: { x, y, url: { field: 'url', type: 'nominal' } },
  };
}

/**
 * A density in viridis, from zero to its own maximum, one pixel per cell, y upwards, compressed: a
 * notebook holds many of them.
 * @throws ShapeError when the values do not fill the square.
 */
function smallPicture(logDensity: ArrayLike<number>, size: number): string {
  if (logDensity.length !== size * size) {
    throw new ShapeError(
      `densityPictures: ${logDensity.length} values do not fill a ${size} by ${size} grid`,
    );
  }
  const mass = cellMasses(logDensity);
  const top = mass.reduce((a, b) => Math.max(a, b), 0);
  const at = (i: number) => (size - 1 - Math.floor(i / size)) * size + (i % size);
  const indices = Uint8Array.from(mass, (_, i) => Math.round((255 * mass[at(i)]) / top));
  const compress = (rows: Uint8Array) => deflateSync(rows, { level: 9 });
  const png = encodeIndexedPng(size, size, indices, viridis(), compress);
  return `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
}
