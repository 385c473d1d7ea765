import { createHash } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { join } from 'node:path';
import { ConfigError, DataError, StoreError } from '../core/errors.ts';
import { toStoreError, writeFileAtomic } from '../core/files.ts';
import { makeFolder } from '../core/folders.ts';
import type { HostState } from '../objectives/objective.ts';
import {
  type Checkpoint,
  checkpointFiles,
  readLatestCheckpoint,
  type StoredCheckpoint,
  writeCheckpoint,
} from './checkpoint.ts';
import { LockFile } from './lock.ts';

/** One line of the metric series: means since the row before. */
export interface MetricsRow {
  readonly step: number;
  readonly [metric: string]: number;
}

/** What the training loop needs of a place to keep a run. */
export interface TrainingRun {
  /** The state to go on from, or undefined to start; metrics after it are forgotten. */
  restore(template: HostState): Checkpoint | undefined;
  save(checkpoint: Checkpoint): void;
  log(row: MetricsRow): void;
}

/** What a run is: equal identities are the same run and give the same numbers. */
export interface RunIdentity {
  /** e.g. `'toy'`. */
  readonly experiment: string;
  /** The resolved configuration, plain JSON, without the seed. */
  readonly config: unknown;
  readonly seed: number;
  /** Version of the code that computes it (see code-version.ts); absent for a run of before. */
  readonly code?: string;
}

/** A run under way, wherever it is kept. One process at a time works on it. */
export interface OpenRun extends TrainingRun {
  readonly key: string;
  /** Folder of its arrays. */
  readonly folder: string;
  /** The metric series so far. */
  metrics(): MetricsRow[];
  /** A file of the run's folder, written atomically (arrays beside the result). */
  write(name: string, content: string | Uint8Array | readonly Uint8Array[]): void;
  /** Marks the run as finished: from now on its result is reused. */
  finish(result: object): void;
  /** Gives the run back; `error` is what ended it before its time. */
  close(error?: unknown): void;
}

export interface OpenRunOptions extends RunIdentity {
  /** The folder of all runs. */
  readonly root: string;
  /** Forgets what is there and starts over. */
  readonly fresh?: boolean;
  /** Insists that there is something to resume (without it, resuming is automatic). */
  readonly resume?: boolean;
  /** Parts that each batch is worked off in, for the record of the environment. Default 1. */
  readonly parts?: number;
  /** Told to the user: where the run resumes, a damaged checkpoint, metrics cut off. */
  readonly onNotice?: (text: string) => void;
}

export const RESULT = 'result.json';
export const METRICS = 'metrics.jsonl';
export const CONFIG = 'config.json';
export const LOCK = 'lock';

/** Temporary files that a killed process left behind. */
const TORN = /^\..+\.tmp$/;

/** JSON with sorted keys: equal values give equal texts. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, v: unknown) =>
    typeof v === 'object' && v !== null && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  );
}

/**
 * `<experiment>/<hash>-s<seed>`: the name of a run, and of its folder below the root. The hash is of
 * experiment, configuration, seed and code version; without a code version, of the first two.
 */
export function runKey({ experiment, config, seed, code }: RunIdentity): string {
  const whole = code === undefined ? { experiment, config } : { experiment, config, seed, code };
  const content = canonicalJson(whole);
  const hash = createHash('sha256').update(content).digest('hex');
  return `${experiment}/${hash.slice(0, 12)}-s${seed}`;
}

/** A finished run's result, or undefined when the run is new, dead or still under way. */
export function finishedResult(root: string, identity: RunIdentity): unknown {
  const path = join(root, runKey(identity), RESULT);
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw toStoreError(error, 'read', path);
    throw new DataError(`${path} is damaged; train the run again with --fresh`, { cause: error });
  }
}

/**
 * A run as a folder of plain files: config.json, metrics.jsonl, checkpoints, result.json. It needs
 * no database, so it is how a task of a cluster keeps its run on a network file system (a shard),
 * and how results that come with the project lie in it.
 */
export class RunFolder implements OpenRun {
  readonly folder: string;
  readonly key: string;
  readonly #lock: LockFile;
  readonly #identity: RunIdentity;
  readonly #notice: (text: string) => void;

