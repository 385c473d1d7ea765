import { type SpawnSyncOptionsWithStringEncoding, spawnSync } from 'node:child_process';
import { runNative } from '../../../core/interrupt.ts';

export interface CompilerRun {
  readonly stdout: string;
  readonly stderr: string;
  /** Absent when the program ended with exit code 0. */
  readonly failure?: {
    readonly kind: 'absent' | 'status' | 'killed';
    /** One line for a message. */
    readonly text: string;
  };
}

/** Runs a program to its end; it and what it started are killed when it takes too long. */
export function runCompiler(
  command: string,
  args: readonly string[],
  { timeoutMs, cwd }: { readonly timeoutMs: number; readonly cwd?: string },
): CompilerRun {
  const options: SpawnSyncOptionsWithStringEncoding & { detached: boolean } = {
    cwd,
    encoding: 'utf8',
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: 1 << 24,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C', ...(cwd !== undefined && { TMPDIR: cwd }) },
    // A group of its own: a compiler driver that is killed leaves the compiler proper running.
    detached: true,
  };
  const result = runNative(() => spawnSync(command, args, options));
  const output = { stdout: result.stdout ?? '', stderr: result.stderr ?? '' };
  const code = (result.error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ETIMEDOUT') {
    killGroup(result.pid);
    const text = `took longer than ${timeoutMs / 1000} s and was stopped`;
    return { ...output, failure: { kind: 'killed', text } };
  }
  if (result.error !== undefined) {
    return { ...output, failure: { kind: 'absent', text: result.error.message } };
  }
  if (result.signal !== null) {
    return { ...output, failure: { kind: 'killed', text: `was killed by ${result.signal}` } };
  }
  if (result.status !== 0) {
    const text = firstError(output.stderr) ?? `ended with exit code ${result.status}`;
    const kind = /\bkilled\b.*\bsignal\b|signal.*terminated program/i.test(output.stderr)
      ? 'killed'
      : 'status';
    return { ...output, failure: { kind, text } };
  }
  return output;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}

function firstError(stderr: string): string | undefined {
  const lines = stderr.split('\n').map((line) => line.trim());
  return lines.find((line) => /\berror\b/i.test(line)) ?? lines.find((line) => line !== '');
}
