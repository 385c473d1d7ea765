import type { Spec } from './density-panels.ts';
import { heading } from './heading.ts';
import {
  checkNames,
  type MeanRow,
  meanRows,
  type Swept,
  settingsOf,
  settingTitle,
  valuesOf,
  valueText,
} from './sweep-runs.ts';
import { CATEGORIES, INK, MODEL_COLOUR, MUTED, THEME } from './theme.ts';

export interface SweepPanelOptions {
  readonly title?: string;
  /** The lines under the title. */
  readonly caption?: string;
  /** The setting along the axis. Default: the first that varies. */
  readonly x?: string;
  /** The metric upwards. */
  readonly y: string;
  /** Name of the metric on its axis. Default: as in the runs. */
  readonly yTitle?: string;
  /** A logarithmic axis; runs whose metric is 0 or below are left out. */
  readonly log?: boolean;
  /** The setting in colour. Default: the second that varies, if there is one. */
  readonly colour?: string;
  /** Key of the run that is chosen at first. Default: that of the least `y`. */
  readonly chosen?: string;
  /** Half the side of the square of samples. Default 2. */
  readonly limit?: number;
}

const SIDE = 230;
const GAP = 46;

/** Name of the selection. */
const CHOSEN = 'chosen';

/**
 * A sweep to look around in: every run as a point, and beside it the learning curves and the
 * samples of the run that was clicked. Where nothing can be clicked (a picture, a web page of the
 * notebook) the run chosen at first is shown. Runs without the metric are left out.
 * @throws ConfigError for a setting or metric that no run has.
 */
export function sweepPanels(swept: Swept, options: SweepPanelOptions): Spec {
  const all = swept.measured();
  const settings = settingsOf(all);
  const { y, x = settings[0], colour = settings.find((name) => name !== x) } = options;
  checkNames(all, {
    settings: [x, ...(colour === undefined ? [] : [colour])],
    metrics: [y],
  });
  const { log = false } = options;
  const runs = all.filter(({ metrics, key }) => {
    const value = metrics[y];
    return value !== undefined && key !== null && !(log && value <= 0);
  });
  const rows = runs.map((run) => {
    const { curve, samples = [] } = swept.details(run) ?? {};
    const point = settings.map((name) => `${settingTitle(name)} ${valueText(run.settings[name])}`);
    return {
      run: run.key,
      name: [...point, `seed ${run.seed}`].join(', '),
      x: valueText(run.settings[x]),
      y: run.metrics[y],
      ...(colour !== undefined && { c: valueText(run.settings[colour]) }),
      steps: (curve?.steps ?? []).map((step) => step / 1000).join(' '),
      energy: lossOf(curve?.losses, ['energyLoss', 'loss']).join(' '),
      sampler: lossOf(curve?.losses, ['generatorLoss', 'flowLoss']).join(' '),
      u: samples.filter((_, i) => i % 2 === 0).join(' '),
      v: samples.filter((_, i) => i % 2 === 1).join(' '),
    };
  });
  const least = rows.reduce((a, b) => ((b.y ?? 0) < (a.y ?? 0) ? b : a), rows[0]);
  const chosen = options.chosen ?? least.run;
  const points = scatter(
    {
      x: settingTitle(x),
      y: options.yTitle ?? y,
      ...(colour !== undefined && { c: settingTitle(colour) }),
    },
    { x: valuesOf(runs, x), ...(colour !== undefined && { c: valuesOf(runs, colour) }) },
    meanRows(runs, y, { x, colour, log }),
    { chosen, log },
  );
  const hasCurves = rows.some(({ steps }) => steps.length > 0);
  const hasSamples = rows.some(({ u }) => u.length > 0);
  const panels = [
    points,
    ...(hasCurves ? [curves(rows.some(({ sampler }) => sampler.length > 0))] : []),
    ...(hasSamples ? [samplePanel(options.limit ?? 2)] : []),
  ];
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: heading(
      options.title ?? swept.name,
      `${options.caption === undefined ? '' : `${options.caption} `}Behind the runs their mean ± standard error over seeds. Click a run to see its losses and samples.`,
      panels.length * (SIDE + GAP) - GAP,
    ),
    data: { values: rows },
    // A column of panels among panels has no frame of its own to be flush with.
    bounds: 'full',
    spacing: GAP / 2,
    hconcat: panels,
    config: { ...THEME, range: { category: CATEGORIES } },
  };
}

type Losses = Readonly<Record<string, readonly number[]>>;

function lossOf(losses: Losses | undefined, names: readonly string[]): readonly number[] {
  const name = names.find((known) => losses?.[known] !== undefined);
  return name === undefined ? [] : (losses?.[name] ?? []);
}

interface Titles {
  readonly x: string;
  readonly y: string;
  readonly c?: string;
}

interface Orders {
  readonly x: readonly string[];
  readonly c?: readonly string[];
}

interface Point {
  readonly chosen: string | null;
  readonly log: boolean;
}