  private constructor(options: OpenRunOptions, lock: LockFile) {
    this.key = runKey(options);
    this.folder = join(options.root, this.key);
    this.#lock = lock;
    this.#identity = options;
    this.#notice = options.onNotice ?? (() => {});
  }

  /**
   * Makes or finds the run's folder and locks it.
   * @throws StoreError when the folder cannot be written or another process works on the run.
   * @throws ConfigError when `resume` is asked for and there is nothing to resume.
   */
  static open(options: OpenRunOptions): RunFolder {
    const key = runKey(options);
    const folder = join(options.root, key);
    if (options.fresh && options.resume) {
      throw new ConfigError('a run can be resumed or started fresh, not both');
    }
    if (options.resume && checkpointFiles(folder).length === 0) {
      throw new ConfigError(`nothing to resume: no checkpoint in ${folder}`);
    }
    makeFolder(folder);
    const lock = LockFile.acquire(join(folder, LOCK), `run ${key}`);
    try {
      removeFrom(folder, (name) => (options.fresh ? !name.startsWith(LOCK) : TORN.test(name)));
      const run = new RunFolder(options, lock);
      run.#describe();
      return run;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  restore(template: HostState): Checkpoint | undefined {
    const found = readLatestCheckpoint(this.folder, template, this.#notice);
    this.#cutMetrics(found?.metricsBytes ?? 0);
    if (found && found.step > 0) this.#notice(`resuming at iteration ${found.step}`);
    return found;
  }

  save(checkpoint: Checkpoint): void {
    if (!this.#lock.held()) {
      throw new StoreError(`run ${this.key} was taken over by another process; stopping`);
    }
    const stored: StoredCheckpoint = { ...checkpoint, metricsBytes: this.#metricsBytes() };
    const { experiment, config, seed } = this.#identity;
    writeCheckpoint(this.folder, stored, {
      experiment,
      config: canonicalJson(config),
      seed: String(seed),
    });
  }

  log(row: MetricsRow): void {
    const path = join(this.folder, METRICS);
    try {
      appendFileSync(path, `${JSON.stringify(row)}\n`);
    } catch (error) {
      throw toStoreError(error, 'write', path);
    }
  }

  metrics(): MetricsRow[] {
    const path = join(this.folder, METRICS);
    if (!existsSync(path)) return [];
    const lines = readFileSync(path, 'utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as MetricsRow);
  }

  write(name: string, content: string | Uint8Array | readonly Uint8Array[]): void {
    writeFileAtomic(join(this.folder, name), content);
  }

  finish(result: object): void {
    this.write(RESULT, `${JSON.stringify(result, null, 2)}\n`);
  }

  close(): void {
    this.#lock.release();
  }

  #describe(): void {
    const path = join(this.folder, CONFIG);
    if (existsSync(path)) return;
    const { experiment, config, seed, code } = this.#identity;
    const content = { format: 1, experiment, seed, config, ...(code !== undefined && { code }) };
    this.write(CONFIG, `${JSON.stringify(content, null, 2)}\n`);
  }

  #metricsBytes(): number {
    const path = join(this.folder, METRICS);
    return existsSync(path) ? statSync(path).size : 0;
  }

  /** Drops the rows after the checkpoint: they will be computed, and written, again. */
  #cutMetrics(bytes: number): void {
    const path = join(this.folder, METRICS);
    const size = this.#metricsBytes();
    if (size < bytes) {
      this.#notice(`${path} is shorter than at the checkpoint: its earlier rows are incomplete`);
    }
    try {
      if (size > bytes) truncateSync(path, bytes);
      else if (size > 0 && size < bytes) {
        const text = readFileSync(path);
        truncateSync(path, text.lastIndexOf(0x0a) + 1);
      }
    } catch (error) {
      throw toStoreError(error, 'shorten', path);
    }
  }
}

function removeFrom(folder: string, unwanted: (name: string) => boolean): void {
  try {
    for (const name of readdirSync(folder).filter(unwanted)) {
      rmSync(join(folder, name), { recursive: true, force: true });
    }
  } catch (error) {
    throw toStoreError(error, 'clean', folder);
  }
}
