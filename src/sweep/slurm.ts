import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DataError, StoreError } from '../core/errors.ts';
import { writeFileAtomic } from '../core/files.ts';
import { makeFolder } from '../core/folders.ts';
import { openArchive } from '../train/store/archive.ts';
import { importArchive } from '../train/store/import-runs.ts';
import type { RunRecord } from '../train/store/record.ts';
import { numbersOf } from '../train/store/record.ts';
import type { RunStore } from '../train/store/run-store.ts';
import type { TaskResult } from './experiments.ts';
import type { TaskOutcome } from './local.ts';
import type { SlurmResources, SweepPlan } from './plan.ts';
import { cancel, queued, type SubmittedJob, submit } from './slurm-client.ts';
import { FAILURE, type TaskLine } from './task-line.ts';
import { workerCommand } from './worker-command.ts';

/*
 * A sweep on a cluster. LMDB must not be shared over a network file system (its locks and its memory
 * map live on one machine), so no task touches the store: each trains in a folder of plain files of
 * its own and leaves its finished run as one file, a shard, which appears whole or not at all.
 * Whoever asks for the sweep collects the shards into the store of the machine where he asks.
 *
 * | in the sweep's folder | holds |
 * | --- | --- |
 * | `job.json` | the plan and the array jobs submitted so far |
 * | `tasks.jsonl` | a line of configuration per task; line i is task i of the array |
 * | `task.sh` | what each task runs |
 * | `logs/` | what the tasks said |
 * | `work/<i>/` | the run under way: checkpoints, from which it resumes on any node |
 * | `shards/<i>.runs` | the finished run |
 */

/** How a task of a sweep on a cluster stands. */
export type TaskState = 'done' | 'queued' | 'running' | 'failed' | 'lost' | 'damaged';

export interface SlurmStatus {
  readonly states: readonly TaskState[];
  /** Why tasks failed or shards are damaged, by task index. */
  readonly reasons: ReadonlyMap<number, string>;
}

interface JobFile {
  readonly format: 1;
  readonly name: string;
  readonly jobs: readonly SubmittedJob[];
}

const RESOURCES: Readonly<Record<string, Required<Pick<SlurmResources, 'time' | 'memory'>>>> = {
  smoke: { time: '0:15:00', memory: '2G' },
  quick: { time: '6:00:00', memory: '2G' },
  paper: { time: '2-00:00:00', memory: '4G' },
};

/** A sweep in its folder, which all nodes of the cluster must see. */
export class SlurmSweep {
  readonly plan: SweepPlan;
  readonly folder: string;
  readonly #checkpointSeconds: number | undefined;

  /** @param folder of this sweep alone, e.g. `data/sweeps/<name>`. */
  constructor(plan: SweepPlan, folder: string, checkpointSeconds?: number) {
    this.plan = plan;
    this.folder = resolve(folder);
    this.#checkpointSeconds = checkpointSeconds;
  }

  /**
   * Submits the tasks that are neither done nor in the queue: all of them at first, later those that
   * failed, were killed or left a damaged shard.
   * @returns the indices of the tasks submitted.
   * @throws StoreError when the folder holds another sweep, or Slurm refuses.
   */
  submit(): number[] {
    this.#prepare();
    const { states } = this.status();
    const tasks = states.flatMap((state, i) =>
      state === 'failed' || state === 'lost' || state === 'damaged' ? [i] : [],
    );
    for (const i of tasks) if (states[i] === 'damaged') this.#setAside(i);
    if (tasks.length === 0) return [];
    const { spec, name } = this.plan;
    const preset = this.plan.tasks[tasks[0]].options.preset ?? 'quick';
    const resources = { ...(RESOURCES[preset] ?? RESOURCES['quick']), ...spec.slurm };
    const job = submit({
      ...resources,
      script: join(this.folder, 'task.sh'),
      tasks,
      name: `gibbs-${name}`,
      log: join(this.folder, 'logs', '%A_%a.log'),
      folder: this.folder,
      options: resources.options ?? [],
    });
    const { jobs } = this.#job();
    this.#write({ format: 1, name, jobs: [...jobs, job] });
    return tasks;
  }

