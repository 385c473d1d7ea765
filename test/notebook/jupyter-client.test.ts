import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StoreError } from '../../src/core/errors.ts';
import type { OutputMessage } from '../../src/notebook/collector.ts';
import { startKernel } from '../../src/notebook/jupyter-client.ts';
import type { KernelClient } from '../../src/notebook/kernel-client.ts';
import { CONNECTION_FILE } from '../../src/notebook/kernel-process.ts';
import { temporaryFolder } from './fixtures.ts';

const script = join(import.meta.dirname, 'fake-kernel.mjs');
const command = [process.execPath, script, CONNECTION_FILE];
const temporary = temporaryFolder();
const folders = () => readdirSync(temporary);
beforeEach(() => vi.stubEnv('TMPDIR', temporary));

let client: KernelClient | undefined;
const start = async (with_: readonly string[] = command) => {
  client = await startKernel(import.meta.dirname, with_);
  return client;
};
afterEach(async () => {
  await client?.shutdown();
  client = undefined;
  vi.unstubAllEnvs();
});

async function run(kernel: KernelClient, code: string) {
  const messages: OutputMessage[] = [];
  const reply = await kernel.execute(code, 'id', (m) => messages.push(m));
  return { reply, text: messages.map((m) => m.content['text']) };
}

describe('the client of a kernel', () => {
  it('runs cells and has every output when a cell is done', async () => {
    const kernel = await start();
    expect(kernel.languageInfo).toEqual({ name: 'fake' });
    expect(await run(kernel, 'print')).toEqual({
      reply: { status: 'ok', executionCount: 7 },
      text: ['print\n'],
    });
    for (let i = 0; i < 20; i++)
      expect((await run(kernel, 'late')).text).toEqual(['late\n', 'late']);
  });

  it('interrupts a cell and goes on', async () => {
    const kernel = await start();
    const running = run(kernel, 'forever');
    setTimeout(() => void kernel.interrupt(), 20);
    expect((await running).reply).toEqual({
      status: 'error',
      ename: 'KeyboardInterrupt',
      evalue: 'stop',
      traceback: ['tb'],
    });
    expect((await run(kernel, 'next')).reply.status).toBe('ok');
  });

  it('says that a kernel has died, with its last words', async () => {
    const kernel = await start();
    const dying = run(kernel, 'die');
    await expect(dying).rejects.toThrow(StoreError);
    await expect(dying).rejects.toThrow(/died: .*code 139.*segmentation fault, they say/s);
    await expect(run(kernel, 'print')).rejects.toThrow(/died/);
  });

  it('refuses messages that the kernel did not sign', async () => {
    const kernel = await start();
    await expect(run(kernel, 'forged')).rejects.toThrow(/wrong signature/);
  });

  it('says why a kernel did not start, and leaves nothing behind', async () => {
    vi.stubEnv('FAKE_KERNEL', 'broken');
    await expect(start()).rejects.toThrow(/exited with code 3.*cannot find my libraries/s);
    await expect(start(['/no/such/program'])).rejects.toThrow(/could not be started/);
    expect(folders()).toEqual([]);
  });

  it('removes the connection file when it ends', async () => {
    const kernel = await start();
    const [own] = folders();
    expect(existsSync(join(temporary, own, 'connection.json'))).toBe(true);
    await kernel.shutdown();
    expect(folders()).toEqual([]);
  });

  it('reaches its kernel over TCP where a path would be too long for a socket', async () => {
    const deep = join(temporary, 'd'.repeat(100));
    mkdirSync(deep);
    vi.stubEnv('TMPDIR', deep);
    expect((await run(await start(), 'print')).reply.status).toBe('ok');
  });
});
