import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, DataError, unknownName } from '../../core/errors.ts';
import type { HostTensor } from '../../core/host-tensor.ts';
import { readSafetensorsFile, toHostTensor } from '../../core/safetensors.ts';
import type { Environment } from '../environment.ts';
import { type MetricsRow, type RunIdentity, runKey } from '../run.ts';
import { Database, type DatabaseKey, type Table } from './database.ts';
import { storeExists } from './layout.ts';
import type { Condition } from './query.ts';
import { matches } from './query.ts';
import { type RunRecord, type RunStatus, statusOf } from './record.ts';

export interface ListOptions {
  readonly experiment?: string;
  readonly status?: readonly RunStatus[];
  /** Conditions on configuration, seed and final numbers; all must hold. See `parseCondition`. */
  readonly where?: readonly Condition[];
  /** At most so many, the newest. */
  readonly limit?: number;
}

/** What changed in a store since a point in its history. */
export interface StoreChanges {
  /** The point to ask from next time. */
  readonly change: number;
  /** Keys of the runs written since, each once, in the order of their last change. */
  readonly keys: readonly string[];
}

/** How often `follow` looks, in milliseconds: one read of one small entry. */
const FOLLOW_MS = 250;

/**
 * The runs of a place. Reading never waits for writers and sees whole transactions only. All
 * methods are synchronous and read the file's memory; 10 000 runs are listed in about a tenth of a
 * second.
 *
 * ```ts
 * const store = RunStore.open('data/runs');
 * const runs = store.list({ experiment: 'toy', where: [parseCondition('diffusion.T=4')] });
 * const curve = store.metrics(runs[0].key);            // [{ step: 100, energyLoss: ... }, ...]
 * const { samples } = store.arrays(runs[0].key);       // HostTensor [10000, 2]
 * for await (const { keys } of store.follow()) redraw(keys);
 * ```
 */
export class RunStore {
  /** Absolute path of the folder. */
  readonly place: string;
  readonly database: Database;
  readonly #runs: Table<RunRecord>;
  readonly #metrics: Table<MetricsRow>;
  readonly #environments: Table<Environment>;
  readonly #changes: Table<string>;
  readonly #codes: Table<string>;
  readonly #folders: Table<string>;

  private constructor(place: string, database: Database) {
    this.place = place;
    this.database = database;
    this.#runs = database.table('runs');
    this.#metrics = database.table('metrics');
    this.#environments = database.table('environments');
    this.#changes = database.table('changes');
    this.#codes = database.table('codes');
    this.#folders = database.table('folders');
  }

  /**
   * Opens the store of a place, and makes it where there is none.
   * @throws StoreError when the place cannot be written, is another user's, or of a newer format.
   * @throws DataError when the database file is damaged.
   */
  static open(place: string): RunStore {
    const database = Database.open(place);
    return new RunStore(realpathSync(place), database);
  }

  /** The store of a place if there is one. @throws as `open`. */
  static find(place: string): RunStore | undefined {
    return storeExists(place) ? RunStore.open(place) : undefined;
  }

