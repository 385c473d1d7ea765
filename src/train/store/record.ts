import { createHash } from 'node:crypto';
import { StoreError } from '../../core/errors.ts';
import { elsewhere, isAlive, type ProcessIdentity } from '../process-identity.ts';
import { canonicalJson, type RunIdentity, runKey } from '../run.ts';

/**
 * How a run stands. `running`: a process works on it; `dead`: that process has gone without a word
 * (killed), the run resumes when it is asked for again, as a `stopped` one does (Ctrl-C, or an
 * error of the machine); `failed`: it ended with an error of its own, e.g. a loss that is no
 * number; `finished`: its result is reused.
 */
export type RunStatus = 'running' | 'dead' | 'stopped' | 'failed' | 'finished';

export const RUN_STATUSES: readonly RunStatus[] = [
  'running',
  'dead',
  'stopped',
  'failed',
  'finished',
];

/** One stretch of work on a run by one process. Times are ISO 8601, UTC. */
export interface RunSession {
  readonly started: string;
  readonly ended?: string;
  /** The iteration that it started from. */
  readonly from?: number;
  readonly pid: number;
  readonly host: string;
  /** Key of what it was computed with, see `RunStore.environment`. */
  readonly environment: string;
}

/** A file of a run's folder that its record vouches for. */
export interface StoredFile {
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

/** All that the store knows of a run but its metric series and its arrays. Plain JSON. */
export interface RunRecord {
  /** `<experiment>/<hash>-s<seed>`, unique in a store. */
  readonly key: string;
  readonly experiment: string;
  /** The resolved configuration, plain JSON, without the seed. */
  readonly config: unknown;
  readonly seed: number;
  /** Version of the code that computes it (see code-version.ts); empty for a run of before. */
  readonly code: string;
  /** As written; a killed process leaves `running` behind. `statusOf` tells `dead` from it. */
  readonly status: Exclude<RunStatus, 'dead'>;
  /** When the run was first asked for; ISO 8601, UTC, as `updated`. */
  readonly created: string;
  readonly updated: string;
  /** Iterations done, as far as the last row of its metric series or checkpoint tells. */
  readonly step: number;
  /** Seconds of training over all sessions, compilation included, as of the last checkpoint. */
  readonly seconds: number;
  /** The latest twenty. */
  readonly sessions: readonly RunSession[];
  /** How often it was started or resumed. */
  readonly starts: number;
  /** Folder of its arrays, relative to the store's place. */
  readonly folder: string;
  readonly files: Readonly<Record<string, StoredFile>>;
  /** Who works on it; `token` tells apart two openings by one process. */
  readonly owner?: ProcessIdentity & { readonly token: string; readonly since: string };
  /** Why it failed. */
  readonly error?: string;
  /** The checkpoint kept for the best value of a metric. */
  readonly best?: { readonly step: number; readonly metric: string; readonly value: number };
  /** What the experiment left at its end, apart from key, configuration, seed and environment. */
  readonly result?: Readonly<Record<string, unknown>>;
  /** SHA-256 of the final state: equal exactly when two runs ended bit-identical. */
  readonly checksum?: string;
  /** How the run was asked for, e.g. preset and sweep; not part of what it is. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Set once its checkpoints were given up to save space. */
  readonly pruned?: boolean;
  /** Number of the store's change that wrote this record. */
  readonly change: number;
}

/** The status, with `dead` told from `running`. */
export function statusOf(record: RunRecord): RunStatus {
  if (record.status !== 'running') return record.status;
  return record.owner && isAlive(record.owner) ? 'running' : 'dead';
}

/** The final numbers of a run (`metrics` or `numbers` of its result), where it has any. */
export function numbersOf(record: RunRecord): Readonly<Record<string, unknown>> {
  const { metrics, numbers } = record.result ?? {};
  const found = metrics ?? numbers;
  return typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : {};
}

/** @throws StoreError when a living process works on the run. */
export function refuseIfWorkedOn(record: RunRecord): void {
  const { owner, key, status } = record;
  if (status !== 'running' || !owner || !isAlive(owner)) return;
  throw new StoreError(
    `run ${key} is already being worked on by process ${owner.pid}${elsewhere(owner)} since ${owner.since}; wait for it or stop it`,
  );
}

/** The identity that a record stands for. */
export function identityOf({ experiment, config, seed, code }: RunRecord): RunIdentity {
  return { experiment, config, seed, ...(code !== '' && { code }) };
}

/** Whether a record's key is that of its own content. */
export function keyFits(record: RunRecord): boolean {
  return runKey(identityOf(record)) === record.key;
}

/** Two runs of one key with other content: a collision of the shortened hash, or a damaged entry. */
export function refuseIfAnother(record: RunRecord, identity: RunIdentity): void {
  if (canonicalJson(record.config) === canonicalJson(identity.config)) return;
  throw new StoreError(
    `run ${record.key} is in the store with another configuration; remove it with gibbs runs rm, or use another store`,
  );
}

export function sha256(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
