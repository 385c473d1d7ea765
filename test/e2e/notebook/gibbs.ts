import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../../..');

/** Compiles `dist`, which kernels and their threads are started from. */
export function build(): void {
  execFileSync('npm', ['run', '-s', 'build'], { cwd: ROOT, stdio: 'inherit' });
}

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built `gibbs`; `onStart` gets the process and everything it has written to stderr. */
export function gibbs(
  args: readonly string[],
  onStart?: (child: ChildProcess, stderr: () => string) => void,
): Promise<Ended> {
  const child = spawn(process.execPath, [join(ROOT, 'dist/cli/main.js'), ...args]);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  onStart?.(child, () => stderr);
  return new Promise((done) => child.once('close', (status) => done({ status, stdout, stderr })));
}