  /** Runs, oldest first (by the time of their creation, then by key). */
  list(options: ListOptions = {}): RunRecord[] {
    const { experiment, status, where = [], limit } = options;
    this.database.refresh();
    const all = [...this.#runs.range()].map(({ value }) => value);
    checkPaths(where, all);
    const found = all.filter(
      (record) =>
        (experiment === undefined || record.experiment === experiment) &&
        (status === undefined || status.includes(statusOf(record))) &&
        where.every((condition) => matches(record, condition)),
    );
    found.sort((a, b) => compare(a.created, b.created) || compare(a.key, b.key));
    return limit === undefined ? found : found.slice(Math.max(0, found.length - limit));
  }

  /** @returns undefined when there is no such run. @throws DataError when its entry is damaged. */
  get(key: string): RunRecord | undefined {
    this.database.refresh();
    return this.#runs.get(key);
  }

  /**
   * The run that a user names: its key, a beginning of its key or of the hash in it, or `latest`
   * (the run changed last).
   * @throws ConfigError when there is none, or several.
   */
  resolve(name: string): RunRecord {
    this.database.refresh();
    if (name === 'latest') {
      const record = this.#latest();
      if (!record) throw new ConfigError(`there is no run in ${this.place} yet`);
      return record;
    }
    const exact = this.#runs.get(name);
    if (exact) return exact;
    const keys = this.#runs.keys().map(String);
    const close = keys.filter((key) => key.startsWith(name) || hashOf(key).startsWith(name));
    if (name !== '' && close.length === 1) return this.#runs.get(close[0])!;
    if (name !== '' && close.length > 1) {
      const some = close.slice(0, 4).join(', ') + (close.length > 4 ? ', …' : '');
      throw new ConfigError(`'${name}' names ${close.length} runs (${some}); give more of the key`);
    }
    throw new ConfigError(
      `no run '${name}' in ${this.place} (${keys.length} runs; see gibbs runs ls)`,
    );
  }

  /** The metric series of a run, from the first row after iteration `after` (default: all). */
  metrics(key: string, after = -1): MetricsRow[] {
    this.database.refresh();
    return [...this.#metrics.range([key, after + 1], [key, Number.POSITIVE_INFINITY])].map(
      ({ value }) => value,
    );
  }

  /** What a session was computed with: its `environment` is the key. */
  environment(key: string): Environment | undefined {
    return this.#environments.get(key);
  }

  /** Absolute folder of a run's arrays; may not exist. */
  folder(record: RunRecord): string {
    return join(this.place, record.folder);
  }

  /**
   * The arrays that the experiment left: samples, figure data (`arrays.safetensors`); empty for a
   * run that is not finished.
   * @throws DataError when the file is missing or damaged.
   */
  arrays(key: string): Record<string, HostTensor> {
    const record = this.get(key);
    if (!record) throw new DataError(`no run '${key}' in ${this.place}`);
    if (!record.files['arrays.safetensors']) return {};
    const { tensors } = readSafetensorsFile(join(this.folder(record), 'arrays.safetensors'));
    return Object.fromEntries([...tensors].map(([name, tensor]) => [name, toHostTensor(tensor)]));
  }

  /** Runs written since `change` (default: since the beginning), and where the history stands. */
  changes(change = 0): StoreChanges {
    this.database.refresh();
    const entries = [...this.#changes.range(change + 1)];
    const last = entries.at(-1)?.key;
    return {
      change: last === undefined ? change : Number(last),
      keys: [...new Set(entries.map(({ value }) => value))],
    };
  }

  /**
   * Waits for changes, by this or any other process, and yields them until `signal` is aborted. A
   * removed run is among the keys, and `get` then finds none.
   */
  async *follow(
    options: { readonly from?: number; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<StoreChanges> {
    let { change } = this.changes();
    if (options.from !== undefined) change = options.from;
    while (!options.signal?.aborted) {
      const found = this.changes(change);
      change = found.change;
      if (found.keys.length > 0) yield found;
      else await pause(FOLLOW_MS, options.signal);
    }
  }

  /**
   * Changes one record in a transaction of its own; other processes may write at the same time.
   * @param change gets the record as it is (undefined: there is none) and returns it as it shall
   * be, or undefined to leave it; what it throws leaves everything as it was.
   */
  update(
    key: string,
    change: (record: RunRecord | undefined, inside: Inside) => Unnumbered | undefined,
  ): RunRecord | undefined {
    return this.database.write(() => {
      const before = this.#runs.get(key);
      const after = change(before, this.#inside(key));
      if (!after) return before;
      const written = { ...after, change: this.#number(before) } as RunRecord;
      this.#runs.put(key, written);
      this.#changes.put(written.change, key);
      return written;
    });
  }

  /** Gives a run the key of another identity with the same content; its folder stays. */
  rename(record: RunRecord, identity: RunIdentity): RunRecord {
    const key = runKey(identity);
    return this.database.write(() => {
      const present = this.#runs.get(key);
      const old = this.#runs.get(record.key);
      if (present || !old) return present ?? record;
      const rows = [...this.#metrics.range([old.key, 0], [old.key, Number.POSITIVE_INFINITY])];
      this.#inside(old.key).dropMetrics(-1);
      for (const { value } of rows) this.#inside(key).putMetrics(value);
      const change = this.#number(old);
      const renamed = { ...old, key, code: identity.code ?? '', change };
      this.#runs.remove(old.key);
      this.#runs.put(key, renamed);
      this.#changes.put(change, key);
      return renamed;
    });
  }

  /** Removes a run's entries (not its folder). */
  remove(key: string, check: (record: RunRecord) => void = () => {}): RunRecord | undefined {
    return this.database.write(() => {
      const record = this.#runs.get(key);
      if (!record) return undefined;
      check(record);
      this.#inside(key).dropMetrics(-1);
      this.#runs.remove(key);
      // The entry of the change stays, so that followers hear of it.
      this.#changes.put(this.#number(record), key);
      return record;
    });
  }

  /** Whether the run of a folder of plain files was taken into the store already. */
  hasTaken(folder: string): boolean {
    return this.#folders.get(folder) !== undefined;
  }

  /** A value derived from the code, kept by the content that it was derived from. */
  memo(key: string, compute: () => string): string {
    const known = this.#codes.get(key);
    if (known !== undefined) return known;
    const value = compute();
    this.database.write(() => this.#codes.put(key, value));
    return value;
  }

  /** Every entry of every table, damaged ones as their problem: for `verify`. */
  tables() {
    return {
      runs: this.#runs,
      metrics: this.#metrics,
      environments: this.#environments,
      changes: this.#changes,
      codes: this.#codes,
      folders: this.#folders,
    };
  }

  /** The number of the next change; that of the record's last one is taken out of the order. */
  #number(before: RunRecord | undefined): number {
    const next = Number(this.#changes.lastKey() ?? 0) + 1;
    if (before && this.#changes.get(before.change) === before.key) {
      this.#changes.remove(before.change);
    }
    return next;
  }

  /** The run changed last that was not removed. */
  #latest(): RunRecord | undefined {
    for (const change of this.#changes.keys().reverse()) {
      const record = this.#runs.get(this.#changes.get(change) ?? '');
      if (record) return record;
    }
    return undefined;
  }

  #inside(key: string): Inside {
    return {
      putMetrics: (row) => this.#metrics.put([key, row.step], row),
      dropMetrics: (after) => {
        const end: DatabaseKey = [key, Number.POSITIVE_INFINITY];
        for (const entry of this.#metrics.keys([key, after + 1], end)) this.#metrics.remove(entry);
      },
      takeFolder: (folder) => this.#folders.put(folder, key),
      putEnvironment: (name, value) => {
        if (!this.#environments.get(name)) this.#environments.put(name, value);
      },
    };
  }
}

/** What else belongs to the transaction that changes a record. */
export interface Inside {
  putMetrics(row: MetricsRow): void;
  /** Drops the rows after an iteration. */
  dropMetrics(after: number): void;
  putEnvironment(key: string, value: Environment): void;
  /** Remembers that the run of a folder of plain files was taken into the store. */
  takeFolder(folder: string): void;
}

/** A record that has not been given its change number yet. */
export type Unnumbered = Omit<RunRecord, 'change'> & { readonly change?: number };

/** The hash in a key. */
export function hashOf(key: string): string {
  return key.slice(key.indexOf('/') + 1);
}

/** A path that no run has is likelier a slip than a filter. @throws ConfigError naming it. */
export function checkPaths(where: readonly Condition[], all: readonly RunRecord[]): void {
  if (all.length === 0) return;
  for (const { path, valueIn, known } of where) {
    if (all.some((record) => valueIn(record) !== undefined)) continue;
    throw unknownName('setting', path, [...new Set(all.flatMap((record) => known(record)))].sort());
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}
