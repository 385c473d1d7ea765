import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isObject, type JsonObject, type Notebook, tagsOf } from './document.ts';
import { reachedSources } from './sources.ts';

/** Files by path relative to the root, each with the first hex digits of its SHA-256 or `absent`. */
export type FileHashes = Readonly<Record<string, string>>;

/** What the outputs of a notebook depend on. */
export interface Freshness {
  /** First 16 hex digits of the SHA-256 of the types, tags and sources of its cells. */
  readonly cells: string;
  /** The source files it loads. */
  readonly sources: FileHashes;
  /** The data files named in its metadata, `gibbs.data`. */
  readonly data: FileHashes;
  /** package-lock.json: the versions of everything else. */
  readonly lockfile: string;
}

/**
 * The folder that a notebook belongs to: the nearest at or above it with Gibbs' sources, else with a
 * package.json, else its own.
 */
export function notebookRoot(path: string): string {
  const own = dirname(resolve(path));
  let nearest: string | undefined;
  for (let dir = own; ; dir = dirname(dir)) {
    if (existsSync(join(dir, 'package.json'))) {
      nearest ??= dir;
      if (existsSync(join(dir, 'src/index.ts'))) return dir;
    }
    if (dirname(dir) === dir) return nearest ?? own;
  }
}

/** Computes what the outputs of `notebook` (in normal form) should be the outputs of, now. */
export function freshnessOf(notebook: Notebook, path: string): Freshness {
  const root = notebookRoot(path);
  return {
    cells: digest(notebook.cells.map((c) => [c.cell_type, c.source, ...tagsOf(c)])),
    sources: files(notebookSources(notebook, path), root),
    data: files(namedData(notebook), root),
    lockfile: hashOf(join(root, 'package-lock.json')),
  };
}

/** The source files that the code of a notebook loads, relative to its root. */
export function notebookSources(notebook: Notebook, path: string): string[] {
  const code = notebook.cells.filter((cell) => cell.cell_type === 'code').map((c) => c.source);
  return reachedSources(code, dirname(resolve(path)), notebookRoot(path));
}

/** Paths in `metadata.gibbs.data`, relative to the root. */
export function namedData(notebook: Notebook): string[] {
  const gibbs = notebook.metadata['gibbs'];
  const data = isObject(gibbs) ? gibbs['data'] : undefined;
  return Array.isArray(data) ? data.filter((d): d is string => typeof d === 'string').sort() : [];
}

/** What the last complete run wrote into the metadata. */
export function recordedFreshness(notebook: Notebook): Freshness | undefined {
  const gibbs = notebook.metadata['gibbs'];
  const recorded = isObject(gibbs) ? gibbs['fresh'] : undefined;
  if (!isObject(recorded)) return undefined;
  const { cells, lockfile, sources, data } = recorded;
  if (typeof cells !== 'string' || typeof lockfile !== 'string') return undefined;
  if (!isObject(sources) || !isObject(data)) return undefined;
  return recorded as unknown as Freshness;
}

/** Why outputs made of `before` are not those of `now`, in words; empty when they are. */
export function changes(before: Freshness, now: Freshness): string[] {
  return [
    ...(before.cells === now.cells ? [] : ['its cells were edited']),
    ...changedFiles('source files it loads', before.sources, now.sources),
    ...changedFiles('its data', before.data, now.data),
    ...(before.lockfile === now.lockfile ? [] : ['package-lock.json has changed']),
  ];
}

function changedFiles(what: string, before: FileHashes, now: FileHashes): string[] {
  const paths = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort();
  const changed = paths.filter((path) => before[path] !== now[path]);
  if (changed.length === 0) return [];
  const more = changed.length > 3 ? ` and ${changed.length - 3} more` : '';
  return [`${what} have changed (${changed.slice(0, 3).join(', ')}${more})`];
}

export function withFreshness(notebook: Notebook, fresh: Freshness): Notebook {
  const before = notebook.metadata['gibbs'];
  const gibbs: JsonObject = { ...(isObject(before) ? before : {}), fresh: { ...fresh } };
  return { ...notebook, metadata: { ...notebook.metadata, gibbs } };
}

function files(paths: readonly string[], root: string): FileHashes {
  return Object.fromEntries(paths.map((path) => [path, hashOf(join(root, path))]));
}

function hashOf(file: string): string {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return 'absent';
  return sha256(readFileSync(file)).slice(0, 10);
}

function digest(value: unknown): string {
  return sha256(JSON.stringify(value)).slice(0, 16);
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
