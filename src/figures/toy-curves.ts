import type { Spec } from './density-panels.ts';
import { heading } from './heading.ts';
import { INK, MODEL_COLOUR, MUTED, THEME } from './theme.ts';
import { titleOf } from './toy-words.ts';

/** The losses of one trained model. */
export interface CurvedModel {
  readonly model: { readonly id: string; readonly title: string; readonly subtitle?: string };
  readonly dataset: string;
  readonly steps: number;
  readonly curve?: {
    readonly steps: readonly number[];
    readonly losses: Readonly<Record<string, readonly number[]>>;
  };
}

const WIDTH = 150;
const HEIGHT = 84;
const GAP = 34;

const ROWS = [
  { title: 'energy', names: ['energyLoss', 'loss'] },
  { title: 'sampler', names: ['generatorLoss', 'flowLoss'] },
] as const;

/**
 * Learning curves of all models of a figure: the loss of the energy and, below, that of whatever
 * makes its samples; columns are methods, each panel has a scale of its own.
 */
export function toyCurves({ panels }: { readonly panels: readonly CurvedModel[] }): Spec {
  const datasets = [...new Set(panels.map(({ dataset }) => dataset))];
  // A model shown at two temperatures was trained once.
  const ids = [...new Set(panels.map(({ model }) => model.id))];
  const find = (id: string, dataset: string) =>
    panels.find((panel) => panel.model.id === id && panel.dataset === dataset);
  const rows = datasets.flatMap((dataset) =>
    ROWS.filter(({ names }) => ids.some((id) => lossOf(find(id, dataset), names))).map((row) => ({
      dataset,
      ...row,
    })),
  );
  const charts = rows.flatMap(({ dataset, title, names }, r) =>
    ids.map((id, c) => {
      const panel = find(id, dataset);
      return chart(panel, names, {
        header: r === 0 ? headerOf(panels, id) : undefined,
        rowTitle: c === 0 ? [titleOf(dataset), title] : undefined,
      });
    }),
  );
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: heading(
      'Learning curves',
      'Losses by thousands of iterations, means over sixtieths of each run. Above the loss of the energy, below that of what makes the samples; every panel has a scale of its own, of which the start may be cut off.',
      ids.length * (WIDTH + GAP) - GAP,
    ),
    bounds: 'flush',
    spacing: { row: 30, column: GAP },
    columns: ids.length,
    concat: charts,
    config: THEME,
  };
}

/** A model's name; what it differs in from another of the same name, below it. */
function headerOf(panels: readonly CurvedModel[], id: string) {
  const models = panels.map(({ model }) => model);
  const { title, subtitle } = models.find((model) => model.id === id) ?? { title: id };
  const shared = models.some((model) => model.id !== id && model.title === title);
  return { text: title, ...(shared && subtitle !== undefined && { subtitle }) };
}

function lossOf(panel: CurvedModel | undefined, names: readonly string[]) {
  const losses = panel?.curve?.losses ?? {};
  const name = names.find((known) => losses[known] !== undefined);
  return name === undefined ? undefined : losses[name];
}

interface Place {
  readonly header?: { readonly text: string; readonly subtitle?: string };
  /** Line by line. */
  readonly rowTitle?: readonly string[];
}

function chart(panel: CurvedModel | undefined, names: readonly string[], place: Place): Spec {
  const y = lossOf(panel, names) ?? [];
  const x = panel?.curve?.steps ?? [];
  const rows = y.map((value, i) => `${x[i] / 1000},${value}`);
  return {
    width: WIDTH,
    height: HEIGHT,
    ...(place.header !== undefined && { title: { ...place.header, frame: 'group', offset: 6 } }),
    data: {
      values: ['x,y', ...rows].join('\n'),
      format: { type: 'csv', parse: { x: 'number', y: 'number' } },
    },
    mark: { type: 'line', clip: true, color: MODEL_COLOUR, strokeWidth: 1.2, aria: false },
    encoding: {
      x: {
        field: 'x',
        type: 'quantitative',
        scale: { domain: [0, (panel?.steps ?? 1000) / 1000], nice: false },
        axis: { title: null, tickCount: 4 },
      },
      y: {
        field: 'y',
        type: 'quantitative',
        scale: { zero: false, nice: true, domain: rangeOf(y) },
        axis: {
          labels: y.length > 0,
          ticks: y.length > 0,
          title: place.rowTitle ?? null,
          titleColor: place.rowTitle === undefined ? MUTED : INK,
          tickCount: 3,
          format: '.3~g',
        },
      },
    },
  };
}

/** All but the first tenth of the run, which would flatten the rest. */
function rangeOf(y: readonly number[]): [number, number] {
  if (y.length === 0) return [0, 1];
  const late = y.slice(Math.floor(y.length / 10));
  const [low, high] = [Math.min(...late), Math.max(...late)];
  const margin = 0.05 * (high - low || 1);
  return [low - margin, high + margin];
}
