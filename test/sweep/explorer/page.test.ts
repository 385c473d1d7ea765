import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { axis, axisIds, brushed } from '../../../src/sweep/explorer/page/axes.ts';
import { brushAfter, gripOf, shifted } from '../../../src/sweep/explorer/page/brush.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatNumber,
  formatValue,
} from '../../../src/sweep/explorer/page/format.ts';
import {
  Columns,
  mentions,
  settingsOf,
  sorted,
  valueIn,
  varyingSettings,
} from '../../../src/sweep/explorer/page/listing.ts';
import {
  extent,
  linearTicks,
  type Point,
  padded,
  scale,
  thinned,
} from '../../../src/sweep/explorer/page/scale.ts';
import type { WireRun } from '../../../src/sweep/explorer/wire.ts';

function runOf(seed: number, config: object, metrics: Record<string, unknown> = {}): WireRun {
  return {
    ...{ key: `toy/${seed}`, experiment: 'toy', status: 'finished', seed, step: seed, seconds: 1 },
    ...{ created: `2026-01-01T00:00:0${seed % 10}Z`, updated: '', code: '', checksum: null },
    ...{ config, metrics, labels: {}, error: null },
  };
}

/** A sweep over T and rate; warmup follows from T, and one run has another number of steps. */
const RUNS = [1, 2, 4].flatMap((T, i) =>
  [0.1, 0.01].map((rate, j) => {
    const number = 2 * i + j;
    const config = { T, rate, warmup: T > 1, fixed: 'x', steps: 9 };
    return runOf(number, config, { kl: 1 / T, note: 'none' });
  }),
);

describe('settings that vary', () => {
  it('are told from those that follow from them and those that are the same', () => {
    expect(varyingSettings(RUNS)).toEqual({ swept: ['T', 'rate'], others: ['warmup'] });
    const many = Array.from({ length: 10 }, () => RUNS).flat();
    const stranger = runOf(99, { T: 1, rate: 0.1, warmup: false, fixed: 'x', steps: 10 });
    expect(varyingSettings([...many, stranger]).others).toEqual(['warmup', 'steps']);
    expect(varyingSettings([])).toEqual({ swept: [], others: [] });
  });

  it('include one that some runs lack', () => {
    const runs = [runOf(0, { a: 1 }), runOf(1, { a: 1, b: { c: 2 } })];
    expect(varyingSettings(runs).swept).toEqual(['b.c']);
    expect([...settingsOf(runs[1])]).toEqual([
      ['a', 1],
      ['b.c', 2],
    ]);
  });
});

describe('the list', () => {
  it('shows what differs, and hides what does not', () => {
    const columns = new Columns();
    expect(columns.update(RUNS)).toBe(true);
    expect(columns.update([...RUNS])).toBe(false);
    const ids = columns.all.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(['config.T', 'config.warmup', 'metrics.kl']));
    expect(ids).not.toContain('config.fixed');
    expect(ids).not.toContain('metrics.note');
    expect([...columns.usual]).toEqual(expect.arrayContaining(['config.T', 'config.rate']));
    expect(columns.usual.has('config.warmup')).toBe(false);
    expect(columns.usual.has('field.experiment')).toBe(false);
  });

  it('sorts either way, runs without a value last', () => {
    const runs = [...RUNS, runOf(7, { T: 3 })];
    for (const descending of [false, true]) {
      const order = sorted(runs, { column: 'metrics.kl', descending });
      const values = order.map((run) => valueIn(run, 'metrics.kl') as number | undefined);
      expect(values.at(-1)).toBeUndefined();
      const numbers = values.slice(0, -1) as number[];
      const sign = descending ? -1 : 1;
      expect(numbers).toEqual([...numbers].sort((a, b) => sign * (a - b)));
    }
    expect(
      sorted(runs, { column: 'field.seed', descending: false }).map(({ seed }) => seed),
    ).toEqual([0, 1, 2, 3, 4, 5, 7]);
  });

  it('finds runs by words of key, settings and status, in any order', () => {
    const found = (text: string) =>
      RUNS.filter((run) => mentions(run, text)).map(({ seed }) => seed);
    expect(found('rate=0.01 t=4')).toEqual([5]);
    expect(found('TOY/3')).toEqual([3]);
    expect(found('')).toHaveLength(RUNS.length);
    expect(found('failed')).toEqual([]);
  });
});

describe('parallel coordinates', () => {
  const axes = axisIds(RUNS, 9).usual.flatMap((id) => axis(id, RUNS) ?? []);

  it('have an axis for what was swept and for every final number', () => {
    expect(axes.map(({ id }) => id)).toEqual(['config.T', 'config.rate', 'metrics.kl']);
    expect(axisIds(RUNS, 9).all).toContain('config.warmup');
    expect(axis('metrics.none', RUNS)).toBeUndefined();
  });

  it('place equal values together, others in order', () => {
    const places = RUNS.map((run) => axes[0].place(run) as number);
    expect(places[0]).toBe(places[1]);
    expect(places[1]).toBeLessThan(places[2]);
    expect(places[3]).toBeLessThan(places[4]);
    expect(axes[0].textAt(places[2] + 0.1)).toBe('2');
  });

  it('keep the runs within every brush', () => {
    const kept = (...brushes: [string, number, number][]) =>
      brushed(RUNS, axes, new Map(brushes.map(([id, low, high]) => [id, { low, high }]))).map(
        ({ seed }) => seed,
      );
    expect(kept()).toHaveLength(6);
    expect(kept(['config.T', 0.4, 1])).toEqual([2, 3, 4, 5]);
    expect(kept(['config.T', 0.4, 1], ['config.rate', 0, 0.5])).toEqual([3, 5]);
    expect(kept(['metrics.kl', 0.5, 0.4])).toEqual([]);
    const lacking = [...RUNS, runOf(8, { T: 1, rate: 0.1 })];
    const everything = new Map([['metrics.kl', { low: 0, high: 1 }]]);
    expect(brushed(lacking, axes, everything)).toHaveLength(6);
  });

  it('are logarithmic where a number spans decades', () => {
    const runs = [1e-4, 1e-2, 1].map((kl, i) => runOf(i, { i }, { kl }));
    const [low, middle, high] = runs.map((run) => axis('metrics.kl', runs)?.place(run) as number);
    expect(middle - low).toBeCloseTo(high - middle, 10);
  });
});

