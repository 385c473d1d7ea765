import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Started } from '../../cli/gibbs.ts';

const MAIN = resolve(import.meta.dirname, '../../../src/cli/main.ts');
const GIBBS = [process.execPath, '--import', 'tsx', MAIN];

/** Why no MPI job can be started here; undefined when one can. */
export function missingMpi(): string | undefined {
  if (process.platform === 'win32') return 'mpirun of Open MPI is not there for Windows';
  if (spawnSync('mpirun', ['--version']).status === 0) return undefined;
  return 'no mpirun: bash test/e2e/install.sh';
}

/** Starts one MPI job of command lines of Gibbs, one for each of its processes. */
export function startJob(
  processes: readonly (readonly string[])[],
  env: Record<string, string> = {},
): Started {
  // Processes of a test share its few cores with others: no core is theirs alone.
  const shared = ['--oversubscribe', '--bind-to', 'none', '--allow-run-as-root'];
  const commands = processes.flatMap((args, i) => [
    ...(i === 0 ? [] : [':']),
    ...['-n', '1', ...GIBBS, ...args],
  ]);
  const child = spawn('mpirun', [...shared, ...commands], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const finished = new Promise<Awaited<Started['finished']>>((done, fail) => {
    child.on('error', fail);
    child.on('close', (code, signal) => done({ code, signal, stdout, stderr }));
  });
  const saw = (pattern: RegExp) =>
    new Promise<void>((done, fail) => {
      const look = () => pattern.test(stderr) && done();
      child.stderr.on('data', look);
      child.on('close', () => fail(new Error(`ended without saying ${pattern}: ${stderr}`)));
      look();
    });
  return { child, finished, saw };
}

/** The same command line as `count` processes. */
export const times = (count: number, args: readonly string[]) =>
  Array.from({ length: count }, () => args);

/** The process of a rank among the children of `mpirun`. */
export function processOfRank(mpirun: number, rank: number): number {
  for (const name of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
    try {
      const parent = / (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1])?.[1];
      const environment = readFileSync(`/proc/${name}/environ`, 'utf8').split('\0');
      const is = environment.includes(`OMPI_COMM_WORLD_RANK=${rank}`);
      if (Number(parent) === mpirun && is) return Number(name);
    } catch {
      // It has ended since.
    }
  }
  throw new Error(`rank ${rank} of mpirun ${mpirun} is not running`);
}
