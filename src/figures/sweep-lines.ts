import type { Spec } from './density-panels.ts';
import { panelRow } from './panel-row.ts';
import {
  checkNames,
  meanRows,
  type Swept,
  type SweptRun,
  settingsOf,
  settingTitle,
  valuesOf,
} from './sweep-runs.ts';
import { CATEGORIES, MODEL_COLOUR } from './theme.ts';

/** A metric and how its panel is drawn. */
export interface LinePanel {
  readonly metric: string;
  /** Above the panel. Default: the metric's name. */
  readonly title?: string;
  /** A logarithmic axis; values of 0 and below are left out. */
  readonly log?: boolean;
}

export interface SweepLineOptions {
  readonly title?: string;
  /** The lines under the title. */
  readonly caption?: string;
  /** One panel each. */
  readonly panels: readonly LinePanel[];
  /** The setting along the axis. Default: the first that varies. */
  readonly x?: string;
  /** The setting in colour. Default: the second that varies, if there is one. */
  readonly colour?: string;
}

const SIDE = 190;
const GAP = 56;

/**
 * How metrics depend on a setting: mean ± standard error over everything else in the sweep (its
 * seeds, where `x` and `colour` are all that varies), a line for each value of another setting.
 * @throws ConfigError for a setting or metric that no run has.
 */
export function sweepLines(swept: Swept, options: SweepLineOptions): Spec {
  const runs = swept.measured();
  const settings = settingsOf(runs);
  const { panels, x = settings[0], colour = settings.find((name) => name !== x) } = options;
  checkNames(runs, {
    settings: [x, ...(colour === undefined ? [] : [colour])],
    metrics: panels.map(({ metric }) => metric),
  });
  return panelRow({
    title: options.title ?? swept.name,
    caption: options.caption ?? 'Mean ± standard error over seeds.',
    width: panels.length * (SIDE + GAP) - GAP,
    spacing: GAP,
    panels: panels.map((panel) => linePanel(runs, panel, { x, colour })),
  });
}

interface Axes {
  readonly x: string;
  readonly colour: string | undefined;
}

function linePanel(runs: readonly SweptRun[], panel: LinePanel, axes: Axes): Spec {
  const { metric, title = metric, log = false } = panel;
  const { x, colour } = axes;
  const orders = colour === undefined ? undefined : valuesOf(runs, colour);
  const values = meanRows(runs, metric, { x, colour, log });
  const encoding = {
    x: {
      field: 'x',
      type: 'ordinal',
      sort: valuesOf(runs, x),
      scale: { type: 'point', padding: 0.4 },
      axis: { title: settingTitle(x), labelAngle: 0 },
    },
    y: {
      field: 'mean',
      type: 'quantitative',
      scale: log ? { type: 'log' } : { zero: false },
      axis: { title: null, tickCount: 5, ...(log && { format: '.3~g' }) },
    },
    color: orders
      ? {
          field: 'c',
          type: 'nominal',
          scale: { domain: orders, range: CATEGORIES },
          // One for all panels, which share the scale.
          legend: { title: settingTitle(colour ?? ''), orient: 'right', symbolType: 'circle' },
        }
      : { value: MODEL_COLOUR },
  };
  return {
    title,
    width: SIDE,
    height: SIDE,
    data: { values },
    layer: [
      { mark: { type: 'line', strokeWidth: 1.5, aria: false }, encoding },
      {
        mark: { type: 'rule', strokeWidth: 1.5, aria: false },
        encoding: { ...encoding, y: { ...encoding.y, field: 'low' }, y2: { field: 'high' } },
      },
      { mark: { type: 'point', filled: true, size: 38, opacity: 1, aria: false }, encoding },
    ],
  };
}
