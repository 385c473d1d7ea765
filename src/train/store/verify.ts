import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GibbsError } from '../../core/errors.ts';
import { readSafetensorsFile, toHostTensor } from '../../core/safetensors.ts';
import { checkpointFiles } from '../checkpoint.ts';
import type { MetricsRow } from '../run.ts';
import { checksum, type NamedLeaves } from '../state-leaves.ts';
import type { Table } from './database.ts';
import { isVouchedFor } from './import-runs.ts';
import { identityOf, keyFits, type RunRecord, statusOf } from './record.ts';
import type { RunStore } from './run-store.ts';

/** Something wrong in a store, named. */
export interface Problem {
  /** The run's key, or the table of an entry that belongs to none. */
  readonly run: string;
  readonly problem: string;
}

export interface Verification {
  readonly runs: number;
  readonly rows: number;
  readonly files: number;
  readonly problems: readonly Problem[];
}

/**
 * Reads everything in a store: each entry against its checksum, each key against its content, each
 * series for order, each file of a finished run against its SHA-256, each checkpoint against the
 * checksum in it, and the last one against the final parameters that the run reported. Runs under
 * way are looked at as far as a moment allows.
 */
export function verifyStore(store: RunStore, only?: readonly string[]): Verification {
  store.database.refresh();
  const { runs, metrics, environments, changes, codes, folders } = store.tables();
  const problems: Problem[] = [];
  const records = new Map<string, RunRecord>();
  for (const { key, value, problem } of runs.scan()) {
    if (value) records.set(String(key), value);
    else problems.push({ run: String(key), problem: problem ?? '' });
  }
  const wanted = (key: string) => only === undefined || only.includes(key);
  const { rows, found } = checkSeries(metrics, records);
  problems.push(...found);
  for (const table of [environments, changes, codes, folders] as readonly Table<unknown>[]) {
    for (const { problem } of table.scan()) {
      if (problem !== undefined) problems.push({ run: table.name, problem });
    }
  }
  let files = 0;
  for (const [key, record] of records) {
    if (!wanted(key)) continue;
    const say = (problem: string) => problems.push({ run: key, problem });
    if (!isRecord(record)) {
      say('its record lacks a field; remove it with gibbs runs rm');
      continue;
    }
    if (!keyFits(record) || key !== record.key) {
      say(`its content is that of another key (seed ${identityOf(record).seed}): it was altered`);
    }
    if (changes.get(record.change) !== key) say('it is not in the order of changes');
    files += statusOf(record) === 'running' ? 0 : checkFiles(store, record, say);
  }
  return { runs: records.size, rows, files, problems: problems.filter(({ run }) => wanted(run)) };
}

function isRecord(record: RunRecord): boolean {
  return (
    typeof record.experiment === 'string' &&
    typeof record.seed === 'number' &&
    typeof record.folder === 'string' &&
    Array.isArray(record.sessions) &&
    typeof record.files === 'object'
  );
}

function checkSeries(
  metrics: Table<MetricsRow>,
  records: ReadonlyMap<string, RunRecord>,
): { rows: number; found: Problem[] } {
  const found: Problem[] = [];
  const nameless = new Set<string>();
  let rows = 0;
  for (const { key, value, problem } of metrics.scan()) {
    rows++;
    const [run, step] = key as [string, number];
    if (problem !== undefined) found.push({ run, problem });
    else if (value?.step !== step) {
      found.push({ run, problem: `row ${step} of its series says that it is row ${value?.step}` });
    }
    if (!records.has(run)) nameless.add(run);
  }
  for (const run of nameless) found.push({ run, problem: 'a metric series without its run' });
  return { rows, found };
}

function checkFiles(store: RunStore, record: RunRecord, say: (problem: string) => void): number {
  const folder = store.folder(record);
  const finished = record.status === 'finished';
  let files = 0;
  // A dead run may have been killed between a file and the record of it; both are written again.
  for (const name of finished ? Object.keys(record.files) : []) {
    files++;
    const path = join(folder, name);
    if (!existsSync(path)) say(`${path} is missing`);
    else if (!isVouchedFor(record, name, readFileSync(path))) {
      say(`${path} does not match its SHA-256: it is damaged or was altered`);
    }
  }
  const names = checkpointFiles(folder);
  for (const [i, name] of names.entries()) {
    files++;
    const said = checkpointProblem(join(folder, name));
    if (typeof said !== 'string') {
      const final = finished && i === 0 && said.step === record.step;
      if (final && record.checksum !== undefined && said.checksum !== record.checksum) {
        say(`${join(folder, name)} does not hold the final parameters that the run reported`);
      }
    } else say(said);
  }
  if (finished && names.length === 0 && !record.pruned && record.step > 0) {
    say('its final checkpoint is missing');
  }
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    if (name.endsWith('.damaged')) say(`${join(folder, name)} was found damaged and set aside`);
  }
  return files;
}

function checkpointProblem(path: string): string | { step: number; checksum: string } {
  try {
    const { tensors, metadata } = readSafetensorsFile(path);
    const leaves: NamedLeaves = Object.fromEntries(
      [...tensors].map(([name, tensor]) => [name, toHostTensor(tensor)]),
    );
    const found = checksum(leaves);
    if (found !== metadata['checksum']) return `${path} does not match its checksum`;
    return { step: Number(metadata['step']), checksum: found };
  } catch (error) {
    if (!(error instanceof GibbsError)) throw error;
    return error.message;
  }
}
