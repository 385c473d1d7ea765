import { afterAll, describe, expect, it } from 'vitest';
import { createLanguageService } from '../../src/kernel/language/index.ts';

const failures: string[] = [];
const service = createLanguageService({
  cwd: import.meta.dirname,
  onFailure: (message) => failures.push(message),
});
afterAll(() => service.dispose());

describe('the language service in its thread', () => {
  it('answers in the order it was asked, and sees what ran in between', async () => {
    const order: string[] = [];
    const asked = [
      service.diagnostics('later').then((d) => order.push(`before: ${d[0]?.code}`)),
      service.inspect('later', 1).then((text) => order.push(`inspect: ${text}`)),
    ];
    service.update('a', 'const later = 1;', 1);
    asked.push(service.diagnostics('later').then((d) => order.push(`after: ${d.length}`)));
    await Promise.all(asked);
    expect(order).toEqual(['before: 2304', expect.stringMatching('^inspect: '), 'after: 0']);
  });

  it('does not hold up the caller', async () => {
    let settled = false;
    const answer = service.diagnostics('const s: string = 1').then((found) => {
      settled = true;
      return found;
    });
    await Promise.resolve();
    expect(settled).toBe(false);
    expect(await answer).toHaveLength(1);
  });

  it('drops a question that a newer one about the same cell has made stale', async () => {
    const old = service.diagnostics('const s: string = 1', { cellId: 'x' });
    const other = service.diagnostics('const s: string = 1', { cellId: 'y' });
    const newer = service.diagnostics('const s: number = "a"', { cellId: 'x' });
    expect(await old).toEqual([]);
    expect((await other)[0]?.message).toMatch(/number.*string/);
    expect((await newer)[0]?.message).toMatch(/string.*number/);
  });

  it('gives up a question whose signal is aborted', async () => {
    const controller = new AbortController();
    const running = service.complete('Math.', 5);
    const waiting = service.diagnostics('nothing', { signal: controller.signal });
    controller.abort();
    expect(await waiting).toEqual([]);
    expect(await service.diagnostics('nothing', { signal: AbortSignal.abort() })).toEqual([]);
    expect((await running).matches).toContain('max');
  });

  it('forgets the cells on reset', async () => {
    service.update('a', 'const gone = 1;', 2);
    expect(await service.diagnostics('gone')).toEqual([]);
    service.reset();
    expect((await service.diagnostics('gone')).map((d) => d.code)).toEqual([2304]);
  });

  it('survives positions outside the code and code that is none', async () => {
    expect(await service.inspect('abc', 99)).toBeNull();
    expect((await service.complete('\0\ud800(', -5)).start).toBe(0);
    expect((await service.diagnostics('\0\ud800(')).length).toBeGreaterThan(0);
    expect(failures).toEqual([]);
  });

  it('answers every open question when it is disposed of', async () => {
    const short = createLanguageService({ cwd: import.meta.dirname });
    const open = [short.diagnostics('nothing'), short.inspect('a', 0), short.complete('M', 1)];
    short.dispose();
    short.dispose();
    expect(await Promise.all(open)).toEqual([[], null, expect.objectContaining({ matches: [] })]);
    expect(await short.diagnostics('nothing')).toEqual([]);
    short.update('a', '1', 1);
    expect(short.isComplete('f(').status).toBe('incomplete');
  });

  it('leaves a notebook without a type checker when the thread cannot live', async () => {
    const told: string[] = [];
    // A folder that cannot be one makes the thread fail each time it starts.
    const broken = createLanguageService({
      cwd: 5 as unknown as string,
      onFailure: (message) => told.push(message),
    });
    expect(await broken.diagnostics('const s: string = 1')).toEqual([]);
    expect(await broken.complete('Math.', 5)).toMatchObject({ matches: [] });
    expect(told.length).toBeGreaterThan(0);
    broken.dispose();
  });
});
