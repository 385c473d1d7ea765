import { realpathSync, statfsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { crc32 } from 'node:zlib';
import type { Database as LmdbDatabase, RootDatabase } from 'lmdb';
import { DataError, StoreError } from '../../core/errors.ts';
import { toStoreError } from '../../core/files.ts';
import { checkDatabaseFile, damaged } from './database-file.ts';
import { ownerOf, prepareStore, storePaths } from './layout.ts';

export type DatabaseKey = string | number | (string | number)[];

/** Address space, not disk: the file grows as it is written. */
const MAP_BYTES = 16 * 2 ** 30;
/** Processes that may read at once; LMDB's own 126 are few for a sweep and its watchers. */
const MAX_READERS = 1024;
/** A write is refused when less than this is free. */
const RESERVE_BYTES = 8 * 2 ** 20;

/** One table: values are JSON behind a checksum. */
export class Table<T> {
  readonly name: string;
  readonly #inner: LmdbDatabase<Buffer, DatabaseKey>;
  readonly #database: Database;

  constructor(name: string, inner: LmdbDatabase<Buffer, DatabaseKey>, database: Database) {
    this.name = name;
    this.#inner = inner;
    this.#database = database;
  }

  /** @throws DataError naming a value that is damaged. */
  get(key: DatabaseKey): T | undefined {
    return this.#database.guard('read', () => {
      const value = this.#inner.get(key);
      return value === undefined ? undefined : this.#decode(value, key);
    });
  }

  /** Only within `Database.write`. */
  put(key: DatabaseKey, value: T): void {
    this.#inner.putSync(key, encode(value));
  }

  /** Only within `Database.write`. */
  remove(key: DatabaseKey): void {
    this.#inner.removeSync(key);
  }

  /** Entries with `from <= key < to` in order of their keys. */
  *range(from?: DatabaseKey, to?: DatabaseKey): Generator<{ key: DatabaseKey; value: T }> {
    for (const { key, value } of this.#inner.getRange({ start: from, end: to })) {
      yield { key, value: this.#decode(value, key) };
    }
  }

  /** As `range`, but a damaged value is handed out as its error. */
  *scan(): Generator<{ key: DatabaseKey; value?: T; problem?: string }> {
    for (const { key, value } of this.#inner.getRange({})) {
      try {
        yield { key, value: this.#decode(value, key) };
      } catch (error) {
        yield { key, problem: (error as Error).message };
      }
    }
  }

  keys(from?: DatabaseKey, to?: DatabaseKey): DatabaseKey[] {
    return [...this.#inner.getKeys({ start: from, end: to })];
  }

  lastKey(): DatabaseKey | undefined {
    for (const key of this.#inner.getKeys({ reverse: true, limit: 1 })) return key;
    return undefined;
  }

  #decode(value: Buffer, key: DatabaseKey): T {
    const body = value.subarray(4);
    if (value.length < 4 || value.readUInt32LE(0) !== crc32(body)) {
      throw new DataError(
        `${this.#database.path}: entry ${JSON.stringify(key)} of '${this.name}' is damaged`,
      );
    }
    return JSON.parse(body.toString('utf8')) as T;
  }
}

function encode(value: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(value), 'utf8');
  const out = Buffer.allocUnsafe(4 + body.length);
  out.writeUInt32LE(crc32(body), 0);
  body.copy(out, 4);
  return out;
}

const opened = new Map<string, Database>();

/**
 * The LMDB file of a store, opened once per process. Many processes of one machine may have it open
 * and write: LMDB orders the writers and hands readers a consistent state without waiting. A writer
 * killed at any moment leaves the state before its transaction. Not for network file systems.
 */
export class Database {
  readonly path: string;
  readonly #place: string;
  readonly #root: RootDatabase<Buffer, DatabaseKey>;
  /** Set once LMDB has failed to write: its memory is not to be trusted after that. */
  #broken: StoreError | undefined;

  private constructor(place: string, path: string, root: RootDatabase<Buffer, DatabaseKey>) {
    this.#place = place;
    this.path = path;
    this.#root = root;
  }

  /**
   * @throws StoreError when the place cannot be written, is another user's, or of a newer format.
   * @throws DataError when the database file is damaged.
   */
  static open(place: string): Database {
    prepareStore(place);
    const real = realpathSync(place);
    const known = opened.get(real);
    if (known) return known;
    const path = storePaths(real).database;
    checkDatabaseFile(path);
    const database = new Database(real, path, openFile(path));
    opened.set(real, database);
    return database;
  }

  table<T>(name: string): Table<T> {
    const inner = this.guard('open', () =>
      this.#root.openDB<Buffer, DatabaseKey>(name, { encoding: 'binary' }),
    );
    return new Table<T>(name, inner, this);
  }

  /**
   * Runs `fn` as one transaction: all of its writes, or none when it throws. Waits for other
   * writers. Reads inside see what was written last.
   */
  write<R>(fn: () => R): R {
    this.#checkSpace();
    let failure: unknown;
    try {
      return this.#root.transactionSync(() => {
        try {
          return fn();
        } catch (error) {
          failure = error;
          throw error;
        }
      });
    } catch (error) {
      if (failure !== undefined) throw failure;
      this.#broken = this.#toError(error, 'write');
      throw this.#broken;
    }
  }

  /** Makes reads see what other processes have written until now. */
  refresh(): void {
    this.#root.resetReadTxn();
  }

  guard<R>(action: string, fn: () => R): R {
    try {
      return fn();
    } catch (error) {
      throw this.#toError(error, action);
    }
  }

  /** Gives the file back; needed only before its folder is removed or replaced. */
  async close(): Promise<void> {
    opened.delete(this.#place);
    await this.#root.close();
  }

  #toError(error: unknown, action: string): StoreError {
    return toDatabaseError(error, action, this.path);
  }

  /**
   * A write that fails halfway inside LMDB's library leaves damage in this process's memory, so the
   * usual reason for it is looked for beforehand.
   */
  #checkSpace(): void {
    if (this.#broken) throw this.#broken;
    const { bavail, bsize } = statfsSync(this.#place);
    if (bavail * bsize >= RESERVE_BYTES) return;
    throw toStoreError(Object.assign(new Error(), { code: 'ENOSPC' }), 'write', this.path);
  }
}

