import { copyFileSync, linkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, InterruptedError, StoreError } from '../../core/errors.ts';
import { toStoreError, writeFileAtomic } from '../../core/files.ts';
import { makeFolder } from '../../core/folders.ts';
import type { HostState } from '../../objectives/objective.ts';
import {
  type Checkpoint,
  checkpointFiles,
  readLatestCheckpoint,
  writeCheckpoint,
} from '../checkpoint.ts';
import { environment } from '../environment.ts';
import { thisProcess } from '../process-identity.ts';
import {
  canonicalJson,
  type MetricsRow,
  type OpenRun,
  type OpenRunOptions,
  runKey,
} from '../run.ts';
import { environmentKey } from './adopt.ts';
import {
  type RunRecord,
  type RunSession,
  refuseIfAnother,
  refuseIfWorkedOn,
  sha256,
} from './record.ts';
import type { Inside, RunStore, Unnumbered } from './run-store.ts';

export interface StoreRunOptions extends Omit<OpenRunOptions, 'root'> {
  /** Checkpoints kept, the latest ones. Default 2: one more should the last be damaged. */
  readonly keep?: number;
  /** Keeps the checkpoint with the lowest (or highest) value of a metric beside the latest ones. */
  readonly best?: { readonly metric: string; readonly highest?: boolean };
  /** How the run was asked for; not part of what it is. */
  readonly labels?: Readonly<Record<string, string>>;
}

export const BEST = 'best.safetensors';
const SESSIONS = 20;

let serial = 0;

/** A run under way in a store. */
export class StoreRun implements OpenRun {
  readonly key: string;
  readonly folder: string;
  readonly #store: RunStore;
  readonly #options: StoreRunOptions;
  readonly #token = `${process.pid}.${Date.now()}.${serial++}`;
  readonly #notice: (text: string) => void;
  #lastRow: MetricsRow | undefined;
  #closed = false;

  private constructor(store: RunStore, options: StoreRunOptions, key: string, folder: string) {
    this.#store = store;
    this.#options = options;
    this.key = key;
    this.folder = join(store.place, folder);
    this.#notice = options.onNotice ?? (() => {});
  }

  /**
   * Makes or finds the run and takes it over from a process that has died.
   * @throws StoreError when another process works on the run, or the store cannot be written.
   * @throws ConfigError when `resume` is asked for and there is nothing to resume.
   */
  static open(store: RunStore, options: StoreRunOptions): StoreRun {
    const key = runKey(options);
    if (options.fresh && options.resume) {
      throw new ConfigError('a run can be resumed or started fresh, not both');
    }
    const folder = store.get(key)?.folder ?? key;
    const run = new StoreRun(store, options, key, folder);
    if (options.resume && checkpointFiles(run.folder).length === 0) {
      throw new ConfigError(`nothing to resume: no checkpoint in ${run.folder}`);
    }
    run.#claim(folder);
    try {
      if (options.fresh) removeFolder(run.folder);
      makeFolder(run.folder);
    } catch (error) {
      run.close(error);
      throw error;
    }
    return run;
  }

