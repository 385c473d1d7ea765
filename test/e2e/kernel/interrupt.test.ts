import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KernelClient } from '../../kernel/client.ts';

let kernel: KernelClient;
beforeAll(async () => {
  kernel = await KernelClient.start();
});
afterAll(() => kernel.close());

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs `code`, which prints "go", stops it by `how` and returns what became of it. */
async function stopped(code: string, how: 'message' | 'signal', after = 30) {
  const run = kernel.begin(`console.log('go');\n${code}`);
  await kernel.printed(run.id, 'go');
  await sleep(after);
  if (how === 'message') await kernel.request('interrupt_request', {}, 'control');
  else kernel.child.kill('SIGINT');
  return run.done;
}

const KINDS: Record<string, string> = {
  'a loop': 'while (true) steps++;',
  'an await that never settles': 'steps++; await new Promise(() => {});',
  'a loop of timers': 'while (true) { steps++; await new Promise((r) => setTimeout(r, 5)); }',
  'a loop of microtasks': 'while (true) { steps++; await null; }',
  'a loop after an await': 'await new Promise((r) => setTimeout(r, 5)); while (true) steps++;',
  'a loop in a timer':
    'setTimeout(() => { while (true) steps++; }, 1); await new Promise(() => {});',
  'a loop in a function that catches everything':
    'for (;;) { try { for (let i = 0; i < 1e9; i++) steps++; } catch {} }',
  immediates: 'while (true) { steps++; await new Promise((r) => setImmediate(r)); }',
};

describe('Stop', { timeout: 60_000 }, () => {
  for (const how of ['message', 'signal'] as const) {
    for (const [name, code] of Object.entries(KINDS)) {
      it(`ends ${name} by ${how} and keeps the variables`, async () => {
        await kernel.execute('let steps = 0; const kept = { answer: 42 };');
        const run = await stopped(code, how);
        expect(run.reply['status']).toBe('error');
        expect(run.error?.ename).toBe('InterruptedError');
        expect((await kernel.execute('kept.answer')).result).toBe('42');
        expect(Number((await kernel.execute('steps')).result)).toBeGreaterThan(0);
        const before = (await kernel.execute('steps')).result;
        await sleep(30);
        expect((await kernel.execute('steps')).result).toBe(before);
      });
    }
  }

  it('does nothing to a kernel that is idle', async () => {
    await kernel.request('interrupt_request', {}, 'control');
    kernel.child.kill('SIGINT');
    await sleep(50);
    expect((await kernel.execute('1 + 1')).result).toBe('2');
  });

  it('ends intervals that the cell had started', async () => {
    await kernel.execute('let ticks = 0;');
    const timers = "process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length";
    const others = (await kernel.execute(timers)).result;
    await stopped('setInterval(() => ticks++, 2); await new Promise(() => {});', 'message');
    const before = (await kernel.execute('ticks')).result;
    await sleep(50);
    expect((await kernel.execute('ticks')).result).toBe(before);
    expect((await kernel.execute(timers)).result).toBe(others);
  });

  it('is over for the cell that follows at once', async () => {
    const flag = "Atomics.load(globalThis[Symbol.for('gibbs.interrupt')] as Int32Array, 0)";
    for (let i = 0; i < 10; i++) {
      const run = kernel.begin("console.log('go'); while (true);", { stop_on_error: false });
      const next = kernel.begin(flag);
      await kernel.printed(run.id, 'go');
      await kernel.request('interrupt_request', {}, 'control');
      expect((await run.done).error?.ename).toBe('InterruptedError');
      expect((await next.done).result).toBe('0');
    }
  });

  it('ends a loop inside a package, which no line of the cell is part of', async () => {
    const folder = join(kernel.dir, 'node_modules', 'spinning');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "name": "spinning" }');
    writeFileSync(
      join(folder, 'index.js'),
      `const step = (n) => n + 1;
       exports.spin = () => { for (let n = 0; ; ) n = step(n); };
       exports.turn = async () => { for (let n = 0; ; ) n = await step(n); };`,
    );
    await kernel.execute("import { spin, turn } from 'spinning'; const still = 'there';");
    for (const code of ['spin();', 'await turn();']) {
      const run = await stopped(code, 'message');
      expect(run.error?.ename).toBe('InterruptedError');
      expect((await kernel.execute('still')).result).toBe("'there'");
    }
  });

  it('loses nothing of what was sent behind the cell', async () => {
    await kernel.execute(`const got: unknown[] = [];
      comms.open('late', {}, { id: 'late' }).onMessage = ({ data }) => got.push(data['n']);`);
    const comm = (n: number) =>
      kernel.send('shell', kernel.message('comm_msg', { comm_id: 'late', data: { n } }));
    const run = kernel.begin('while (true);');
    // The first comes with the cell in one piece, or soon after it.
    for (let n = 0; n < 20; n++) await comm(n);
    await sleep(50);
    await kernel.request('interrupt_request', {}, 'control');
    expect((await run.done).error?.ename).toBe('InterruptedError');
    const all = Array.from({ length: 20 }, (_, n) => n).join();
    expect((await kernel.execute('got.join()')).result).toBe(`'${all}'`);
  });

  it('reaches a child process that the cell waits for', async () => {
    const run = await stopped(
      "const { execSync } = await import('node:child_process'); execSync('sleep 30');",
      'message',
    );
    expect(run.reply['status']).toBe('error');
    expect((await kernel.execute('1 + 1')).result).toBe('2');
  });

  it('lets a shielded section finish first', async () => {
    const run = await stopped(
      `const words = globalThis[Symbol.for('gibbs.interrupt')] as Int32Array;
       Atomics.add(words, 1, 1);
       const end = performance.now() + 300;
       while (performance.now() < end);
       const finished = true;
       Atomics.sub(words, 1, 1);
       while (true);`,
      'message',
    );
    expect(run.error?.ename).toBe('InterruptedError');
    expect((await kernel.execute('finished')).result).toBe('true');
  });

  it('works again and again', async () => {
    await kernel.execute('let n = 0; const mark = Symbol("same");');
    for (let i = 0; i < 20; i++) {
      const run = await stopped('n++; while (true);', i % 2 ? 'message' : 'signal', 5 + i * 2);
      expect(run.error?.ename).toBe('InterruptedError');
    }
    expect((await kernel.execute('[n, String(mark)]')).result).toBe("[ 20, 'Symbol(same)' ]");
  });
});