  /** Where every task stands. @throws StoreError when Slurm cannot be asked. */
  status(): SlurmStatus {
    const live = queued(this.#job().jobs);
    const reasons = new Map<number, string>();
    const states = this.plan.tasks.map(({ index }): TaskState => {
      const problem = this.#shardProblem(index);
      if (problem === undefined) return 'done';
      if (problem !== '') {
        reasons.set(index, problem);
        return 'damaged';
      }
      const state = live.get(index);
      if (state !== undefined) return state === 'PENDING' ? 'queued' : 'running';
      const failure = this.#failure(index);
      if (failure === undefined) return 'lost';
      reasons.set(index, failure);
      return 'failed';
    });
    return { states, reasons };
  }

  /** Takes the tasks out of the queue and stops those that run; they keep their checkpoints. */
  cancel(): void {
    cancel(this.#job().jobs);
  }

  /** Takes all whole shards into a store. @throws StoreError as `RunStore.open`. */
  collect(store: RunStore): TaskOutcome[] {
    return this.plan.tasks.flatMap((task): TaskOutcome[] => {
      const problem = this.#shardProblem(task.index);
      if (problem !== undefined) {
        const error = problem === '' ? this.#failure(task.index) : problem;
        return error === undefined ? [] : [{ task, error }];
      }
      const [{ key, outcome }] = importArchive(store, this.#shard(task.index));
      store.update(key, (record) =>
        record && record.labels?.['sweep'] !== this.plan.name
          ? { ...record, labels: { ...record.labels, sweep: this.plan.name } }
          : undefined,
      );
      return [{ task, result: resultOf(store.resolve(key), outcome === 'present') }];
    });
  }

  /** Log files, newest last. */
  logs(): string[] {
    const folder = join(this.folder, 'logs');
    return existsSync(folder)
      ? readdirSync(folder)
          .sort()
          .map((name) => join(folder, name))
      : [];
  }

  #prepare(): void {
    for (const part of ['logs', 'work', 'shards']) makeFolder(join(this.folder, part));
    const { spec, tasks, name } = this.plan;
    const lines = tasks.map(({ index, options }): TaskLine => {
      return {
        index,
        experiment: spec.experiment,
        options,
        root: join(this.folder, 'work', String(index)),
        shard: this.#shard(index),
        labels: { sweep: name },
        checkpointSeconds: this.#checkpointSeconds,
      };
    });
    const content = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    const path = join(this.folder, 'tasks.jsonl');
    if (existsSync(path) && readFileSync(path, 'utf8') !== content) {
      throw new StoreError(
        `${this.folder} holds another sweep; give this one another name, or remove that folder`,
      );
    }
    writeFileAtomic(path, content);
    writeFileAtomic(join(this.folder, 'task.sh'), script(path));
  }

  #job(): JobFile {
    const path = join(this.folder, 'job.json');
    if (!existsSync(path)) return { format: 1, name: this.plan.name, jobs: [] };
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as JobFile;
    } catch (error) {
      throw new DataError(`${path} is damaged; remove it and submit again`, { cause: error });
    }
  }

  #write(job: JobFile): void {
    writeFileAtomic(join(this.folder, 'job.json'), `${JSON.stringify(job, null, 2)}\n`);
  }

  #shard(index: number): string {
    return join(this.folder, 'shards', `${index}.runs`);
  }

  /** undefined: the shard is whole; empty: there is none. */
  #shardProblem(index: number): string | undefined {
    const path = this.#shard(index);
    if (!existsSync(path)) return '';
    try {
      openArchive(path).close();
      return undefined;
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      return error.message;
    }
  }

  #setAside(index: number): void {
    renameSync(this.#shard(index), `${this.#shard(index)}.damaged`);
  }

  #failure(index: number): string | undefined {
    const path = join(this.folder, 'work', String(index), FAILURE);
    if (!existsSync(path)) return undefined;
    try {
      return (JSON.parse(readFileSync(path, 'utf8')) as { error: string }).error.split('\n')[0];
    } catch {
      return 'it failed; its log says why';
    }
  }
}

function script(tasks: string): string {
  const { script: worker, execArgv } = workerCommand();
  const words = [process.execPath, ...execArgv, worker, '--file', tasks];
  const quoted = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  // exec: the signals of Slurm reach the training itself.
  return `#!/bin/bash\nexec ${quoted} --index "$SLURM_ARRAY_TASK_ID"\n`;
}

function resultOf(record: RunRecord, reused: boolean): TaskResult {
  const { key, step, seconds, checksum = '' } = record;
  const metrics = numbersOf(record) as TaskResult['metrics'];
  return { key, metrics, steps: step, seconds, checksum, reused };
}
