import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DataError, StoreError } from '../../core/errors.ts';
import { toStoreError, writeFileAtomic } from '../../core/files.ts';
import { makeFolder } from '../../core/folders.ts';
import { gibbsVersion } from '../../core/versions.ts';

/**
 * The store's format. Raised when a version of Gibbs that knows only the old one would misread the
 * new; such a version then refuses the store instead of damaging it.
 */
export const STORE_FORMAT = 1;

/**
 * Where the parts of a store lie below its place:
 *
 * | path | holds |
 * | --- | --- |
 * | `store.json` | the format; a file of its own, so that it can be read before LMDB is touched |
 * | `runs.mdb`, `runs.mdb-lock` | LMDB: records, metric series, environments, order of changes |
 * | `<experiment>/<hash>-s<seed>/` | arrays of a run: checkpoints, samples, figure data |
 *
 * Arrays lie beside the database and not in it. LMDB never gives space back, so a database that has
 * held checkpoints of hundreds of megabytes keeps their size for good, and every long reader makes
 * it grow further; files are freed when they are removed, are written whole (rename) and readable
 * by any safetensors reader. What a listing needs is small and in the database alone. A record
 * names its files with size and SHA-256; a file is written before the record that names it, and
 * removed after, so that a kill in between leaves at most a file that nobody names.
 */
export function storePaths(place: string) {
  return { descriptor: join(place, 'store.json'), database: join(place, 'runs.mdb') };
}

/** Whether there is a store. */
export function storeExists(place: string): boolean {
  return existsSync(storePaths(place).descriptor);
}

/**
 * Makes a store's descriptor, or checks the one that is there.
 * @throws StoreError for a store of a newer format, or a place that cannot be written.
 * @throws DataError for a descriptor that is damaged.
 */
export function prepareStore(place: string): void {
  const { descriptor } = storePaths(place);
  makeFolder(place);
  if (!existsSync(descriptor)) {
    const content = { format: STORE_FORMAT, what: 'Gibbs run store', gibbs: gibbsVersion() };
    writeFileAtomic(descriptor, `${JSON.stringify(content, null, 2)}\n`);
    return;
  }
  let format: unknown;
  try {
    format = (JSON.parse(readFileSync(descriptor, 'utf8')) as { format?: unknown }).format;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw toStoreError(error, 'read', descriptor);
  }
  if (typeof format !== 'number') {
    throw new DataError(
      `${descriptor} is damaged: expected {"format": ${STORE_FORMAT}, ...}; write that into it if the store is of this version`,
    );
  }
  if (format > STORE_FORMAT) {
    throw new StoreError(
      `the run store ${place} has format ${format}, this version of Gibbs (${gibbsVersion()}) reads up to ${STORE_FORMAT}; update Gibbs, or choose another place with --store or GIBBS_STORE`,
    );
  }
}

/** The user that a path belongs to, for messages. */
export function ownerOf(path: string): string {
  try {
    return `user ${statSync(path).uid}`;
  } catch {
    return 'another user';
  }
}
