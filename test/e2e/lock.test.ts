import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const LOCK = resolve(import.meta.dirname, '../../src/train/lock.ts');

/** Waits for the common moment, tries to take the lock, holds it, says how it went. */
const SCRIPT = `
  const [path] = process.argv.slice(1);
  const { LockFile } = await import(${JSON.stringify(LOCK)});
  console.log('ready');
  await new Promise((go) => process.stdin.once('data', go));
  try {
    const lock = LockFile.acquire(path, 'the run');
    await new Promise((done) => setTimeout(done, 1500));
    console.log(lock.held() ? 'held' : 'lost');
  } catch (error) {
    console.log(/already being worked on by process/.test(error.message) ? 'refused' : error.stack);
  }
  process.exit();
`;

function contender(path: string) {
  const args = ['--import', 'tsx', '--input-type=module', '-e', SCRIPT, path];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  let out = '';
  let ready = () => {};
  const isReady = new Promise<void>((done) => {
    ready = done;
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    if (out.includes('ready')) ready();
  });
  const result = new Promise<string>((done) => {
    child.on('close', () => done(out.replace('ready', '').trim()));
  });
  return { isReady, go: () => child.stdin.write('go\n'), result };
}

describe('a lock left behind by a dead process', () => {
  it('goes to exactly one of those who want it at once', async () => {
    const root = mkdtempSync(join(tmpdir(), 'gibbs-lock-'));
    try {
      const path = join(root, 'lock');
      const dead = { pid: 2 ** 22 - 1, host: hostname(), start: 'then', since: 'then' };
      writeFileSync(path, JSON.stringify(dead));
      const contenders = Array.from({ length: 8 }, () => contender(path));
      await Promise.all(contenders.map(({ isReady }) => isReady));
      for (const { go } of contenders) go();
      const results = await Promise.all(contenders.map(({ result }) => result));
      expect(results.sort()).toEqual(['held', ...new Array(7).fill('refused')]);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
});
