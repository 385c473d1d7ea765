import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { gibbsVersion } from '../../src/core/versions.ts';
import { CONNECTION_FILE, kernelCommand } from '../../src/notebook/kernel-process.ts';
import type { MissingPeer } from '../lib/bench.ts';
import type { Launch } from './client.ts';

/** A kernel that takes part. */
export interface KernelContestant extends Launch {
  readonly name: string;
  readonly role: 'ours' | 'peer';
  readonly version: string;
}

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../..');
const FOLDER = join(ROOT, '.cache', 'kernel-peers');
const WANTED: Readonly<Record<string, string>> = {
  tslab: '1.0.22',
  deno: '2.9.6',
  '@tensorflow/tfjs': '4.22.0',
};

const modules = (...path: string[]) => join(FOLDER, 'node_modules', ...path);

function versionOf(root: string, name: string): string | undefined {
  const file = join(root, 'node_modules', name, 'package.json');
  if (!existsSync(file)) return undefined;
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** Installs the peers into a folder of their own, unless they are there. */
async function install(): Promise<void> {
  if (Object.entries(WANTED).every(([name, version]) => versionOf(FOLDER, name) === version))
    return;
  mkdirSync(FOLDER, { recursive: true });
  const manifest = { name: 'kernel-peers', private: true, dependencies: WANTED };
  writeFileSync(join(FOLDER, 'package.json'), JSON.stringify(manifest));
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  await run('npm', ['install', ...quiet], { cwd: FOLDER });
}

/** Deno's program itself: through its npm wrapper, a second Node would start first. */
async function denoProgram(): Promise<string> {
  const wrapper = modules('deno', 'bin.cjs');
  await run(process.execPath, [wrapper, '--version']);
  const linked = modules('deno', process.platform === 'win32' ? 'deno.exe' : 'deno');
  if (!existsSync(linked)) throw new Error('its package holds no program for this platform');
  return linked;
}

/**
 * Ours as it is built, and the other TypeScript kernels. All of them find the same TensorFlow.js.
 * @throws StoreError when ours is not built.
 */
export async function kernelContestants(): Promise<{
  contestants: KernelContestant[];
  missing: MissingPeer[];
}> {
  const ours: KernelContestant = {
    name: 'Gibbs',
    role: 'ours',
    version: gibbsVersion(),
    command: kernelCommand(),
    cwd: ROOT,
    interrupt: 'message',
  };
  const contestants = [ours];
  const missing: MissingPeer[] = [];
  const peer = async (name: string, command: () => Promise<string[]> | string[]) => {
    try {
      await install();
      const version = WANTED[name];
      const launch = { command: await command(), cwd: FOLDER, interrupt: 'signal' } as const;
      contestants.push({ name, role: 'peer', version, ...launch });
    } catch (error) {
      const why = (error as Error).message.trim().split('\n').at(-1);
      missing.push({ label: name, hint: `not installed: ${why}` });
    }
  };
  const { execPath } = process;
  await peer('tslab', () => [
    execPath,
    modules('tslab', 'bin', 'tslab'),
    'kernel',
    '--config-path',
    CONNECTION_FILE,
  ]);
  await peer('deno', async () => [
    await denoProgram(),
    'jupyter',
    '--kernel',
    '--conn',
    CONNECTION_FILE,
  ]);
  return { contestants, missing };
}
