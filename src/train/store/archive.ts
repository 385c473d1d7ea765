import { createHash, type Hash } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { ConfigError, DataError, StoreError } from '../../core/errors.ts';
import { toReadError, toStoreError } from '../../core/files.ts';
import { readAt } from '../../core/read-at.ts';
import type { Environment } from '../environment.ts';
import type { MetricsRow } from '../run.ts';
import { type RunRecord, statusOf } from './record.ts';
import type { RunStore } from './run-store.ts';

/*
 * Runs as one file, to move them between machines and to hand a task's run to the collector.
 *
 * | bytes | content |
 * | --- | --- |
 * | 8 | `GIBBSRUN` |
 * | 4 + 4 | format (1) and zero, little-endian |
 * | 8 | length of the header |
 * | … | header, JSON: every run with record, series, environments and its files' names and sizes |
 * | … | the files, one after another |
 * | 32 | SHA-256 of everything before |
 */
const MAGIC = 'GIBBSRUN';
const ARCHIVE_FORMAT = 1;
const HEAD_BYTES = 24;
const DIGEST_BYTES = 32;
const CHUNK = 1 << 22;

/** A run in an archive's header. */
export interface ArchivedRun {
  readonly record: RunRecord;
  readonly rows: readonly MetricsRow[];
  readonly environments: Readonly<Record<string, Environment>>;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
}

/** Files of a run's folder that an archive takes: arrays and series, whole checkpoints. */
const TAKEN = /^[^.].*\.(safetensors|json)$/;

/** Plain-folder bookkeeping whose content the record holds. */
const LEFT = ['config.json', 'result.json'];

/**
 * Writes runs into one file, atomically.
 * @throws ConfigError when a run is being worked on; StoreError when the file cannot be written.
 */
export function writeArchive(path: string, store: RunStore, records: readonly RunRecord[]): void {
  const busy = records.find((record) => statusOf(record) === 'running');
  if (busy) throw new ConfigError(`run ${busy.key} is under way; export it when it has ended`);
  writeRuns(
    path,
    records.map((record) => ({
      folder: store.folder(record),
      record: withoutOwner(record),
      rows: store.metrics(record.key),
      environments: environmentsOf(store, record),
    })),
  );
}

export function writeRuns(
  path: string,
  runs: readonly (Omit<ArchivedRun, 'files'> & { readonly folder: string })[],
): void {
  const listed = runs.map(({ folder, ...run }) => {
    const files = filesOf(folder).map((name) => {
      const content = readFileSync(join(folder, name));
      return { name, bytes: content.length };
    });
    return { folder, run: { ...run, files } satisfies ArchivedRun };
  });
  const header = Buffer.from(JSON.stringify({ runs: listed.map(({ run }) => run) }));
  const temporary = `${path}.${process.pid}.tmp`;
  let fd: number | undefined;
  try {
    fd = openSync(temporary, 'wx');
    const out = new Output(fd);
    const head = Buffer.alloc(HEAD_BYTES);
    head.write(MAGIC, 'latin1');
    head.writeUInt32LE(ARCHIVE_FORMAT, 8);
    head.writeBigUInt64LE(BigInt(header.length), 16);
    out.write(head);
    out.write(header);
    for (const { folder, run } of listed) {
      for (const { name, bytes } of run.files) {
        const content = readFileSync(join(folder, name));
        if (content.length !== bytes) {
          throw new StoreError(`${join(folder, name)} changed while it was exported; try again`);
        }
        out.write(content);
      }
    }
    out.end();
    fsyncSync(fd);
    renameSync(temporary, path);
  } catch (error) {
    throw toStoreError(error, 'write', path);
  } finally {
    if (fd !== undefined) closeSync(fd);
    rmSync(temporary, { force: true });
  }
}

class Output {
  readonly #fd: number;
  readonly #hash: Hash = createHash('sha256');

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#put(bytes);
  }

  end(): void {
    this.#put(this.#hash.digest());
  }

  #put(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
  }
}

/** An archive that has been found whole. */
export interface OpenArchive {
  readonly runs: readonly ArchivedRun[];
  /** The content of a file of a run. */
  read(run: ArchivedRun, name: string): Uint8Array;
  close(): void;
}

/**
 * Opens an archive and checks all of it.
 * @throws DataError when it is missing, no archive, cut short, damaged, or of a newer format.
 */
export function openArchive(path: string): OpenArchive {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw toReadError(error, path);
  }
  try {
    const { header, start } = readHeader(fd, path);
    const places = new Map<string, readonly [at: number, bytes: number]>();
    let at = start;
    for (const { record, files } of header.runs) {
      for (const { name, bytes } of files) {
        places.set(`${record.key}\n${name}`, [at, bytes]);
        at += bytes;
      }
    }
    const size = fstatSync(fd).size;
    if (size !== at + DIGEST_BYTES) throw cut(path, size, at + DIGEST_BYTES);
    if (!digestOf(fd, at).equals(bufferAt(fd, at, DIGEST_BYTES))) {
      throw new DataError(`${path} is damaged: its content does not match its SHA-256`);
    }
    return {
      runs: header.runs,
      read: (run, name) => {
        const [from, bytes] = places.get(`${run.record.key}\n${name}`)!;
        return readAt(fd, from, bytes);
      },
      close: () => closeSync(fd),
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function readHeader(fd: number, path: string) {
  const head = bufferAt(fd, 0, HEAD_BYTES);
  if (head.length >= MAGIC.length && head.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    throw new DataError(`${path} is no export of runs (see gibbs runs export)`);
  }
  if (head.length < HEAD_BYTES) throw cut(path, head.length);
  const format = head.readUInt32LE(8);
  if (format > ARCHIVE_FORMAT) {
    throw new DataError(
      `${path} has format ${format}, this version of Gibbs reads up to ${ARCHIVE_FORMAT}; update Gibbs`,
    );
  }
  const length = Number(head.readBigUInt64LE(16));
  const size = fstatSync(fd).size;
  if (size < HEAD_BYTES + length) throw cut(path, size);
  const text = bufferAt(fd, HEAD_BYTES, length).toString('utf8');
  try {
    const header = JSON.parse(text) as { readonly runs: readonly ArchivedRun[] };
    return { header, start: HEAD_BYTES + length };
  } catch (error) {
    throw new DataError(`${path} is damaged: its header is no JSON`, { cause: error });
  }
}

function cut(path: string, found: number, expected?: number): DataError {
  const of = expected === undefined ? 'bytes, less than its header says' : `of ${expected} bytes`;
  return new DataError(`${path} is cut or damaged: it has ${found} ${of}; write or copy it again`);
}

function bufferAt(fd: number, at: number, bytes: number): Buffer {
  return Buffer.from(readAt(fd, at, bytes).buffer);
}

function digestOf(fd: number, end: number): Buffer {
  const hash = createHash('sha256');
  for (let at = 0; at < end; at += CHUNK) hash.update(readAt(fd, at, Math.min(CHUNK, end - at)));
  return hash.digest();
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => TAKEN.test(name) && !LEFT.includes(name))
      .sort();
  } catch {
    return [];
  }
}

export function withoutOwner({ owner: _, ...record }: RunRecord): RunRecord {
  return { ...record, status: record.status === 'running' ? 'stopped' : record.status };
}

function environmentsOf(store: RunStore, record: RunRecord): Record<string, Environment> {
  const keys = new Set(record.sessions.map(({ environment }) => environment));
  const found = [...keys].map((key) => [key, store.environment(key)] as const);
  return Object.fromEntries(
    found.filter((entry): entry is readonly [string, Environment] => entry[1] !== undefined),
  );
}