describe('a brush', () => {
  const brush = { low: 0.3, high: 0.5 };
  const press = (key: string, shiftKey = false) => brushAfter(brush, { key, shiftKey });

  it('is held by an end or in between', () => {
    const grips = [0.1, 0.31, 0.4, 0.49, 0.6].map((place) => gripOf(brush, place, 0.02));
    expect(grips).toEqual(['outside', 'low', 'inside', 'high', 'outside']);
    expect(gripOf(undefined, 0.4, 0.02)).toBe('outside');
  });

  it('keeps its length when it is moved, and stays on the axis', () => {
    fc.assert(
      fc.property(fc.double({ min: -2, max: 2, noNaN: true }), (by) => {
        const { low, high } = shifted(brush, by);
        expect(high - low).toBeCloseTo(0.2, 12);
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(1 + 1e-12);
      }),
      { seed: 1 },
    );
  });

  it('is made, moved, widened and cleared by keys', () => {
    expect(brushAfter(undefined, { key: 'Enter', shiftKey: false })).toEqual({
      low: 0.25,
      high: 0.75,
    });
    expect(brushAfter(undefined, { key: 'ArrowUp', shiftKey: false })).toBe('unchanged');
    expect(press('Enter')).toBe(brush);
    expect((press('ArrowUp') as typeof brush).low).toBeGreaterThan(brush.low);
    const wider = press('ArrowUp', true) as typeof brush;
    expect(wider.high - wider.low).toBeGreaterThan(0.2);
    expect(press('Escape')).toBeUndefined();
    expect(press('a')).toBe('unchanged');
  });
});

describe('scales', () => {
  const positive = fc.double({ min: 1e-6, max: 1e6, noNaN: true });

  it('go there and back', () => {
    fc.assert(
      fc.property(positive, positive, fc.double({ min: 0, max: 1, noNaN: true }), (a, b, place) => {
        for (const log of [false, true]) {
          const [low, high] = padded([Math.min(a, b), Math.max(a, b)], log);
          const axis = scale(low, high, log);
          expect(axis.place(axis.value(place))).toBeCloseTo(place, 6);
        }
      }),
      { seed: 1 },
    );
  });

  it('have round ticks within the axis, not too many', () => {
    fc.assert(
      fc.property(positive, positive, fc.integer({ min: 2, max: 10 }), (a, b, count) => {
        fc.pre(Math.abs(a - b) > 1e-9 * Math.max(a, b));
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        const ticks = linearTicks(low, high, count);
        expect(ticks.length).toBeLessThanOrEqual(count + 1);
        for (const tick of ticks) {
          expect(tick).toBeGreaterThanOrEqual(low - 1e-6 * high);
          expect(tick).toBeLessThanOrEqual(high * (1 + 1e-6));
        }
      }),
      { seed: 1 },
    );
    expect(scale(1, 1000, true).ticks(4)).toEqual([1, 10, 100, 1000]);
    expect(scale(1.88, 1.95, true).ticks(4).length).toBeGreaterThan(2);
  });

  it('leave out what cannot be placed', () => {
    expect(extent([Number.NaN, 3, -1, Number.POSITIVE_INFINITY])).toEqual([-1, 3]);
    expect(extent([-1, 0, 5], true)).toEqual([5, 5]);
    expect(extent([Number.NaN])).toBeUndefined();
  });

  it('thin a long curve without losing its ends and extremes', () => {
    const points = Array.from(
      { length: 10_000 },
      (_, i): Point => [i, Math.sin(i / 50) + (i === 777 ? 9 : 0)],
    );
    const few = thinned(points, 100);
    expect(few.length).toBeLessThanOrEqual(400);
    expect(few[0]).toEqual(points[0]);
    expect(few.at(-1)).toEqual(points.at(-1));
    expect(few).toContainEqual(points[777]);
    expect(few.map(([x]) => x)).toEqual([...few.map(([x]) => x)].sort((a, b) => a - b));
    expect(thinned(points.slice(0, 50), 100)).toHaveLength(50);
  });
});

describe('numbers for people', () => {
  it.each<[number, string]>([
    [0, '0'],
    [-3, '−3'],
    [0.123456, '0.1235'],
    [0.0001, '1e−4'],
    [0.000338, '3.38e−4'],
    [20000, '20000'],
    [1.5e9, '1.5e9'],
    [Number.NaN, 'NaN'],
  ])('%f is %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  it('have units', () => {
    expect(formatDuration(3.21)).toBe('3.2 s');
    expect(formatDuration(245)).toBe('4 min 05 s');
    expect(formatDuration(7620)).toBe('2 h 07 min');
    expect(formatBytes(1_234_567)).toBe('1.2 MB');
    expect(formatCount(1234567)).toBe('1\u202f234\u202f567');
    expect(formatValue(undefined)).toBe('–');
    expect(formatValue([1, 2])).toBe('[1,2]');
  });
});
