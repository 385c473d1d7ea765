import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, DataError } from '../../core/errors.ts';
import { writeFileAtomic } from '../../core/files.ts';
import { makeFolder } from '../../core/folders.ts';
import { thisProcess } from '../process-identity.ts';
import { runKey } from '../run.ts';
import { environmentKey, recordOf, runFolders } from './adopt.ts';
import { type ArchivedRun, type OpenArchive, openArchive, writeRuns } from './archive.ts';
import { isRunFolder, readFolderRun, refuseIfLocked } from './folder-run.ts';
import { keyFits, type RunRecord, refuseIfWorkedOn, sha256 } from './record.ts';
import type { RunStore } from './run-store.ts';

/** What became of a run of an archive. */
export interface Imported {
  readonly key: string;
  /**
   * `added`; `replaced`: it went on from an unfinished run of this store; `present`: this store has
   * it already, as far or further; `conflict`: this store has it with other final parameters, and
   * keeps its own.
   */
  readonly outcome: 'added' | 'replaced' | 'present' | 'conflict';
}

/**
 * Takes the runs of an archive into a store. Safe to repeat and to interrupt: each run is there
 * whole or not at all.
 * @throws DataError when the archive is damaged (nothing is imported then).
 */
export function importArchive(store: RunStore, path: string): Imported[] {
  const archive = openArchive(path);
  try {
    for (const run of archive.runs) check(run, path);
    return archive.runs.map((run) => importRun(store, archive, run));
  } finally {
    archive.close();
  }
}

/**
 * Imports an archive, or the run (or all runs below) of a folder of plain files.
 * @throws ConfigError when the path is neither; DataError when something there is damaged.
 */
export function importPath(store: RunStore, path: string): Imported[] {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return importArchive(store, path);
  const folders = isRunFolder(path) ? [path] : runFolders(path).map((folder) => join(path, folder));
  if (folders.length === 0) throw new ConfigError(`no run lies in the folder ${path}`);
  return folders.map((folder) => importFolder(store, folder));
}

/** Copies a run of a folder of plain files into a store. @throws DataError when it is damaged. */
export function importFolder(store: RunStore, folder: string): Imported {
  refuseIfLocked(folder);
  const temporary = join(store.place, `.import-${process.pid}-${Date.now()}.tmp`);
  try {
    writeFolderArchive(temporary, folder);
    return importArchive(store, temporary)[0];
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Writes the run of a folder of plain files as an archive: what a cluster's task hands over. */
export function writeFolderArchive(path: string, folder: string): void {
  const run = readFolderRun(folder);
  const record = { ...recordOf(run, run.identity, runKey(run.identity)), change: 0 };
  const { environment } = run;
  writeRuns(path, [
    {
      folder,
      record,
      rows: run.rows,
      environments: environment ? { [environmentKey(environment)]: environment } : {},
    },
  ]);
}

function importRun(store: RunStore, archive: OpenArchive, run: ArchivedRun): Imported {
  const { key } = run.record;
  const before = store.get(key);
  const outcome = outcomeOf(before, run.record);
  if (outcome === 'present' || outcome === 'conflict') return { key, outcome };
  const folder = before?.folder ?? key;
  const token = `import ${process.pid} ${Date.now()}`;
  const since = new Date().toISOString();
  // Claimed first: a folder without a record would be taken for a left-over.
  store.update(key, (present) => {
    if (present) refuseIfWorkedOn(present);
    const owner = { ...thisProcess(), token, since };
    return { ...run.record, folder, status: 'running', owner, files: {} };
  });
  const path = join(store.place, folder);
  makeFolder(path);
  for (const { name } of run.files) writeFileAtomic(join(path, name), archive.read(run, name));
  store.update(key, (_, inside) => {
    inside.dropMetrics(-1);
    for (const row of run.rows) inside.putMetrics(row);
    for (const [name, value] of Object.entries(run.environments)) {
      inside.putEnvironment(name, value);
    }
    return { ...run.record, folder };
  });
  return { key, outcome };
}

function outcomeOf(before: RunRecord | undefined, record: RunRecord): Imported['outcome'] {
  if (!before) return 'added';
  if (before.status !== 'finished') {
    const further = record.status === 'finished' || record.step > before.step;
    return further ? 'replaced' : 'present';
  }
  const same = record.status !== 'finished' || record.checksum === before.checksum;
  return same ? 'present' : 'conflict';
}

/** An archive is whole by its SHA-256; what is in it must also make sense. */
function check({ record, files, rows }: ArchivedRun, path: string): void {
  const names = files.map(({ name }) => name);
  const safe = names.every((name) => /^[\w-]+(\.[\w-]+)+$/.test(name));
  const missing = Object.keys(record.files).find((name) => !names.includes(name));
  if (!keyFits(record) || !safe || missing !== undefined || !Array.isArray(rows)) {
    throw new DataError(
      `${path}: run ${record.key} is not consistent${missing === undefined ? '' : `: its file ${missing} is missing`}; export it again`,
    );
  }
}

/** Whether a content is the one that a record vouches for. */
export function isVouchedFor(record: RunRecord, name: string, content: Uint8Array): boolean {
  const file = record.files[name];
  return file?.bytes === content.length && file.sha256 === sha256(content);
}
