import { type ChildProcess, fork } from 'node:child_process';
import { GibbsError, InterruptedError } from '../core/errors.ts';
import type { Progress } from '../train/loop.ts';

/** What a worker process says while it works. */
export type WorkerMessage = { readonly progress: Progress } | { readonly notice: string };

/** One command line of this program, run in a process of its own. */
export interface Job {
  readonly name: string;
  readonly argv: readonly string[];
}

export interface WorkerOptions {
  /** Processes at once. */
  readonly parallel: number;
  readonly signal: AbortSignal;
  readonly onMessage: (job: Job, message: WorkerMessage) => void;
}

/**
 * Runs jobs side by side, each in a process of its own (one engine thread each uses a machine
 * better than one engine with many).
 * @throws the first failure, once all running jobs have ended; InterruptedError when stopped, after
 * every job has written its checkpoint.
 */
export async function runJobs(jobs: readonly Job[], options: WorkerOptions): Promise<void> {
  const waiting = [...jobs];
  const failures: unknown[] = [];
  const worker = async () => {
    while (failures.length === 0 && !options.signal.aborted) {
      const job = waiting.shift();
      if (!job) return;
      await runJob(job, options).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, options.parallel) }, worker));
  if (options.signal.aborted) {
    throw new InterruptedError(
      'stopped; checkpoints are kept, the same command goes on from there',
    );
  }
  if (failures.length > 0) throw failures[0];
}

async function runJob(job: Job, { signal, onMessage }: WorkerOptions): Promise<void> {
  const child = fork(process.argv[1], [...job.argv], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const stop = () => child.kill('SIGTERM');
  signal.addEventListener('abort', stop);
  child.on('message', (message) => onMessage(job, message as WorkerMessage));
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  try {
    const code = await exitOf(child);
    if (code === 0 || signal.aborted) return;
    const said = errors
      .trim()
      .split('\n')
      .at(-1)
      ?.replace(/^gibbs: /, '');
    throw new GibbsError('worker', `${job.name}: ${said || `its process ended with ${code}`}`);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function exitOf(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    // After 'exit' the last words on stderr may still be under way.
    child.on('close', (code, killedBy) => resolve(code ?? killedBy ?? 'no exit code'));
  });
}
