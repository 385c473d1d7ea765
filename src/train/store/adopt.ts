import { existsSync, readdirSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { GibbsError } from '../../core/errors.ts';
import { checkpointFiles } from '../checkpoint.ts';
import type { Environment } from '../environment.ts';
import { canonicalJson, type RunIdentity, runKey } from '../run.ts';
import {
  arrayFiles,
  type FolderRun,
  isRunFolder,
  readFolderRun,
  refuseIfLocked,
} from './folder-run.ts';
import { type RunRecord, sha256 } from './record.ts';
import type { Inside, RunStore, Unnumbered } from './run-store.ts';

/*
 * Runs that lie under the place as plain folders, from before there was a store. Their numbers were
 * reused for an equal configuration, revision included, whatever the code; the first time that an
 * experiment asks for one in the store, it is taken to be of the code at that moment, and from then
 * on reused for that code version alone.
 */

/**
 * The run of an identity, taken over from a folder of before where it lies in one.
 * @throws DataError when that folder is damaged; StoreError when a process works in it.
 */
export function findRun(
  root: string,
  identity: RunIdentity,
  open: () => RunStore | undefined,
  onNotice: (text: string) => void = () => {},
): RunRecord | undefined {
  const { code: _, ...before } = identity;
  const folder = join(root, runKey(before));
  const store = open();
  const exact = store?.get(runKey(identity));
  if (!store || exact) return exact;
  const old = store.get(runKey(before));
  if (!old && (store.hasTaken(runKey(before)) || !isRunFolder(folder))) return undefined;
  const record = old ? store.rename(old, identity) : adoptFolder(store, folder, identity);
  onNotice(`${runKey(before)}, a run from before there was a store, is taken into it`);
  return record;
}

/** Takes a run of a folder below the store's place into the store; its files stay where they are. */
export function adoptFolder(store: RunStore, folder: string, identity?: RunIdentity): RunRecord {
  refuseIfLocked(folder);
  const run = readFolderRun(folder);
  const place = relative(store.place, folder).split(sep).join('/');
  const record = recordOf(run, identity ?? run.identity, place);
  return store.update(record.key, (present, inside) => {
    // Otherwise another process was faster.
    if (present) return undefined;
    inside.takeFolder(place);
    putFolderRun(run, inside);
    return record;
  })!;
}

/**
 * Takes all runs of before under the store's place into it, so that listings show them.
 * @returns how many, and what is wrong with those that could not be taken.
 */
export function adoptAll(store: RunStore): { adopted: number; problems: string[] } {
  let adopted = 0;
  const problems: string[] = [];
  for (const name of runFolders(store.place)) {
    if (store.hasTaken(name)) continue;
    try {
      adoptFolder(store, join(store.place, name));
      adopted++;
    } catch (error) {
      if (!(error instanceof GibbsError)) throw error;
      problems.push(error.message);
    }
  }
  return { adopted, problems };
}

/** Folders of plain runs below a place, `<experiment>/<hash>-s<seed>`. */
export function runFolders(place: string): string[] {
  const below = (folder: string) =>
    existsSync(folder)
      ? readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
      : [];
  return below(place).flatMap(({ name: experiment }) =>
    below(join(place, experiment))
      .map(({ name }) => `${experiment}/${name}`)
      .filter((name) => isRunFolder(join(place, name))),
  );
}

/** Series and environment of a run that came from a folder. */
export function putFolderRun(run: FolderRun, inside: Inside): void {
  const { environment } = run;
  if (environment) inside.putEnvironment(environmentKey(environment), environment);
  for (const row of run.rows) inside.putMetrics(row);
}

/** The record of a run that lies in a folder. */
export function recordOf(run: FolderRun, identity: RunIdentity, folder: string): Unnumbered {
  const { result = {}, environment, created, updated } = run;
  const { steps, seconds, checksum } = result;
  const latest = checkpointFiles(run.folder)[0];
  const reached = latest === undefined ? 0 : Number(/\d+/.exec(latest)?.[0]);
  const session = environment && {
    started: created,
    ended: updated,
    pid: 0,
    host: '',
    environment: environmentKey(environment),
  };
  return {
    key: runKey(identity),
    experiment: identity.experiment,
    config: identity.config,
    seed: identity.seed,
    code: identity.code ?? '',
    status: run.result ? 'finished' : 'stopped',
    created,
    updated,
    step: typeof steps === 'number' ? steps : reached,
    seconds: typeof seconds === 'number' ? seconds : 0,
    sessions: session ? [session] : [],
    starts: 1,
    folder,
    files: arrayFiles(run.folder),
    ...(run.result && { result }),
    ...(typeof checksum === 'string' && { checksum }),
  };
}

export function environmentKey(environment: Environment): string {
  return sha256(canonicalJson(environment)).slice(0, 16);
}
