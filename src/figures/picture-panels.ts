import type { Spec } from './density-panels.ts';
import { wrapText } from './font.ts';
import { heading } from './heading.ts';
import { mosaic, type Pictures } from './mosaic.ts';
import { FRAME, INK, MUTED, THEME } from './theme.ts';

/** A square of pictures. */
export interface PicturePanel {
  /** Absent: an empty place. */
  readonly pictures?: Pictures;
  /** In place of them, a square picture as a `data:` URL. */
  readonly image?: string;
  /** Above the panel. */
  readonly header?: string;
  /** A few words below it. */
  readonly note?: string;
  /** Beside it, on the left. */
  readonly rowTitle?: string;
}

export interface PictureFigure {
  readonly title: string;
  /** The lines under the title. */
  readonly caption: string;
  readonly columns: number;
  /** Row by row. */
  readonly panels: readonly PicturePanel[];
  /** Pictures along a side of a panel. */
  readonly across: number;
  /** Side of a panel in pixels. Default 150. */
  readonly side?: number;
}

const GAP = 14;
/** Of a line of a note, and between the panel and the first. */
const LINE = 14;
const ABOVE_NOTE = 8;

/** Squares of pictures next to each other, without axes. */
export function picturePanels(figure: PictureFigure): Spec {
  const { columns, panels, side = 150, across } = figure;
  const notes = panels.map(({ note }) => (note === undefined ? [] : wrapNote(note, side)));
  const lines = Math.max(0, ...notes.map((note) => note.length));
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: heading(figure.title, figure.caption, columns * (side + GAP) - GAP, 20),
    bounds: 'flush',
    spacing: { row: GAP + (lines > 0 ? ABOVE_NOTE + LINE * lines : 0), column: GAP },
    columns,
    concat: panels.map((panel, i) => square(panel, notes[i], side, across)),
    config: THEME,
  };
}

function wrapNote(note: string, side: number): string[] {
  return wrapText(note, side, THEME.axis.titleFontSize);
}

function square(
  { pictures, image: url, header, rowTitle }: PicturePanel,
  note: readonly string[],
  side: number,
  across: number,
): Spec {
  const words = {
    mark: { type: 'text', align: 'center', baseline: 'top', fontSize: 11.5, color: MUTED },
    encoding: { x: { value: side / 2 } },
  };
  const text = note.map((line, i) => ({
    ...words,
    mark: { ...words.mark, text: line },
    encoding: { ...words.encoding, y: { value: side + ABOVE_NOTE + LINE * i } },
  }));
  const row = rowTitle !== undefined && {
    mark: {
      type: 'text',
      align: 'center',
      baseline: 'bottom',
      angle: 270,
      fontSize: 12.5,
      fontWeight: 600,
      color: INK,
      text: rowTitle,
    },
    encoding: { x: { value: -8 }, y: { value: side / 2 } },
  };
  const shown = pictures === undefined ? url : mosaic(pictures, across);
  const image = shown !== undefined && {
    mark: {
      type: 'image',
      width: side,
      height: side,
      url: shown,
      aria: false,
    },
    encoding: { x: { value: side / 2 }, y: { value: side / 2 } },
  };
  return {
    width: side,
    height: side,
    view: { stroke: shown === undefined ? null : FRAME },
    ...(header !== undefined && { title: { text: header, anchor: 'middle', offset: 6 } }),
    data: { values: [{}] },
    layer: [image || { mark: { type: 'text', text: '' } }, ...text, ...(row ? [row] : [])],
  };
}
