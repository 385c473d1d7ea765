import { existsSync, readdirSync, renameSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { DataError, GibbsError } from '../core/errors.ts';
import { toStoreError } from '../core/files.ts';
import { readSafetensorsFile, toHostTensor, writeSafetensorsFile } from '../core/safetensors.ts';
import type { HostState } from '../objectives/objective.ts';
import { checksum, namedLeaves, stateFrom } from './state-leaves.ts';

/** Sums of each metric since the last row of the log, so that a resumed mean is exact. */
export interface MetricWindow {
  readonly count: number;
  readonly sums: Readonly<Record<string, number>>;
}

/** All that a run needs to go on as if it had never stopped. */
export interface Checkpoint {
  /** Iterations done. */
  readonly step: number;
  readonly state: HostState;
  /** Seconds of training so far, over all sessions. */
  readonly seconds: number;
  readonly window: MetricWindow;
}

/** A checkpoint in a folder, with the length of the metrics file when it was taken. */
export interface StoredCheckpoint extends Checkpoint {
  readonly metricsBytes: number;
}

const FORMAT = '1';
const NAME = /^checkpoint-(\d{9})\.safetensors$/;

/** How many checkpoints a folder keeps by default: the latest, and one more should that be damaged. */
const KEEP = 2;

const fileName = (step: number) => `checkpoint-${String(step).padStart(9, '0')}.safetensors`;

/**
 * Writes a checkpoint atomically, then removes all but the latest.
 * @param identity strings kept beside the state, e.g. configuration and seed.
 * @param keep how many to keep, at least 1.
 * @returns its file name.
 * @throws StoreError when the folder cannot be written or the disk is full; older checkpoints stay.
 */
export function writeCheckpoint(
  folder: string,
  checkpoint: StoredCheckpoint,
  identity: Readonly<Record<string, string>> = {},
  keep: number = KEEP,
): string {
  const leaves = namedLeaves(checkpoint.state);
  const written = fileName(checkpoint.step);
  writeSafetensorsFile(join(folder, written), leaves, {
    ...identity,
    format: FORMAT,
    step: String(checkpoint.step),
    seconds: String(checkpoint.seconds),
    metricsBytes: String(checkpoint.metricsBytes),
    window: JSON.stringify(checkpoint.window),
    checksum: checksum(leaves),
  });
  for (const name of checkpointFiles(folder).slice(Math.max(1, keep))) {
    try {
      unlinkSync(join(folder, name));
    } catch (error) {
      throw toStoreError(error, 'remove', join(folder, name));
    }
  }
  return written;
}

/**
 * The latest checkpoint that is whole; undefined where there is none yet. A damaged one is renamed
 * to `*.damaged`, named in a notice, and the one before it is taken.
 * @param template a state of the structure and shapes expected, e.g. the initial one.
 * @throws DataError when there are checkpoints and all are damaged.
 */
export function readLatestCheckpoint(
  folder: string,
  template: HostState,
  onNotice: (text: string) => void = () => {},
): StoredCheckpoint | undefined {
  const files = checkpointFiles(folder);
  const damaged: string[] = [];
  let found: StoredCheckpoint | undefined;
  let reason = '';
  for (const name of files) {
    try {
      found = readCheckpoint(join(folder, name), template);
      break;
    } catch (error) {
      if (!(error instanceof GibbsError)) throw error;
      damaged.push(name);
      reason = error.message;
      onNotice(`damaged checkpoint left out: ${reason}`);
    }
  }
  if (found === undefined && damaged.length > 0) {
    throw new DataError(
      `no checkpoint in ${folder} can be read, ${damaged.length} of ${files.length} are damaged (${reason}); start over with --fresh`,
    );
  }
  for (const name of damaged) setAside(join(folder, name));
  return found;
}

/**
 * Reads and checks one checkpoint.
 * @throws DataError when it is damaged or of another structure than `template`.
 */
export function readCheckpoint(path: string, template: HostState): StoredCheckpoint {
  const { tensors, metadata } = readSafetensorsFile(path);
  if (metadata['format'] !== FORMAT) {
    throw new DataError(
      `${path}: checkpoint format ${metadata['format'] ?? 'unknown'}, this version reads ${FORMAT}`,
    );
  }
  const leaves = Object.fromEntries(
    [...tensors].map(([name, tensor]) => [name, toHostTensor(tensor)]),
  );
  if (checksum(leaves) !== metadata['checksum']) {
    throw new DataError(`${path}: its content does not match its checksum`);
  }
  return {
    step: count(metadata['step'], 'step', path),
    seconds: Number(metadata['seconds']),
    metricsBytes: count(metadata['metricsBytes'], 'metricsBytes', path),
    window: JSON.parse(metadata['window']) as MetricWindow,
    state: stateFrom(template, leaves, path),
  };
}

/** Names of the checkpoints of a folder, latest first. */
export function checkpointFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  try {
    return readdirSync(folder)
      .filter((name) => NAME.test(name))
      .sort()
      .reverse();
  } catch (error) {
    throw toStoreError(error, 'read', folder);
  }
}

function setAside(path: string): void {
  try {
    renameSync(path, `${path}.damaged`);
  } catch {
    // Only tidiness: the file will be found damaged again.
  }
}

function count(text: string | undefined, what: string, path: string): number {
  const value = Number(text);
  if (text === undefined || !Number.isSafeInteger(value) || value < 0) {
    throw new DataError(`${path}: '${what}' must be a count, is ${JSON.stringify(text)}`);
  }
  return value;
}
