import type { Progress } from '../train/loop.ts';
import type { TaskResult } from './experiments.ts';
import type { TaskOptions } from './plan.ts';

/** One task of a sweep, as a line of JSON. */
export interface TaskLine {
  readonly index: number;
  readonly experiment: string;
  readonly options: TaskOptions;
  /** The store, or the task's own folder of plain files. */
  readonly root: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly checkpointSeconds?: number;
  /** Where to leave the finished run as one file; then `root` needs no store. */
  readonly shard?: string;
}

/** What a worker tells the process that started it. */
export type TaskMessage =
  | { readonly progress: Progress }
  | { readonly notice: string }
  | { readonly result: TaskResult };

/** Exit code of a worker that was stopped and left a checkpoint. */
export const STOPPED = 130;

/** What a task leaves in its folder when it fails. */
export const FAILURE = 'failure.json';
