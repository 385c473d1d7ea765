import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isObject, type JsonObject, type Notebook, tagsOf } from './document.ts';
import { reachedSources } from './sources.ts';

/** What the outputs of a notebook depend on, each as the first 16 hex digits of a SHA-256. */
export interface Freshness {
  /** Types, tags and sources of its cells. */
  readonly cells: string;
  /** The source files it loads, by path and content. */
  readonly sources: string;
  /** The data files named in its metadata, `gibbs.data`. */
  readonly data: string;
  /** package-lock.json: the versions of everything else. */
  readonly lockfile: string;
}

/** The parts in the order in which a stale notebook is explained. */
export const FRESHNESS_PARTS = ['cells', 'sources', 'data', 'lockfile'] as const;

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
    lockfile: files(['package-lock.json'], root),
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
  const whole = FRESHNESS_PARTS.every((part) => typeof recorded[part] === 'string');
  return whole ? (recorded as unknown as Freshness) : undefined;
}

export function withFreshness(notebook: Notebook, fresh: Freshness): Notebook {
  const before = notebook.metadata['gibbs'];
  const gibbs: JsonObject = { ...(isObject(before) ? before : {}), fresh: { ...fresh } };
  return { ...notebook, metadata: { ...notebook.metadata, gibbs } };
}

function files(paths: readonly string[], root: string): string {
  return digest(
    paths.map((path) => {
      const file = join(root, path);
      const there = statSync(file, { throwIfNoEntry: false })?.isFile() === true;
      return [
        path,
        there ? createHash('sha256').update(readFileSync(file)).digest('hex') : 'absent',
      ];
    }),
  );
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);
}
