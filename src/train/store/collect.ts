import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { toStoreError } from '../../core/files.ts';
import { checkpointFiles } from '../checkpoint.ts';
import { isRunFolder } from './folder-run.ts';
import { type RunRecord, refuseIfWorkedOn, statusOf } from './record.ts';
import type { RunStore } from './run-store.ts';
import { removeFolder } from './store-run.ts';

/** Something that was, or would be, removed. */
export interface Removed {
  readonly path: string;
  readonly bytes: number;
  readonly why: string;
}

export interface CollectOptions {
  /** Also checkpoints of finished runs, but for the final and the best one. Default true. */
  readonly checkpoints?: boolean;
  /** Also all checkpoints of finished runs: they can then be drawn, but not trained on. */
  readonly allCheckpoints?: boolean;
  /** Only says what would be removed. */
  readonly dryRun?: boolean;
}

/** Removes a run with all that belongs to it. @throws StoreError when a process works on it. */
export function removeRun(store: RunStore, record: RunRecord): void {
  // The entries first: a folder that is left behind by a kill is found by the next collection.
  store.remove(record.key, refuseIfWorkedOn);
  removeFolder(store.folder(record));
}

/**
 * Frees space: folders that no run names, halves of files and damaged files that were set aside, and
 * checkpoints that finished runs no longer need. Runs under way, and runs of before that lie in
 * folders of their own, are left alone.
 */
export function collectGarbage(store: RunStore, options: CollectOptions = {}): Removed[] {
  const { checkpoints = true, allCheckpoints = false, dryRun = false } = options;
  const removed: Removed[] = [];
  const remove = (path: string, why: string) => {
    const bytes = sizeOf(path);
    if (!dryRun) removePath(path);
    removed.push({ path, bytes, why });
  };
  // Folders are listed before records: a run that begins in between has its record by then.
  const folders = foldersOf(store.place);
  const records = store.list();
  const named = new Set(records.map(({ folder }) => folder));
  for (const folder of folders) {
    const path = join(store.place, folder);
    if (!named.has(folder) && !isRunFolder(path)) remove(path, 'no run names it');
  }
  for (const record of records) {
    if (statusOf(record) === 'running') continue;
    const folder = store.folder(record);
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      if (/^\..+\.tmp$/.test(name)) remove(join(folder, name), 'half written by a killed process');
      if (name.endsWith('.damaged')) remove(join(folder, name), 'damaged');
    }
    if (record.status !== 'finished') continue;
    const all = checkpointFiles(folder);
    const superseded = allCheckpoints ? all : checkpoints ? all.slice(1) : [];
    if (superseded.length === 0) continue;
    if (allCheckpoints && !dryRun) {
      store.update(record.key, (r) => (r ? { ...r, pruned: true } : undefined));
    }
    for (const name of superseded) {
      remove(join(folder, name), 'a checkpoint of a finished run');
    }
  }
  return removed;
}

function foldersOf(place: string): string[] {
  const below = (folder: string) =>
    existsSync(folder)
      ? readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
      : [];
  return below(place).flatMap(({ name: experiment }) =>
    below(join(place, experiment))
      .filter(({ name }) => /^[0-9a-f]{12}-s\d+$/.test(name))
      .map(({ name }) => `${experiment}/${name}`),
  );
}

function removePath(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    throw toStoreError(error, 'remove', path);
  }
}

function sizeOf(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isDirectory()) return found?.size ?? 0;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}
