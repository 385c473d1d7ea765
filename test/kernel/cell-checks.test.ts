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

  it('wait while one short cell follows the other, and keep their order', async () => {
    for (const count of [1, 2, 3]) {
      checks.ended(cell(count));
      vi.advanceTimersByTime(4);
    }
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(20);
    expect(told).toEqual(['cell-1 checked', 'cell-2 checked', 'cell-3 checked']);
    expect(warn.mock.calls).toEqual([1, 2, 3].map((n) => [`Cell [${n}]:1:1 - error TS1: wrong\n`]));
  });

  it('do not wait for ever', () => {
    for (let count = 1; told.length === 0 && count < 1000; count++) {
      checks.ended(cell(count));
      vi.advanceTimersByTime(4);
    }
    expect(told[0]).toBe('cell-1 checked');
  });

  it('are told of what ended before what asks', async () => {
    checks.ended(cell(1));
    checks.runs({ code: 'let v2 = 1', count: 2 });
    expect(told).toEqual(['cell-1 checked', 'cell-2']);
    checks.ended(cell(3));
    await checks.blocking('v3', 4);
    expect(told.slice(2)).toEqual(['cell-3 checked', 'diagnostics']);
    checks.ended(cell(5));
    checks.reset();
    expect(told.slice(4)).toEqual(['cell-5 checked', 'reset']);
  });
});