/** Every run as a point, with mean ± standard error over seeds behind. */
function scatter(titles: Titles, orders: Orders, means: readonly MeanRow[], point: Point): Spec {
  const { chosen, log } = point;
  const place = {
    x: { field: 'x', type: 'nominal', sort: orders.x, axis: { title: titles.x, labelAngle: 0 } },
    ...(orders.c && { xOffset: { field: 'c', type: 'nominal', sort: orders.c } }),
  };
  const colour = orders.c && {
    color: {
      field: 'c',
      type: 'nominal',
      sort: orders.c,
      legend: { title: titles.c, orient: 'bottom', symbolType: 'circle', symbolOpacity: 1 },
    },
  };
  const y = {
    type: 'quantitative',
    scale: log ? { type: 'log' } : { zero: false },
    axis: { title: titles.y, ...(log && { format: '.3~g' }) },
  };
  const isChosen = { param: CHOSEN, empty: false };
  return {
    width: SIDE,
    height: SIDE,
    title: { text: 'Runs' },
    layer: [
      {
        data: { values: means },
        mark: { type: 'rule', strokeWidth: 1.5, opacity: 0.5, aria: false },
        encoding: {
          ...place,
          y: { ...y, field: 'low' },
          y2: { field: 'high' },
          ...(colour ?? { color: { value: MUTED } }),
        },
      },
      {
        data: { values: means },
        mark: { type: 'tick', thickness: 1.5, width: 14, opacity: 0.5, orient: 'horizontal' },
        encoding: {
          ...place,
          y: { ...y, field: 'mean' },
          ...(colour ?? { color: { value: MUTED } }),
        },
      },
      {
        params: [
          {
            name: CHOSEN,
            select: { type: 'point', fields: ['run'], toggle: false },
            value: [{ run: chosen }],
          },
        ],
        mark: { type: 'point', filled: true, cursor: 'pointer', aria: false },
        encoding: {
          ...place,
          y: { ...y, field: 'y' },
          ...(colour ?? { color: { value: MODEL_COLOUR } }),
          size: { condition: { ...isChosen, value: 130 }, value: 34 },
          stroke: { condition: { ...isChosen, value: INK }, value: null },
          opacity: { condition: { ...isChosen, value: 1 }, value: 0.75 },
          tooltip: [
            { field: 'name', title: 'run' },
            { field: 'y', title: titles.y, type: 'quantitative', format: '.4~g' },
            { field: 'run', title: 'key' },
          ],
        },
      },
    ],
  };
}

/** Keeps the run that was chosen. */
const ONLY_CHOSEN = { filter: { param: CHOSEN, empty: false } };

/**
 * A row for each number of two series of the chosen run. They are kept as text: in a notebook file
 * every number of a list would have a line of its own.
 */
function series(a: string, b: string): readonly Spec[] {
  const each = (change: (field: string) => string) =>
    [a, b].map((field) => ({ calculate: change(`datum.${field}`), as: field }));
  return [
    ONLY_CHOSEN,
    { filter: `datum.${b} !== ''` },
    ...each((field) => `split(${field}, ' ')`),
    { flatten: [a, b] },
    ...each((field) => `toNumber(${field})`),
  ];
}

/** Losses of the chosen run: the energy's above, the sampler's below. */
function curves(withSampler: boolean): Spec {
  const height = withSampler ? (SIDE - 24) / 2 : SIDE;
  const panel = (field: string, title: string, last: boolean, header: boolean): Spec => ({
    width: SIDE,
    height,
    ...(header && { title: { text: 'Losses of the chosen run' } }),
    transform: series('steps', field),
    mark: { type: 'line', color: MODEL_COLOUR, strokeWidth: 1.2, aria: false },
    encoding: {
      x: {
        field: 'steps',
        type: 'quantitative',
        axis: { title: last ? 'thousands of iterations' : null, labels: last, tickCount: 5 },
      },
      y: {
        field,
        type: 'quantitative',
        scale: { zero: false },
        axis: { title, tickCount: 4, format: '.3~g' },
      },
    },
  });
  if (!withSampler) return panel('energy', 'energy', true, true);
  return {
    spacing: 24,
    bounds: 'flush',
    vconcat: [panel('energy', 'energy', false, true), panel('sampler', 'sampler', true, false)],
  };
}

/** Samples of the chosen run, with its name above. */
function samplePanel(limit: number): Spec {
  const channel = (field: string): Spec => ({
    field,
    type: 'quantitative',
    scale: { domain: [-limit, limit], nice: false, zero: false },
    axis: { title: null, values: [-1, -0.5, 0, 0.5, 1].map((part) => part * limit) },
  });
  return {
    width: SIDE,
    height: SIDE,
    title: { text: 'Samples of the chosen run' },
    layer: [
      {
        transform: series('u', 'v'),
        mark: {
          type: 'circle',
          size: 12,
          color: MODEL_COLOUR,
          opacity: 0.6,
          clip: true,
          aria: false,
        },
        encoding: { x: channel('u'), y: channel('v') },
      },
      {
        transform: [ONLY_CHOSEN],
        mark: {
          type: 'text',
          align: 'left',
          baseline: 'bottom',
          color: MUTED,
          fontSize: 10.5,
          aria: false,
        },
        encoding: {
          x: { value: 2 },
          y: { value: SIDE + 32 },
          text: { field: 'name' },
        },
      },
    ],
  };
}
