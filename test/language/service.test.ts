import { EventEmitter } from 'node:events';
import { afterAll, describe, expect, it } from 'vitest';
import { createLanguageService, type Diagnostic } from '../../src/kernel/language/index.ts';
import type { Thread } from '../../src/kernel/language/language-service.ts';

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
  });
});

/** A thread that answers when the test says so. */
class FakeThread extends EventEmitter implements Thread {
  readonly asked: { id: number; request: { kind: string; code?: string } }[] = [];
  terminated = false;
  postMessage(message: (typeof this.asked)[number]): void {
    this.asked.push(message);
  }
  answer(result: unknown): void {
    this.emit('message', { id: this.asked.at(-1)?.id, result });
  }
  /** Answers everything up to the question whose code is `code`. */
  upTo(code: string): void {
    for (let i = 0; i < 100 && this.asked.at(-1)?.request.code !== code; i++)
      this.answer(undefined);
  }
  get said(): string[] {
    return this.asked.map(({ request }) => `${request.kind} ${request.code ?? ''}`.trim());
  }
  ref(): void {}
  unref(): void {}
  terminate(): void {
    this.terminated = true;
  }
}

describe('the queue before the thread', () => {
  const begin = () => {
    const threads: FakeThread[] = [];
    const told: string[] = [];
    const fake = createLanguageService({ cwd: '.', onFailure: (m) => told.push(m) }, () => {
      threads.push(new FakeThread());
      return threads[threads.length - 1];
    });
    return { fake, threads, told };
  };
  const finding = (message: string): Diagnostic => ({
    ...{ code: 1, category: 'error', start: 0, end: 0, line: 1, column: 1 },
    message,
  });

  it('sends one question at a time, in order', async () => {
    const { fake, threads } = begin();
    fake.update('c', 'a', 1);
    const asked = fake.diagnostics('b');
    expect(threads[0].said).toEqual(['warm']);
    threads[0].answer(undefined);
    expect(threads[0].said).toEqual(['warm', 'update a']);
    threads[0].answer(undefined);
    expect(threads[0].said).toEqual(['warm', 'update a', 'diagnostics b']);
    threads[0].answer([finding('found')]);
    expect(await asked).toEqual([finding('found')]);
  });

  it('drops what is stale before it is sent, and does not wait for it when it runs', async () => {
    const { fake, threads } = begin();
    threads[0].answer(undefined);
    const running = fake.diagnostics('1', { cellId: 'c' });
    const waiting = fake.diagnostics('2', { cellId: 'c' });
    const last = fake.diagnostics('3', { cellId: 'c' });
    expect(await Promise.all([running, waiting])).toEqual([[], []]);
    threads[0].answer([finding('late')]);
    expect(threads[0].said).toEqual(['warm', 'diagnostics 1', 'diagnostics 3']);
    threads[0].answer([finding('third')]);
    expect(await last).toEqual([finding('third')]);
  });

  it('starts a new thread after a crash, with the cells it knew, and goes on', async () => {
    const { fake, threads, told } = begin();
    fake.update('c', 'known', 1);
    const fatal = fake.diagnostics('fatal');
    const next = fake.diagnostics('next');
    threads[0].upTo('fatal');
    threads[0].emit('error', new Error('out of memory'));
    threads[0].emit('exit');
    expect(await fatal).toEqual([]);
    expect(told).toEqual(['Error: out of memory']);
    threads[1].upTo('next');
    expect(threads[1].said).toEqual(['update known', 'diagnostics next']);
    threads[1].answer([finding('ok')]);
    expect(await next).toEqual([finding('ok')]);
  });

  it('gives up a thread that dies again and again, and answers all the same', async () => {
    const { fake, threads } = begin();
    for (let i = 0; i < 4; i++) threads[i].emit('exit');
    expect(threads).toHaveLength(4);
    expect(await fake.diagnostics('x')).toEqual([]);
    expect(await fake.inspect('x', 0)).toBeNull();
    expect((await fake.complete('x', 0)).matches).toEqual([]);
  });

  it('answers an internal failure with nothing found, and tells of it', async () => {
    const { fake, threads, told } = begin();
    const asked = fake.diagnostics('x');
    threads[0].upTo('x');
    threads[0].emit('message', { id: threads[0].asked.at(-1)?.id, failure: 'TypeError: inside' });
    expect(await asked).toEqual([]);
    expect(told).toEqual(['TypeError: inside']);
    fake.dispose();
    expect(threads[0].terminated).toBe(true);
  });
});
