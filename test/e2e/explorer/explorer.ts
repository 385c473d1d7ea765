import { type ChildProcess, spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { ROOT } from '../notebook/gibbs.ts';

export interface Viewing {
  readonly child: ChildProcess;
  readonly url: string;
  readonly ended: Promise<number | null>;
}

/** Starts the built `gibbs view` on a store. */
export async function startView(place: string): Promise<Viewing> {
  const main = join(ROOT, 'dist/cli/main.js');
  const child = spawn(process.execPath, [main, 'view', '--store', place, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((done) => child.once('close', done));
  const url = await firstLine(child);
  return { child, ended, url: (JSON.parse(url) as { url: string }).url };
}

export interface Writing {
  readonly child: ChildProcess;
  readonly key: string;
  /** Writes rows. */
  log(rows: number): void;
  /** Ends the run as finished. */
  finish(): void;
}

/** Starts a process that works on a run of a store. */
export async function startWriter(place: string, seed: number): Promise<Writing> {
  const script = resolve(import.meta.dirname, 'writer.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', script, place, String(seed)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const key = await firstLine(child);
  return {
    child,
    key,
    log: (rows) => child.stdin?.write('\n'.repeat(rows)),
    finish: () => child.stdin?.end(),
  };
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((done, fail) => {
    let said = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('\n')) done(said.slice(0, said.indexOf('\n')));
    });
    child.once('exit', (code) => fail(new Error(`it ended with ${code}: ${said}`)));
  });
}
