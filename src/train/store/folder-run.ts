import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DataError, StoreError } from '../../core/errors.ts';
import { toStoreError } from '../../core/files.ts';
import type { Environment } from '../environment.ts';
import { elsewhere, isAlive, type ProcessIdentity } from '../process-identity.ts';
import { CONFIG, LOCK, METRICS, type MetricsRow, RESULT, type RunIdentity } from '../run.ts';
import { sha256 } from './record.ts';

/** A run as it lies in a folder of plain files (see `RunFolder`). */
export interface FolderRun {
  readonly folder: string;
  readonly identity: RunIdentity;
  readonly rows: readonly MetricsRow[];
  /** Of a finished run, without what stands elsewhere. */
  readonly result?: Readonly<Record<string, unknown>>;
  readonly environment?: Environment;
  /** When it was first asked for; ISO 8601. */
  readonly created: string;
  readonly updated: string;
}

/** Whether a run lies in a folder. */
export function isRunFolder(folder: string): boolean {
  return existsSync(join(folder, CONFIG));
}

/**
 * Reads a run's folder.
 * @throws DataError naming the file that is missing, cut short or damaged.
 */
export function readFolderRun(folder: string): FolderRun {
  const config = json(join(folder, CONFIG)) as Partial<RunIdentity> & { format?: unknown };
  const { experiment, seed, code } = config;
  if (typeof experiment !== 'string' || typeof seed !== 'number' || config.config === undefined) {
    throw new DataError(`${join(folder, CONFIG)}: expected experiment, seed and config`);
  }
  const path = join(folder, RESULT);
  const finished = existsSync(path) ? (json(path) as Record<string, unknown>) : undefined;
  const { key: _k, config: _c, seed: _s, environment, ...result } = finished ?? {};
  return {
    folder,
    identity: { experiment, seed, config: config.config, ...(code !== undefined && { code }) },
    rows: rowsOf(join(folder, METRICS), finished !== undefined),
    ...(finished && { result, environment: environment as Environment | undefined }),
    created: statSync(join(folder, CONFIG)).mtime.toISOString(),
    updated: statSync(finished ? path : folder).mtime.toISOString(),
  };
}

/** Names of the arrays of a run's folder, with size and hash. */
export function arrayFiles(folder: string): Record<string, { bytes: number; sha256: string }> {
  const names = readdirSync(folder).filter((name) => /^(?!checkpoint-).*\.safetensors$/.test(name));
  return Object.fromEntries(
    names.map((name) => {
      const content = readFileSync(join(folder, name));
      return [name, { bytes: content.length, sha256: sha256(content) }];
    }),
  );
}

/** @throws StoreError when a living process holds the folder's lock. */
export function refuseIfLocked(folder: string): void {
  let owner: ProcessIdentity;
  try {
    owner = JSON.parse(readFileSync(join(folder, LOCK), 'utf8')) as ProcessIdentity;
  } catch {
    return;
  }
  if (!isAlive(owner)) return;
  throw new StoreError(
    `the run in ${folder} is already being worked on by process ${owner.pid}${elsewhere(owner)}; wait for it or stop it`,
  );
}

function rowsOf(path: string, whole: boolean): MetricsRow[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  const torn = lines.pop() !== '';
  if (torn && whole) throw new DataError(`${path} is cut short: its last row has no end`);
  return lines.map((line, i) => {
    try {
      return JSON.parse(line) as MetricsRow;
    } catch {
      throw new DataError(`${path}: row ${i + 1} is damaged`);
    }
  });
}

function json(path: string): object {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof value === 'object' && value !== null) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw toStoreError(error, 'read', path);
  }
  throw new DataError(`${path} is damaged: it is no JSON object; was the file cut?`);
}
