import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { isInterrupted } from '../core/interrupt.ts';
import type { Progress } from '../train/loop.ts';
import type { TaskResult } from './experiments.ts';
import type { SweepPlan, SweepTask } from './plan.ts';
import { STOPPED, type TaskLine, type TaskMessage } from './task-line.ts';
import { workerCommand } from './worker-command.ts';

/** What became of a task. */
export interface TaskOutcome {
  readonly task: SweepTask;
  readonly result?: TaskResult;
  /** Why it failed, after its second try. */
  readonly error?: string;
}

/** What happens during a sweep, as it happens. */
export interface SweepEvents {
  readonly onProgress?: (task: SweepTask, progress: Progress) => void;
  readonly onNotice?: (task: SweepTask, text: string) => void;
  /** A task begins; `attempt` counts from 1. */
  readonly onStart?: (task: SweepTask, attempt: number) => void;
  readonly onEnd?: (outcome: TaskOutcome) => void;
}

export interface LocalOptions extends SweepEvents {
  /** Place of the store. */
  readonly root: string;
  /** Processes at once, one thread each. Default: as many as there are cores. */
  readonly workers?: number;
  readonly checkpointSeconds?: number;
  readonly signal?: AbortSignal;
}

/** A failure of the task's own is tried once more. */
const TRIES = 2;
/** So is a killed process that got no further than the one before it. */
const KILLED_WITHOUT_PROGRESS = 3;
const INTERRUPT_POLL_MS = 100;

/**
 * Runs the tasks side by side, each in a process of its own, so that one that fails or is killed
 * (memory) leaves the others alone; it is tried once more and goes on from its checkpoint.
 * @returns the outcomes in the order of the tasks; those not begun or not ended before a stop are
 * missing.
 */
export async function runLocally(plan: SweepPlan, options: LocalOptions): Promise<TaskOutcome[]> {
  const { workers = availableParallelism(), onEnd } = options;
  const controller = new AbortController();
  const stop = () => controller.abort();
  options.signal?.addEventListener('abort', stop);
  if (options.signal?.aborted) stop();
  // Stop in a notebook reaches this thread only as a flag.
  const poll = setInterval(() => isInterrupted() && stop(), INTERRUPT_POLL_MS);
  const waiting = [...plan.tasks];
  const outcomes: TaskOutcome[] = [];
  const work = async () => {
    for (let task = waiting.shift(); task && !controller.signal.aborted; task = waiting.shift()) {
      const outcome = await attempt(plan, task, options, controller.signal);
      if (!outcome) return;
      outcomes.push(outcome);
      onEnd?.(outcome);
    }
  };
  try {
    const count = Math.min(Math.max(1, workers), plan.tasks.length);
    await Promise.all(Array.from({ length: count }, work));
  } finally {
    clearInterval(poll);
    options.signal?.removeEventListener('abort', stop);
  }
  return outcomes.sort((a, b) => a.task.index - b.task.index);
}

/** @returns undefined when it was stopped. */
async function attempt(
  plan: SweepPlan,
  task: SweepTask,
  options: LocalOptions,
  signal: AbortSignal,
): Promise<TaskOutcome | undefined> {
  let failed = 0;
  let killed = 0;
  let furthest = 0;
  for (let tries = 1; ; tries++) {
    options.onStart?.(task, tries);
    const end = await runOnce(plan, task, options, signal);
    if (end.result) return { task, result: end.result };
    if (signal.aborted || end.stopped) return undefined;
    killed = end.killed && end.step > furthest ? 0 : killed + 1;
    furthest = Math.max(furthest, end.step);
    if (!end.killed) failed++;
    if (failed >= TRIES || (end.killed && killed >= KILLED_WITHOUT_PROGRESS)) {
      return { task, error: end.error };
    }
    options.onNotice?.(task, `${end.error}; trying once more`);
  }
}

interface End {
  readonly result?: TaskResult;
  readonly stopped: boolean;
  readonly killed: boolean;
  /** The furthest iteration that was heard of. */
  readonly step: number;
  readonly error: string;
}

async function runOnce(
  plan: SweepPlan,
  task: SweepTask,
  options: LocalOptions,
  signal: AbortSignal,
): Promise<End> {
  const { root, checkpointSeconds } = options;
  const line: TaskLine = {
    index: task.index,
    experiment: plan.spec.experiment,
    options: task.options,
    root,
    labels: { sweep: plan.name },
    checkpointSeconds,
  };
  const { script, execArgv } = workerCommand();
  const child = fork(script, ['--line', JSON.stringify(line)], {
    execArgv: [...execArgv],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const stop = () => child.kill('SIGTERM');
  signal.addEventListener('abort', stop);
  let result: TaskResult | undefined;
  let step = 0;
  let said = '';
  child.on('message', (message: TaskMessage) => {
    if ('result' in message) result = message.result;
    else if ('notice' in message) options.onNotice?.(task, message.notice);
    else {
      step = message.progress.step;
      options.onProgress?.(task, message.progress);
    }
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-10_000);
  });
  try {
    if (signal.aborted) stop();
    const code = await exitOf(child);
    return {
      ...(code === 0 && { result }),
      stopped: code === STOPPED,
      killed: typeof code === 'string',
      step,
      error: typeof code === 'string' ? `its process was ended by ${code}` : lastLine(said, code),
    };
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function lastLine(text: string, code: number): string {
  const [first = ''] = text.trim().split('\n');
  return first || `its process ended with ${code}`;
}

function exitOf(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    // After 'exit' the last words on stderr may still be under way.
    child.on('close', (code, killedBy) => resolve(code ?? killedBy ?? 'an unknown signal'));
  });
}
