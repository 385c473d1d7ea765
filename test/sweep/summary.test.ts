import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { estimate, formatEstimate, SummaryTable, type TableRun } from '../../src/sweep/summary.ts';

const run = (T: number, seed: number, metrics: TableRun['metrics'], key = `toy/${T}${seed}`) => ({
  settings: { T },
  seed,
  metrics,
  key,
  status: 'finished',
});

const runs = [
  run(1, 0, { gridKl: 1, modesCovered: 25, odd: 2 }),
  run(1, 1, { gridKl: 3, modesCovered: 25 }),
  run(2, 0, { gridKl: 1.5, modesCovered: 25 }),
  run(2, 1, {}),
  run(4, 0, {}),
  run(4, 1, {}),
];

describe('estimate', () => {
  it('is the mean with its standard error', () => {
    // Sample standard deviation of 1, 2, 3, 6 is √(14/3).
    expect(estimate([1, 2, 3, 6])).toEqual({ mean: 3, se: Math.sqrt(14 / 3 / 4), n: 4 });
    expect(estimate([5])).toEqual({ mean: 5, se: Number.NaN, n: 1 });
    expect(estimate([undefined, Number.NaN, 2, 4])).toEqual({ mean: 3, se: 1, n: 2 });
    expect(estimate([undefined])).toBeUndefined();
  });

  it('is written with two digits of the error', () => {
    const text = (mean: number, se: number) => formatEstimate({ mean, se, n: 3 });
    expect(text(0.12345, 0.0067)).toBe('0.1235 ± 0.0067');
    expect(text(1234.5, 12.3)).toBe('1235 ± 12');
    expect(text(2, Number.NaN)).toBe('2');
    expect(text(25, 0)).toBe('25 ± 0');
    expect(text(3e-5, 1e-6)).toBe('3.00e-5 ± 1.0e-6');
  });
});

describe('SummaryTable', () => {
  const table = new SummaryTable(runs);

  it('leaves missing values out and says of how many seeds a mean is', () => {
    expect(table.rows.map(({ metrics }) => metrics['gridKl']?.n)).toEqual([2, 1, undefined]);
    expect(table.rows[0].metrics['gridKl']).toEqual({ mean: 2, se: 1, n: 2 });
    const lines = table.toString().split('\n');
    expect(lines[0]).toMatch(/^T +gridKl +modesCovered +odd$/);
    expect(lines[1]).toMatch(/^1 +2\.0 ± 1\.0 +25 ± 0 +2 \(1 of 2\)$/);
    expect(lines[2]).toMatch(/^2 +1\.5 \(1 of 2\) \* +25 \(1 of 2\) +–$/);
    expect(lines[3]).toMatch(/^4 +– +– +–$/);
  });

  it('marks the best of a metric in its direction, and none where all are equal', () => {
    expect(table.rows.map(({ best }) => best)).toEqual([[], ['gridKl'], []]);
    const higher = new SummaryTable(runs, { better: { gridKl: 'higher' } });
    expect(higher.rows.map(({ best }) => best)).toEqual([['gridKl'], [], []]);
    expect(table.toHTML()).toContain('<b>1.5 (1 of 2)</b>');
    expect(table.toHTML().match(/<b>/g)).toHaveLength(1);
  });

  it('is an Arquero table, too: of points and of runs', () => {
    expect(table.table().objects()[0]).toMatchObject({
      T: 1,
      gridKl: 2,
      gridKl_se: 1,
      gridKl_n: 2,
    });
    expect(table.table().objects()[2]).toMatchObject({
      gridKl: null,
      gridKl_se: null,
      gridKl_n: 0,
    });
    expect(table.runs().numRows()).toBe(6);
    expect(table.runs().objects()[3]).toMatchObject({ T: 2, seed: 1, gridKl: null, key: 'toy/21' });
  });

  it('shows itself in a notebook, escaped', () => {
    const odd = new SummaryTable([{ ...run(1, 0, { a: 1 }), settings: { 'x<y': '<&>' } }]);
    const shown = odd[Symbol.for('Jupyter.display') as never] as () => Record<string, string>;
    const bundle = shown.call(odd);
    expect(bundle['text/html']).toContain('<th>x&lt;y</th>');
    expect(bundle['text/html']).toContain('<td>&lt;&amp;&gt;</td>');
    expect(bundle['text/plain']).toContain('<&>');
  });

  it('sorts rows by a metric, best first, or by a setting; rows without it last', () => {
    const order = (sort: string, better?: Record<string, 'lower' | 'higher'>) =>
      new SummaryTable(runs, { metrics: ['modesCovered'], sort, better }).rows.map(
        ({ settings }) => settings['T'],
      );
    expect(order('gridKl')).toEqual([2, 1, 4]);
    expect(order('gridKl', { gridKl: 'higher' })).toEqual([1, 2, 4]);
    expect(order('T')).toEqual([1, 2, 4]);
    const { rows } = new SummaryTable(runs, { metrics: ['odd'], sort: 'gridKl' });
    expect(Object.keys(rows[0].metrics)).toEqual(['odd']);
    expect(() => new SummaryTable(runs, { sort: 'gridKL' })).toThrow(/did you mean 'gridKl'/);
  });

  it('takes only metrics that are there', () => {
    expect(new SummaryTable(runs, { metrics: ['odd'] }).metrics).toEqual(['odd']);
    expect(() => new SummaryTable(runs, { metrics: ['fid'] })).toThrow(ConfigError);
  });

  it('becomes a DataFrame where Danfo.js is installed, and says so where not', () => {
    const seen: object[] = [];
    class DataFrame {
      constructor(rows: readonly object[]) {
        seen.push(...rows);
      }
    }
    expect(table.toDanfo(() => ({ DataFrame }))).toBeInstanceOf(DataFrame);
    expect(seen).toHaveLength(6);
    const missing = () => {
      throw new Error("Cannot find module 'danfojs-node'");
    };
    expect(() => table.toDanfo(missing)).toThrow(/npm install danfojs-node/);
  });
});
