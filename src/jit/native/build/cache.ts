import { createHash } from 'node:crypto';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { makeFolder } from '../../../core/folders.ts';
import { cacheFolder } from '../../run/cache.ts';

/*
 * Compiled libraries on disk. The name of an entry is `KEY-DIGEST.so`, where DIGEST is that of its
 * contents: a library is complete or it is not used (opening a cut one may end the process), and
 * two processes that compile the same source at once cannot mix their results.
 */

const MAX_ENTRIES = 200;
const MAX_BYTES = 256 * 2 ** 20;
const SUFFIX = '.so';
const VERDICT = '.verdict';
/** Work folders older than this are those of processes that ended inside the compiler. */
const STALE_MS = 3_600_000;

/** The folder of compiled libraries; `null` when the cache is turned off. */
export function libraryFolder(): string | null {
  const folder = cacheFolder();
  return folder === null ? null : join(folder, 'native');
}

const digestOf = (bytes: Uint8Array) =>
  createHash('sha256').update(bytes).digest('hex').slice(0, 40);

/** The path of an undamaged library; damaged ones are removed. */
export function findLibrary(key: string): string | undefined {
  const folder = libraryFolder();
  if (folder === null) return undefined;
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return undefined;
  }
  for (const name of names) {
    if (!name.startsWith(`${key}-`) || !name.endsWith(SUFFIX)) continue;
    const path = join(folder, name);
    try {
      if (digestOf(readFileSync(path)) === name.slice(key.length + 1, -SUFFIX.length)) {
        touch(path);
        return path;
      }
      rmSync(path, { force: true });
    } catch {
      // Unreadable, or another process removed it: as if it were absent.
    }
  }
  return undefined;
}

/** When an entry was last used decides what goes first; a folder that is not ours keeps its dates. */
function touch(path: string): void {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // Read-only.
  }
}

/** A fresh folder to compile in; `cached`: on the file system of the cache. */
export interface WorkFolder {
  readonly path: string;
  readonly cached: boolean;
}

/**
 * Makes a work folder in the cache; outside it when the cache is turned off or not writable, or
 * when `elsewhere` is set.
 */
export function makeWorkFolder(elsewhere = false): WorkFolder {
  const folder = libraryFolder();
  if (folder !== null && !elsewhere) {
    try {
      makeFolder(folder);
      return { path: mkdtempSync(join(folder, 'work-')), cached: true };
    } catch {
      // An unwritable cache costs time only.
    }
  }
  return { path: mkdtempSync(join(tmpdir(), 'gibbs-native-')), cached: false };
}

/**
 * Moves a compiled library into the cache.
 * @returns where it lies now: where it was, when the cache did not take it.
 */
export function keepLibrary(key: string, work: WorkFolder, path: string): string {
  const folder = libraryFolder();
  if (!work.cached || folder === null) return path;
  try {
    const entry = join(folder, `${key}-${digestOf(readFileSync(path))}${SUFFIX}`);
    renameSync(path, entry);
    prune(folder);
    return entry;
  } catch {
    return path;
  }
}

/** What was remembered about a cached library. */
export function readVerdict(path: string): string | undefined {
  try {
    return readFileSync(verdictPath(path), 'utf8');
  } catch {
    return undefined;
  }
}

/** Remembers a verdict for as long as the library stays in the cache. */
export function writeVerdict(path: string, text: string): void {
  if (dirname(path) !== libraryFolder()) return;
  try {
    const temporary = `${verdictPath(path)}.${process.pid}.tmp`;
    writeFileSync(temporary, text);
    renameSync(temporary, verdictPath(path));
  } catch {
    // It will be checked again.
  }
}

const verdictPath = (path: string) => join(dirname(path), `${basename(path, SUFFIX)}${VERDICT}`);

function prune(folder: string): void {
  const entries = readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat === undefined ? [] : [{ name, path, used: stat.mtimeMs, bytes: stat.size }];
  });
  const remove = (path: string) => rmSync(path, { force: true, recursive: true });
  const stale = Date.now() - STALE_MS;
  for (const { name, path, used } of entries) {
    if ((name.startsWith('work-') || name.endsWith('.tmp')) && used < stale) remove(path);
  }
  const libraries = entries
    .filter(({ name }) => name.endsWith(SUFFIX))
    .sort((a, b) => b.used - a.used);
  let bytes = 0;
  libraries.forEach((entry, i) => {
    bytes += entry.bytes;
    if (i < MAX_ENTRIES && (bytes <= MAX_BYTES || i === 0)) return;
    remove(entry.path);
    remove(verdictPath(entry.path));
  });
}
