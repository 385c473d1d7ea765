import type { WireChange, WireRow, WireRun, WireRuns } from '../wire.ts';
import { api, ServerError } from './api.ts';

/** How the page stands with the server. */
export interface Link {
  readonly state: 'connecting' | 'live' | 'lost' | 'ended';
  readonly text: string;
  /** When it was last live, ms since 1970. */
  readonly since: number;
}

type Listener = (changed: ReadonlySet<string> | 'all') => void;

/** All that the page knows: the runs of the store, what is selected, how the link stands. */
export class Model {
  readonly runs = new Map<string, WireRun>();
  /** Selected runs in the order of their selection. */
  readonly selected = new Set<string>();
  /** Runs that were shown once and are gone from the store, with when. */
  readonly removed = new Map<string, number>();
  place = '';
  exists = true;
  loaded = false;
  problems: readonly string[] = [];
  link: Link = { state: 'connecting', text: 'connecting', since: Date.now() };
  readonly #listeners = new Set<Listener>();

  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  take(all: WireRuns): void {
    const now = Date.now();
    const present = new Set(all.runs.map(({ key }) => key));
    for (const key of this.runs.keys()) if (!present.has(key)) this.removed.set(key, now);
    this.runs.clear();
    for (const run of all.runs) this.runs.set(run.key, run);
    this.#forgetRemoved();
    [this.place, this.exists, this.problems] = [all.place, all.exists, all.problems];
    this.loaded = true;
    this.tell('all');
  }

  apply({ exists, changed, removed, problems }: WireChange): void {
    for (const run of changed) {
      this.runs.set(run.key, run);
      this.removed.delete(run.key);
    }
    for (const key of removed) {
      this.runs.delete(key);
      this.removed.set(key, Date.now());
    }
    this.#forgetRemoved();
    [this.exists, this.problems] = [exists, problems];
    this.tell(new Set([...changed.map(({ key }) => key), ...removed]));
  }

  select(keys: readonly string[], on: boolean): void {
    for (const key of keys) {
      if (on) this.selected.add(key);
      else this.selected.delete(key);
    }
    this.tell(new Set());
  }

  setLink(link: Omit<Link, 'since'>): void {
    const since = link.state === 'live' ? Date.now() : this.link.since;
    this.link = { ...link, since };
    this.tell(new Set());
  }

  tell(changed: ReadonlySet<string> | 'all'): void {
    for (const listener of this.#listeners) listener(changed);
  }

  #forgetRemoved(): void {
    for (const key of this.selected) if (!this.runs.has(key)) this.selected.delete(key);
  }
}

/** The metric series of a run, kept up while somebody looks at it. */
export class LiveSeries {
  readonly key: string;
  rows: WireRow[] = [];
  problem: string | undefined;
  readonly #onRows: () => void;
  #asking = false;
  #again = false;
  #step = -1;

  constructor(key: string, onRows: () => void) {
    this.key = key;
    this.#onRows = onRows;
    void this.refresh();
  }

  /** Asks for the rows that are new; `run` tells whether the run was started over or set back. */
  async refresh(run?: WireRun): Promise<void> {
    if (this.#asking) {
      this.#again = true;
      return;
    }
    this.#asking = true;
    // A run that resumes forgets the rows after its checkpoint and writes them again.
    const last = this.rows.at(-1)?.step ?? -1;
    const setBack = run !== undefined && (run.step < last || run.step < this.#step);
    const after = setBack ? -1 : last;
    this.#step = run?.step ?? this.#step;
    try {
      const { rows } = await api.series(this.key, after);
      if (after === -1) this.rows = [...rows];
      else this.rows.push(...rows);
      this.problem = undefined;
      if (rows.length > 0 || after === -1) this.#onRows();
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      this.problem = error.message;
      this.#onRows();
    } finally {
      this.#asking = false;
    }
    if (this.#again) {
      this.#again = false;
      await this.refresh(run);
    }
  }
}
