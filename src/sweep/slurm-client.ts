import { spawnSync } from 'node:child_process';
import { ConfigError, StoreError } from '../core/errors.ts';

/** The array job of a submission, and which tasks of the sweep are in it. */
export interface SubmittedJob {
  readonly id: string;
  /** Indices of the tasks, which are those of the array. */
  readonly tasks: readonly number[];
}

export interface Submission {
  readonly script: string;
  readonly tasks: readonly number[];
  readonly name: string;
  /** Pattern of the log files, `%A`: job, `%a`: task. */
  readonly log: string;
  readonly folder: string;
  readonly time: string;
  readonly memory: string;
  readonly partition?: string;
  readonly account?: string;
  readonly atOnce?: number;
  readonly options: readonly string[];
}

/**
 * Hands an array job to Slurm.
 * @throws ConfigError when Slurm is not installed; StoreError with Slurm's words when it refuses.
 */
export function submit(submission: Submission): SubmittedJob {
  const { script, tasks, name, log, folder, time, memory, partition, account } = submission;
  const limit = submission.atOnce === undefined ? '' : `%${submission.atOnce}`;
  const said = slurm('sbatch', [
    ...['--parsable', `--array=${ranges(tasks)}${limit}`, `--job-name=${name}`],
    ...[`--output=${log}`, `--chdir=${folder}`, `--time=${time}`, `--mem=${memory}`],
    // One engine thread each. A minute before its time is up a task is told, and keeps its state.
    ...['--ntasks=1', '--cpus-per-task=1', '--signal=B:TERM@60'],
    // A node that fails puts its tasks back into the queue; they go on from their checkpoint.
    '--requeue',
    ...(partition === undefined ? [] : [`--partition=${partition}`]),
    ...(account === undefined ? [] : [`--account=${account}`]),
    ...submission.options,
    script,
  ]);
  const id = /^\d+/.exec(said.trim())?.[0];
  if (id === undefined) throw new StoreError(`sbatch answered '${said.trim()}', not a job number`);
  return { id, tasks };
}

/** States of the array tasks of jobs that Slurm still has in its queue, by task index. */
export function queued(jobs: readonly SubmittedJob[]): Map<number, string> {
  const states = new Map<number, string>();
  for (const { id } of jobs) {
    for (const line of ask(id)) {
      const [task = '', state = ''] = line.split(' ');
      if (LIVE.includes(state)) states.set(Number(task), state);
    }
  }
  return states;
}

/** Cancels jobs; those that have ended are passed over. */
export function cancel(jobs: readonly SubmittedJob[]): void {
  for (const { id } of jobs) slurm('scancel', [id]);
}

/** Every state in which a task may still do something. */
const LIVE = [
  'PENDING',
  'RUNNING',
  'CONFIGURING',
  'COMPLETING',
  'SUSPENDED',
  'REQUEUED',
  'REQUEUE_HOLD',
  'RESIZING',
  'SIGNALING',
  'STAGE_OUT',
  'STOPPED',
];

function ask(id: string): string[] {
  try {
    const out = slurm('squeue', ['--noheader', '--array', `--jobs=${id}`, '--format=%K %T']);
    return out.split('\n').filter((line) => line.trim() !== '');
  } catch (error) {
    // A job that ended a while ago is unknown to the scheduler.
    if (error instanceof StoreError && /Invalid job id/.test(error.message)) return [];
    throw error;
  }
}

function slurm(command: string, args: readonly string[]): string {
  const { error, status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
    throw new ConfigError(
      `${command} is not on this machine: sweeps on Slurm are started where its commands are (Debian: apt-get install slurm-client), or run without --on slurm`,
    );
  }
  if (error || status !== 0) {
    const [said = ''] = (stderr || error?.message || '').trim().split('\n');
    throw new StoreError(`${command} failed: ${said || `exit status ${status}`}`, {
      cause: error,
    });
  }
  return stdout;
}

/** `0-3,5,7-8`. */
export function ranges(tasks: readonly number[]): string {
  const sorted = [...tasks].sort((a, b) => a - b);
  const runs: [number, number][] = [];
  for (const task of sorted) {
    const last = runs.at(-1);
    if (last && task === last[1] + 1) last[1] = task;
    else runs.push([task, task]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}