  restore(template: HostState): Checkpoint | undefined {
    const found = readLatestCheckpoint(this.folder, template, this.#notice);
    const step = found?.step ?? 0;
    this.#update((record, inside) => {
      // The rows after the checkpoint will be computed, and written, again.
      inside.dropMetrics(step);
      const sessions = record.sessions.map((session, i, all) =>
        i === all.length - 1 ? { ...session, from: step } : session,
      );
      return { ...record, step, seconds: found?.seconds ?? 0, sessions };
    });
    if (step > 0) this.#notice(`resuming at iteration ${step}`);
    return found;
  }

  save(checkpoint: Checkpoint): void {
    this.#check();
    const { experiment, config, seed, keep } = this.#options;
    const name = writeCheckpoint(
      this.folder,
      { ...checkpoint, metricsBytes: 0 },
      { experiment, config: canonicalJson(config), seed: String(seed) },
      keep,
    );
    const { step, seconds } = checkpoint;
    this.#update((record) => ({ ...record, step, seconds, ...this.#best(record, name, step) }));
  }

  log(row: MetricsRow): void {
    this.#lastRow = row;
    this.#update((record, inside) => {
      inside.putMetrics(row);
      return { ...record, step: Math.max(record.step, row.step) };
    });
  }

  metrics(): MetricsRow[] {
    return this.#store.metrics(this.key);
  }

  write(name: string, content: string | Uint8Array | readonly Uint8Array[]): void {
    this.#check();
    const parts = Array.isArray(content) ? content : [content as string | Uint8Array];
    writeFileAtomic(join(this.folder, name), content);
    const bytes = parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
    const file = { bytes, sha256: sha256(...parts) };
    this.#update((record) => ({ ...record, files: { ...record.files, [name]: file } }));
  }

  finish(result: object): void {
    const {
      key: _k,
      config: _c,
      seed: _s,
      environment: _e,
      ...rest
    } = result as RunRecord & {
      environment?: unknown;
    };
    const { checksum, steps, seconds } = rest as { [name: string]: unknown };
    this.#update(({ owner: _, error: _x, ...record }) => ({
      ...record,
      status: 'finished',
      result: rest as Record<string, unknown>,
      ...(typeof checksum === 'string' && { checksum }),
      ...(typeof steps === 'number' && { step: steps }),
      ...(typeof seconds === 'number' && { seconds }),
      sessions: ended(record.sessions),
    }));
    this.#closed = true;
  }

  close(error?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#store.update(this.key, (found) => {
      if (found?.owner?.token !== this.#token) return undefined;
      const { owner: _, ...record } = found;
      const failed = error !== undefined && !isOutside(error);
      return {
        ...record,
        status: failed ? 'failed' : 'stopped',
        ...(error !== undefined && { error: (error as Error).message }),
        sessions: ended(record.sessions),
        updated: now(),
      };
    });
  }

  #claim(folder: string): void {
    const { experiment, config, seed, code = '', labels, fresh } = this.#options;
    const found = environment(this.#options);
    const name = environmentKey(found);
    const owner = { ...thisProcess(), token: this.#token, since: now() };
    const session: RunSession = {
      started: owner.since,
      pid: owner.pid,
      host: owner.host,
      environment: name,
    };
    this.#store.update(this.key, (before, inside) => {
      if (before) {
        refuseIfWorkedOn(before);
        refuseIfAnother(before, this.#options);
      }
      if (fresh) inside.dropMetrics(-1);
      inside.putEnvironment(name, found);
      const { error: _, ...kept } = before && !fresh ? before : blank(this.key, before?.created);
      return {
        ...kept,
        experiment,
        config,
        seed,
        code,
        folder,
        status: 'running',
        owner,
        updated: now(),
        starts: kept.starts + 1,
        sessions: [...kept.sessions, session].slice(-SESSIONS),
        ...(labels && { labels: { ...kept.labels, ...labels } }),
      };
    });
  }

  /** Keeps a copy of a checkpoint whose last logged metric is the best so far. */
  #best(record: Unnumbered, name: string, step: number): Pick<RunRecord, 'best'> | undefined {
    const { best } = this.#options;
    const value = best && this.#lastRow?.[best.metric];
    if (best === undefined || value === undefined) return undefined;
    const sign = best.highest ? -1 : 1;
    if (record.best && sign * record.best.value <= sign * value) return undefined;
    const path = join(this.folder, BEST);
    rmSync(path, { force: true });
    try {
      linkSync(join(this.folder, name), path);
    } catch {
      copyFileSync(join(this.folder, name), path);
    }
    return { best: { step, metric: best.metric, value } };
  }

  /** @throws StoreError once the run has been taken over or removed. */
  #check(): void {
    if (this.#store.get(this.key)?.owner?.token !== this.#token) throw this.#lost();
  }

  #update(change: (record: RunRecord, inside: Inside) => Unnumbered): void {
    this.#store.update(this.key, (record, inside) => {
      if (record?.owner?.token !== this.#token) throw this.#lost();
      return { ...change(record, inside), updated: now() };
    });
  }

  #lost(): StoreError {
    return new StoreError(`run ${this.key} was taken over by another process; stopping`);
  }
}

/** What says nothing against the run itself: it goes on when asked for again. */
function isOutside(error: unknown): boolean {
  return error instanceof InterruptedError || error instanceof StoreError;
}

function blank(key: string, created = now()): Omit<RunRecord, 'change'> {
  return {
    key,
    experiment: '',
    config: null,
    seed: 0,
    code: '',
    status: 'running',
    created,
    updated: created,
    step: 0,
    seconds: 0,
    sessions: [],
    starts: 0,
    folder: key,
    files: {},
  };
}

function ended(sessions: readonly RunSession[]): RunSession[] {
  return sessions.map((session, i) =>
    i === sessions.length - 1 ? { ...session, ended: now() } : session,
  );
}

function now(): string {
  return new Date().toISOString();
}

export function removeFolder(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    throw toStoreError(error, 'remove', path);
  }
}
