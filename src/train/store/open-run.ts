import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Computation, codeVersion, sourcesDigest } from '../code-version.ts';
import {
  canonicalJson,
  finishedResult,
  type OpenRun,
  RunFolder,
  type RunIdentity,
  runKey,
} from '../run.ts';
import { findRun } from './adopt.ts';
import { storeExists } from './layout.ts';
import { type RunRecord, sha256 } from './record.ts';
import { RunStore } from './run-store.ts';
import { StoreRun, type StoreRunOptions } from './store-run.ts';

/** Where runs are kept: a store, or plain folders (a shard of a cluster's task). */
export interface RunPlace {
  readonly root: string;
  /** Folders of plain files instead of a store, for a network file system. */
  readonly plain?: boolean;
}

export interface FinishedRun {
  /** What the experiment left, with key, configuration, seed and environment. */
  readonly result: unknown;
  /** Folder of its arrays. */
  readonly folder: string;
}

/**
 * A finished run, or undefined when it is new, dead or still under way.
 * @throws StoreError, DataError as `RunStore.open`.
 */
export function finishedRun(
  { root, plain }: RunPlace,
  identity: RunIdentity,
  onNotice?: (text: string) => void,
): FinishedRun | undefined {
  if (plain) {
    const result = finishedResult(root, identity);
    return result === undefined ? undefined : { result, folder: join(root, runKey(identity)) };
  }
  const record = findRun(root, identity, () => storeFor(root, identity), onNotice);
  return record?.status === 'finished' ? finishedOf(RunStore.open(root), record) : undefined;
}

/** Whether a place may hold the run: without a store or a folder of before there is none to ask. */
export function mayHold({ root, plain }: RunPlace): boolean {
  return plain === true || existsSync(root);
}

/** Opens a run to work on it, in its store or as a folder. @throws as `StoreRun.open`. */
export function openRun(options: StoreRunOptions & RunPlace): OpenRun {
  if (options.plain) return RunFolder.open(options);
  const { root, onNotice } = options;
  findRun(root, options, () => RunStore.open(root), onNotice);
  return StoreRun.open(RunStore.open(root), options);
}

/** What a finished run's experiment left, put together from its record. */
export function finishedOf(store: RunStore, record: RunRecord): FinishedRun {
  const { key, config, seed, result, sessions } = record;
  const last = sessions.at(-1);
  const environment = last && store.environment(last.environment);
  return {
    result: { key, config, seed, ...result, ...(environment && { environment }) },
    folder: store.folder(record),
  };
}

/** A look-up makes no store, unless there is a run of before to take into it. */
function storeFor(root: string, { code: _, ...before }: RunIdentity): RunStore | undefined {
  const wanted = storeExists(root) || existsSync(join(root, runKey(before)));
  return wanted ? RunStore.open(root) : undefined;
}

/**
 * The code version of a run, remembered in the store until a source file changes.
 * @param computation is asked for only when it is not known.
 */
export function rememberedCodeVersion(
  { root, plain }: RunPlace,
  identity: RunIdentity,
  computation: () => Computation,
): string {
  const store = plain ? undefined : RunStore.find(root);
  if (!store) return codeVersion(computation());
  const { experiment, config } = identity;
  const of = canonicalJson({ experiment, config, sources: sourcesDigest() });
  return store.memo(sha256(of), () => codeVersion(computation()));
}
