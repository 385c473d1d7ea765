import type { WireRun } from '../wire.ts';
import { CurveChart } from './chart.ts';
import { h, oncePerFrame, replace } from './dom.ts';
import { shortKey } from './format.ts';
import { LiveSeries, type Model } from './model.ts';

/** Which metrics are on a logarithmic scale, kept while the page lives. */
const logarithmic = new Map<string, boolean>();

/** The curves of some runs, a chart a metric, growing while the runs do. */
export class Curves {
  readonly element: HTMLElement = h('div', { class: 'charts' });
  readonly #model: Model;
  readonly #keys: readonly string[];
  readonly #series: readonly LiveSeries[];
  readonly #charts = new Map<string, CurveChart>();
  readonly #draw = oncePerFrame(() => this.#show());
  #closed = false;

  constructor(model: Model, keys: readonly string[]) {
    this.#model = model;
    this.#keys = keys;
    this.#series = keys.map((key) => new LiveSeries(key, this.#draw));
  }

  update(changed: ReadonlySet<string> | 'all'): void {
    for (const series of this.#series) {
      if (changed === 'all' || changed.has(series.key)) {
        const run = this.#model.runs.get(series.key);
        if (run) void series.refresh(run);
      }
    }
  }

  redraw(): void {
    this.#draw();
  }

  close(): void {
    this.#closed = true;
    for (const chart of this.#charts.values()) chart.close();
  }

  #show(): void {
    if (this.#closed) return;
    const names = new Set<string>();
    for (const { rows } of this.#series) {
      // The first and the last row tell: metrics may begin later than the series.
      for (const row of [rows[0], rows.at(-1)]) {
        for (const name of Object.keys(row ?? {})) if (name !== 'step') names.add(name);
      }
    }
    for (const name of names) {
      if (this.#charts.has(name)) continue;
      const chart = new CurveChart(name, logarithmic.get(name) ?? false, (log) =>
        logarithmic.set(name, log),
      );
      this.#charts.set(name, chart);
      if (this.#charts.size === 1) replace(this.element);
      this.element.append(chart.element);
    }
    for (const [name, chart] of this.#charts) {
      chart.show(
        this.#series.map(({ key, rows }, i) => ({
          key,
          label: shortKey(key),
          colour: this.#keys.length === 1 ? 0 : i,
          points: rows.flatMap((row) =>
            row[name] === undefined ? [] : [[row.step, row[name]] as const],
          ),
          live: this.#model.runs.get(key)?.status === 'running',
        })),
      );
    }
    if (names.size > 0) return;
    const problem = this.#series.find((series) => series.problem !== undefined)?.problem;
    const runs = this.#keys.map((key) => this.#model.runs.get(key));
    replace(this.element, h('p', { class: 'empty' }, problem ?? nothingYet(runs)));
  }
}

function nothingYet(runs: readonly (WireRun | undefined)[]): string {
  return runs.some((run) => run?.status === 'running')
    ? 'No row has been written yet; the first one appears here.'
    : 'No metrics were written.';
}
