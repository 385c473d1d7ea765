import { createRequire } from 'node:module';
import { type ColumnTable, table as columnTable } from 'arquero';
import { ConfigError, unknownName } from '../core/errors.ts';
import type { Scalar } from '../experiments/overrides.ts';

/** What a table is made from: one run. */
export interface TableRun {
  readonly settings: Readonly<Record<string, Scalar>>;
  readonly seed: number;
  readonly key: string | null;
  readonly status: string;
  readonly metrics: Readonly<Record<string, number | undefined>>;
}

export interface SummaryOptions {
  /** Metrics shown, in this order. Default: all that any run has. */
  readonly metrics?: readonly string[];
  /** Which way a metric is better; those not named here follow `DIRECTIONS`, or have no best. */
  readonly better?: Readonly<Record<string, 'lower' | 'higher'>>;
  /**
   * Orders the rows by a metric, its best mean first (the least where none is better), or by a
   * setting, from low to high; rows without it come last. Default: the order of the grid.
   */
  readonly sort?: string;
}

/** Which way the metrics of the experiments are better. */
const DIRECTIONS: Readonly<Record<string, 'lower' | 'higher'>> = {
  gridKl: 'lower',
  mmd: 'lower',
  mse: 'lower',
  mseMedian: 'lower',
  fid: 'lower',
  modesCovered: 'higher',
  shareWithin4Sigma: 'higher',
  noiseAuroc: 'higher',
  test: 'higher',
  modes: 'higher',
  klToUniform: 'lower',
  klToData: 'lower',
  reconstructionError: 'lower',
};

/** A number over seeds. */
export interface Estimate {
  readonly mean: number;
  /** Standard error of the mean; NaN for a single seed. */
  readonly se: number;
  /** Runs that have the number. */
  readonly n: number;
}

export interface SummaryRow {
  readonly settings: Readonly<Record<string, Scalar>>;
  /** Runs of this point, finished or not. */
  readonly runs: number;
  /** A metric that no run of the point has is undefined. */
  readonly metrics: Readonly<Record<string, Estimate | undefined>>;
  /** Metrics of which this row has the best mean. */
  readonly best: readonly string[];
}

/** Mean and standard error (sample standard deviation / √n) of the finite values. */
export function estimate(values: readonly (number | undefined)[]): Estimate | undefined {
  const found = values.filter((v): v is number => v !== undefined && Number.isFinite(v));
  const n = found.length;
  if (n === 0) return undefined;
  const mean = found.reduce((sum, v) => sum + v, 0) / n;
  const squares = found.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  return { mean, se: n > 1 ? Math.sqrt(squares / (n - 1) / n) : Number.NaN, n };
}

/**
 * One row for each point of a grid: mean ± standard error over seeds, the best mean of each metric
 * in bold. A missing run is left out of the mean, and the cell says over how many seeds it is.
 */
export class SummaryTable {
  readonly rows: readonly SummaryRow[];
  readonly metrics: readonly string[];
  readonly settings: readonly string[];
  readonly #runs: readonly TableRun[];

  constructor(runs: readonly TableRun[], options: SummaryOptions = {}) {
    this.#runs = runs;
    this.settings = [...new Set(runs.flatMap(({ settings }) => Object.keys(settings)))];
    const all = [...new Set(runs.flatMap(({ metrics }) => Object.keys(metrics)))];
    const unknown = options.metrics?.find((name) => all.length > 0 && !all.includes(name));
    if (unknown !== undefined) {
      throw new ConfigError(`summary: no run has a metric '${unknown}' (known: ${all.join(', ')})`);
    }
    this.metrics = options.metrics ?? all;
    const better = { ...DIRECTIONS, ...options.better };
    // What is sorted by need not be shown.
    const rows = summarise(runs, all, better);
    const { sort } = options;
    if (sort !== undefined && rows.length > 0) {
      const names = [...this.settings, ...all];
      if (!names.includes(sort)) throw unknownName('column to sort by', sort, names);
      rows.sort(rowOrder(sort, this.settings.includes(sort), better[sort] === 'higher'));
    }
    this.rows = rows.map((row) => ({
      ...row,
      best: row.best.filter((name) => this.metrics.includes(name)),
      metrics: Object.fromEntries(this.metrics.map((name) => [name, row.metrics[name]])),
    }));
  }

  /** An Arquero table: one row per point, for each metric its mean, `_se` and `_n`. */
  table(): ColumnTable {
    const columns: Record<string, unknown[]> = {};
    for (const name of this.settings) columns[name] = this.rows.map((row) => row.settings[name]);
    for (const name of this.metrics) {
      columns[name] = this.rows.map((row) => row.metrics[name]?.mean ?? null);
      columns[`${name}_se`] = this.rows.map(({ metrics }) => finite(metrics[name]?.se));
      columns[`${name}_n`] = this.rows.map((row) => row.metrics[name]?.n ?? 0);
    }
    return columnTable(columns);
  }

  /** An Arquero table of the runs themselves: settings, seed, status, metrics, key. */
  runs(): ColumnTable {
    const column = (of: (run: TableRun) => unknown) => this.#runs.map((run) => of(run) ?? null);
    return columnTable({
      ...Object.fromEntries(this.settings.map((s) => [s, column((run) => run.settings[s])])),
      seed: column(({ seed }) => seed),
      status: column(({ status }) => status),
      ...Object.fromEntries(this.metrics.map((m) => [m, column(({ metrics }) => metrics[m])])),
      key: column(({ key }) => key),
    });
  }

