import { density, type Frame, type Points, type Spec, scatter } from './density-panels.ts';
import { heading } from './heading.ts';
import { DATA_COLOUR, MODEL_COLOUR, THEME } from './theme.ts';

/** One column: the data, or what one method made of them. */
export interface ComparisonColumn {
  readonly title: string;
  readonly subtitle?: string;
  /** On a square grid over `[-gridLimit, gridLimit]^2`, as in `MethodPanels`. */
  readonly logDensity?: ArrayLike<number>;
  readonly gridSize?: number;
  readonly samples?: Points;
  readonly densityNote?: string;
  readonly samplesNote?: string;
  /** Under a panel that has nothing to show. Default `none`. */
  readonly absent?: string;
}

/** One data set: the data first, then the methods, which are the same in every group. */
export interface ComparisonGroup {
  readonly title: string;
  readonly data: ComparisonColumn;
  readonly methods: readonly ComparisonColumn[];
  /** Half the side of the square shown. Default 4. */
  readonly limit?: number;
}

export interface ComparisonFigure {
  readonly title: string;
  /** The lines under the title: what was run. */
  readonly caption: string;
  /** What is shown of every data set, top to bottom. */
  readonly rows: readonly ('density' | 'samples')[];
  readonly groups: readonly ComparisonGroup[];
  /** Half the side of the square that the grids cover. Default 4. */
  readonly gridLimit?: number;
  /** Side of a panel in pixels. Default 160. */
  readonly panel?: number;
}

const GAP = 18;

/** Columns are methods, rows are densities and samples of each data set (paper, Figure 1). */
export function comparisonPanels(figure: ComparisonFigure): Spec {
  const { gridLimit = 4, panel = 160 } = figure;
  const columns = 1 + (figure.groups[0]?.methods.length ?? 0);
  const panels = figure.groups.flatMap((group, g) =>
    figure.rows.flatMap((row, r) =>
      [group.data, ...group.methods].map((column, c): Spec => {
        const last = r === figure.rows.length - 1;
        const frame: Frame = {
          limit: group.limit ?? 4,
          panel,
          labelY: c === 0,
          // The scale changes from one data set to the next.
          labelX: last,
          note: row === 'density' ? column.densityNote : column.samplesNote,
          ...(g === 0 && r === 0 && { header: headerOf(column) }),
        };
        const title = c === 0 ? `${group.title}, ${row}` : undefined;
        if (row === 'samples' && column.samples) {
          return scatter(column.samples, c === 0 ? DATA_COLOUR : MODEL_COLOUR, frame, title);
        }
        if (row === 'density' && column.logDensity && column.gridSize !== undefined) {
          const { logDensity, gridSize } = column;
          return density({ logDensity, gridSize }, frame, title, gridLimit);
        }
        return scatter([], MODEL_COLOUR, { ...frame, note: column.absent ?? 'none' }, title);
      }),
    ),
  );
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: heading(figure.title, figure.caption, columns * (panel + GAP) - GAP),
    bounds: 'flush',
    spacing: { row: 42, column: GAP },
    columns,
    concat: panels,
    config: THEME,
  };
}

/** A blank second line keeps the titles of all columns on one height. */
function headerOf({ title, subtitle = '\u00a0' }: ComparisonColumn) {
  return { text: title, subtitle };
}
