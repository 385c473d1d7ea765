import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Resolves when stderr has shown the pattern, or the process has ended. */
  saw(pattern: RegExp): Promise<void>;
}

/** Starts the command line from its source in a process of its own. */
export function startGibbs(args: readonly string[], env: Record<string, string> = {}): Started {
  const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const finished = new Promise<Finished>((done, fail) => {
    child.on('error', fail);
    child.on('close', (code, signal) => done({ code, signal, stdout, stderr }));
  });
  const saw = (pattern: RegExp) =>
    new Promise<void>((done) => {
      const look = () => pattern.test(stderr) && done();
      child.stderr?.on('data', look);
      child.on('close', () => done());
      look();
    });
  return { child, finished, saw };
}

export function gibbs(args: readonly string[], env?: Record<string, string>): Promise<Finished> {
  return startGibbs(args, env).finished;
}
