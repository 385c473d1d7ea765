import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LanguageService } from '../../src/kernel/language/index.ts';
import { CellChecks } from '../../src/kernel/protocol/cell-checks.ts';

/** A language service that finds one error in everything it checks, and notes what it is told. */
function noting(): { service: LanguageService; told: string[] } {
  const told: string[] = [];
  const found = { code: 1, category: 'error', message: 'wrong', start: 0, end: 1 } as const;
  const service: LanguageService = {
    update: async (id, _code, _count, options) => {
      told.push(`${id}${options?.check ? ' checked' : ''}`);
      return options?.check ? [{ ...found, line: 1, column: 1 }] : [];
    },
    reset: () => told.push('reset'),
    diagnostics: async () => {
      told.push('diagnostics');
      return [];
    },
    complete: async () => ({ matches: [], start: 0, end: 0, types: [] }),
    inspect: async () => null,
    dispose: () => undefined,
  };
  return { service, told };
}

describe('the checks of cells', () => {
  let checks: CellChecks;
  let told: string[];
  const warn = vi.fn();
  const cell = (count: number) => ({ code: `let v${count} = 1`, count, warn });

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    warn.mockClear();
    checks = new CellChecks();
    const noted = noting();
    told = noted.told;
    checks.language = noted.service;
  });
  afterEach(() => vi.useRealTimers());

  /** Runs for `ms` and then ends. */
  const run = async (count: number, ms: number) => {
    const ran = cell(count);
    checks.runs(ran);
    await vi.advanceTimersByTimeAsync(ms);
    return checks.ended(ran);
  };

  it('wait while one short cell follows the other, and keep their order', async () => {
    for (const count of [1, 2, 3]) {
      await run(count, 4);
      await vi.advanceTimersByTimeAsync(4);
    }
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(20);
    expect(told).toEqual(['cell-1 checked', 'cell-2 checked', 'cell-3 checked']);
    expect(warn.mock.calls).toEqual([1, 2, 3].map((n) => [`Cell [${n}]:1:1 - error TS1: wrong\n`]));
  });

  it('wait while a cell runs, and have been said when a long one ends', async () => {
    await run(1, 4);
    await run(2, 200);
    expect(told).toEqual([]);
    const long = cell(3);
    checks.runs(long);
    await vi.advanceTimersByTimeAsync(400);
    expect(told).toEqual(['cell-1 checked', 'cell-2 checked', 'cell-3 checked']);
    await checks.ended(long);
    expect(warn).toHaveBeenLastCalledWith('Cell [3]:1:1 - error TS1: wrong\n');
  });

  it('hold up the end of a long cell for a moment only', async () => {
    let answer: (found: []) => void = () => undefined;
    const found = new Promise<[]>((resolve) => {
      answer = resolve;
    });
    checks.language = { ...noting().service, update: () => found };
    const long = cell(1);
    checks.runs(long);
    await vi.advanceTimersByTimeAsync(600);
    let isOver = false;
    const end = checks.ended(long)?.then(() => {
      isOver = true;
    });
    await vi.advanceTimersByTimeAsync(100);
    expect(isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(400);
    expect(isOver).toBe(true);
    answer([]);
    await end;
  });

  it('do not wait for ever', async () => {
    for (let count = 1; told.length === 0 && count < 1000; count++) {
      await run(count, 2);
      await vi.advanceTimersByTimeAsync(2);
    }
    expect(told[0]).toBe('cell-1 checked');
  });

  it('are told of what ran before what asks', async () => {
    await run(1, 1);
    checks.runs({ code: 'let v2 = 1', count: 2 });
    checks.settle();
    expect(told).toEqual(['cell-1 checked', 'cell-2']);
    await run(3, 1);
    await checks.blocking('v3', 4);
    expect(told.slice(2)).toEqual(['cell-3 checked', 'diagnostics']);
    await run(5, 1);
    checks.reset();
    expect(told.slice(4)).toEqual(['cell-5 checked', 'reset']);
  });
});