function openFile(path: string): RootDatabase<Buffer, DatabaseKey> {
  try {
    const { open } = createRequire(import.meta.url)('lmdb') as typeof import('lmdb');
    const root = open<Buffer, DatabaseKey>({
      path,
      noSubdir: true,
      encoding: 'binary',
      maxDbs: 16,
      maxReaders: MAX_READERS,
      mapSize: MAP_BYTES,
    });
    // Killed readers would keep old pages from being used again.
    root.readerCheck();
    return root;
  } catch (error) {
    throw toDatabaseError(error, 'open', path);
  }
}

const LMDB_REASONS: Readonly<Record<number, string>> = {
  [-30792]: 'the database is full (16 GiB); remove runs with gibbs runs gc or rm',
  [-30790]: `more than ${MAX_READERS} processes read the store`,
};
const LMDB_DAMAGE: readonly number[] = [-30797, -30796, -30795, -30794, -30793];

function toDatabaseError(error: unknown, action: string, path: string): StoreError {
  if (error instanceof StoreError || error instanceof DataError) return error as StoreError;
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== 'number') return toStoreError(error, action, path);
  if (LMDB_DAMAGE.includes(code)) {
    return damaged(path, (error as Error).message) as unknown as StoreError;
  }
  const reason = LMDB_REASONS[code];
  if (reason !== undefined) return new StoreError(`cannot ${action} ${path}: ${reason}`);
  const name = Object.entries(constants.errno).find(([, number]) => number === code)?.[0];
  if (name === 'EACCES' || name === 'EPERM') {
    return new StoreError(
      `cannot ${action} ${path}: it belongs to ${ownerOf(path)} and this user may not write it (${name}); choose another place with --store or GIBBS_STORE, or ask for an export`,
      { cause: error },
    );
  }
  return toStoreError(
    Object.assign(new Error((error as Error).message), { code: name }),
    action,
    path,
  );
}
