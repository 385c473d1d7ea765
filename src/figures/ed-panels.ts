import type { Spec } from './density-panels.ts';
import { heading } from './heading.ts';
import { densityPicture } from './heat-map.ts';
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
    title: heading(figure.title, figure.caption, width, 20),
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
    logDensity === undefined ? [] : [{ x: 0, y: 0, url: densityPicture(logDensity, size) }];
  return {
    width: side,
    height: side,
    ...(header !== undefined && { title: { text: header, anchor: 'middle', offset: 6 } }),
    data: { values },
    mark: { type: 'image', width: reach, height: reach, clip: true, aria: false },
    encoding: { x, y, url: { field: 'url', type: 'nominal' } },
  };
}