  /**
   * The runs as a DataFrame of Danfo.js.
   * @throws ConfigError when danfojs-node is not installed.
   */
  toDanfo(load: (name: string) => unknown = createRequire(import.meta.url)): unknown {
    let danfo: { DataFrame: new (rows: readonly object[]) => unknown };
    try {
      danfo = load('danfojs-node') as typeof danfo;
    } catch (error) {
      throw new ConfigError(
        'toDanfo: danfojs-node is not installed; npm install danfojs-node, or use table() (Arquero)',
        { cause: error },
      );
    }
    return new danfo.DataFrame(this.runs().objects());
  }

  /** Text in columns; the best of a metric is marked with *. */
  toString(): string {
    const head = [...this.settings, ...this.metrics];
    const body = this.rows.map((row) => [
      ...this.settings.map((name) => String(row.settings[name] ?? '–')),
      ...this.metrics.map((name) => {
        return `${this.#cell(row, name)}${row.best.includes(name) ? ' *' : ''}`;
      }),
    ]);
    const lines = [head, ...body];
    const widths = head.map((_, i) => Math.max(...lines.map((line) => line[i].length)));
    return lines
      .map((line) =>
        line
          .map((cell, i) => cell.padEnd(widths[i]))
          .join('  ')
          .trimEnd(),
      )
      .join('\n');
  }

  toHTML(): string {
    const cells = (row: SummaryRow) => [
      ...this.settings.map((name) => `<td>${escapeHtml(String(row.settings[name] ?? '–'))}</td>`),
      ...this.metrics.map((name) => {
        const text = this.#cell(row, name);
        const shown = row.best.includes(name) ? `<b>${text}</b>` : text;
        return `<td style="text-align:right">${shown}</td>`;
      }),
    ];
    const head = [...this.settings, ...this.metrics].map((name) => `<th>${escapeHtml(name)}</th>`);
    const body = this.rows.map((row) => `<tr>${cells(row).join('')}</tr>`);
    return `<table><thead><tr>${head.join('')}</tr></thead><tbody>${body.join('')}</tbody></table>`;
  }

  /** What a notebook shows. */
  bundle(): Record<string, string> {
    return { 'text/html': this.toHTML(), 'text/plain': this.toString() };
  }

  [Symbol.for('Jupyter.display')](): Record<string, string> {
    return this.bundle();
  }

  #cell({ metrics, runs }: SummaryRow, name: string): string {
    const found = metrics[name];
    if (!found) return '–';
    const missing = found.n < runs ? ` (${found.n} of ${runs})` : '';
    return `${formatEstimate(found)}${missing}`;
  }
}

/** e.g. `0.123 ± 0.004`: as many digits as the standard error allows, two of its own. */
export function formatEstimate({ mean, se }: Estimate): string {
  if (!(se > 0)) return `${Number(mean.toPrecision(4))}${se === 0 ? ' ± 0' : ''}`;
  const scale = Math.floor(Math.log10(se));
  if (Math.abs(mean) >= 1e5 || (Math.abs(mean) < 1e-3 && se < 1e-3)) {
    return `${mean.toExponential(2)} ± ${se.toExponential(1)}`;
  }
  const digits = Math.min(20, Math.max(0, 1 - scale));
  return `${mean.toFixed(digits)} ± ${se.toFixed(digits)}`;
}

function summarise(
  runs: readonly TableRun[],
  metrics: readonly string[],
  better: Readonly<Record<string, 'lower' | 'higher'>>,
): SummaryRow[] {
  const groups = new Map<string, TableRun[]>();
  for (const run of runs) {
    const key = JSON.stringify(run.settings);
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  const rows = [...groups.values()].map((group) => ({
    settings: group[0].settings,
    runs: group.length,
    metrics: Object.fromEntries(
      metrics.map((name) => [name, estimate(group.map((run) => run.metrics[name]))]),
    ),
  }));
  const best = new Map(
    metrics.map((name) => {
      const means = rows.flatMap((row) => row.metrics[name]?.mean ?? []);
      const pick = better[name] === 'lower' ? Math.min : Math.max;
      // The only value, or one that all share, is no best.
      const told = name in better && new Set(means).size > 1;
      return [name, told ? pick(...means) : undefined] as const;
    }),
  );
  return rows.map((row) => ({
    ...row,
    best: metrics.filter((name) => {
      const top = best.get(name);
      return top !== undefined && row.metrics[name]?.mean === top;
    }),
  }));
}

function rowOrder(name: string, isSetting: boolean, highFirst: boolean) {
  const valueIn = (row: SummaryRow) => (isSetting ? row.settings[name] : row.metrics[name]?.mean);
  return (a: SummaryRow, b: SummaryRow): number => {
    const [x, y] = [valueIn(a), valueIn(b)];
    if (x === undefined || y === undefined)
      return Number(x === undefined) - Number(y === undefined);
    if (x === y) return 0;
    return (x < y ? -1 : 1) * (highFirst && !isSetting ? -1 : 1);
  };
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

function escapeHtml(text: string): string {
  return text.replace(/[&<>]/g, (c) => ESCAPES[c]);
}
