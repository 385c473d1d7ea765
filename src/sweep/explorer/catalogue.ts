import { storeExists } from '../../train/store/layout.ts';
import type { Condition } from '../../train/store/query.ts';
import { matches } from '../../train/store/query.ts';
import { type RunRecord, type RunStatus, statusOf } from '../../train/store/record.ts';
import { checkPaths, RunStore } from '../../train/store/run-store.ts';

/** What a look at the store brought. */
export interface CatalogueChange {
  /** Whether there is a store at the place. */
  readonly exists: boolean;
  readonly changed: readonly RunRecord[];
  readonly removed: readonly string[];
}

/**
 * The records of a store in memory, kept up with what other processes write: a listing or a filter
 * then decodes nothing. The place may not hold a store yet, and a store may go away.
 */
export class Catalogue {
  readonly place: string;
  readonly #listeners = new Set<(change: CatalogueChange) => void>();
  readonly #records = new Map<string, RunRecord>();
  /** As last told: a process that dies changes a status without writing. */
  readonly #statuses = new Map<string, RunStatus>();
  readonly #problems = new Map<string, string>();
  #store: RunStore | undefined;
  #change = 0;

  constructor(place: string) {
    this.place = place;
  }

  get store(): RunStore | undefined {
    return this.#store;
  }

  /** Entries that cannot be read, named. */
  get problems(): readonly string[] {
    return [...this.#problems.values()];
  }

  /** All runs, oldest first. */
  records(): RunRecord[] {
    return [...this.#records.values()].sort(
      (a, b) => order(a.created, b.created) || order(a.key, b.key),
    );
  }

  get(key: string): RunRecord | undefined {
    return this.#records.get(key);
  }

  /** @throws ConfigError for a path that no run has. */
  filter(where: readonly Condition[]): RunRecord[] {
    const all = this.records();
    checkPaths(where, all);
    return all.filter((record) => where.every((condition) => matches(record, condition)));
  }

  /** Calls `listener` with every change from now on. @returns the function that ends it. */
  onChange(listener: (change: CatalogueChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Takes in what was written since the last look, and tells the listeners.
   * @throws StoreError, DataError as `RunStore.open`, for a store that cannot be opened.
   */
  refresh(): void {
    const had = this.#store !== undefined;
    if (had && !storeExists(this.place)) {
      this.#forget();
      return;
    }
    this.#store ??= RunStore.find(this.place);
    if (!this.#store) return;
    const changed = new Map<string, RunRecord>();
    const removed: string[] = [];
    const { change, keys } = this.#store.changes(this.#change);
    for (const key of this.#change === 0 ? this.#everyKey(this.#store) : keys) {
      const record = this.#read(this.#store, key);
      if (record) changed.set(key, record);
      else if (this.#records.delete(key)) removed.push(key);
    }
    this.#change = change;
    for (const [key, record] of changed) this.#records.set(key, record);
    for (const record of this.#running()) {
      if (this.#statuses.get(record.key) !== statusOf(record)) changed.set(record.key, record);
    }
    for (const [key, record] of changed) this.#statuses.set(key, statusOf(record));
    for (const key of removed) this.#statuses.delete(key);
    if (changed.size + removed.length > 0 || !had) {
      this.#tell({ exists: true, changed: [...changed.values()], removed });
    }
  }

  #forget(): void {
    const removed = [...this.#records.keys()];
    // A store that is made anew at the same place is another file.
    void this.#store?.database.close();
    this.#store = undefined;
    this.#change = 0;
    this.#records.clear();
    this.#statuses.clear();
    this.#problems.clear();
    this.#tell({ exists: false, changed: [], removed });
  }

  #everyKey(store: RunStore): string[] {
    return store.tables().runs.keys().map(String);
  }

  #read(store: RunStore, key: string): RunRecord | undefined {
    this.#problems.delete(key);
    try {
      return store.tables().runs.get(key);
    } catch (error) {
      this.#problems.set(key, `${key}: ${(error as Error).message}`);
      return undefined;
    }
  }

  #running(): RunRecord[] {
    return [...this.#records.values()].filter(({ status }) => status === 'running');
  }

  #tell(change: CatalogueChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
