import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DataError, StoreError } from './errors.ts';

/** What to do about the operating system's refusals, by their code. */
const ADVICE: Record<string, string> = {
  ENOSPC: 'the disk is full; free some space or choose another folder',
  EDQUOT: 'the disk quota is used up; free some space or choose another folder',
  EFBIG: 'the file is larger than the file system or the process limit allows',
  EACCES: 'permission denied; choose a folder this user may write to',
  EPERM: 'the operation is not permitted; choose a folder this user may write to',
  EROFS: 'the file system is read-only; choose another folder',
  ENOENT: 'the folder does not exist; create it first',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EISDIR: 'the path is a folder, a file name is needed',
  EMFILE: 'too many open files in this process',
  ENAMETOOLONG: 'the file name is too long',
};

/**
 * The StoreError for a failed file operation: names the path, the reason and the remedy. The
 * original error stays as `cause`; an error that already is a StoreError is returned unchanged.
 */
export function toStoreError(error: unknown, action: string, path: string): StoreError {
  if (error instanceof StoreError) return error;
  const code = (error as NodeJS.ErrnoException | null)?.code;
  const reason =
    (code !== undefined && ADVICE[code]) || (error instanceof Error ? error.message : `${error}`);
  const suffix = code === undefined ? '' : ` (${code})`;
  return new StoreError(`cannot ${action} ${path}: ${reason}${suffix}`, { cause: error });
}

/** The error for a file that cannot be read: a DataError when there is none, else a StoreError. */
export function toReadError(error: unknown, path: string): DataError | StoreError {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new DataError(`there is no file ${path}`, { cause: error });
  }
  return toStoreError(error, 'read', path);
}

/**
 * The content of a file.
 * @throws DataError when it does not exist; StoreError when it cannot be read.
 */
export function readBytes(path: string): Uint8Array {
  try {
    // A plain view: slice() of a Buffer would share memory instead of copying.
    const { buffer, byteOffset, byteLength } = readFileSync(path);
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch (error) {
    throw toReadError(error, path);
  }
}

let serial = 0;

/**
 * Writes a file so that readers see the old content or the new one, never a part: a temporary file
 * beside it, fsync, rename, fsync of the folder. Chunks are written one after another.
 * @throws StoreError when the folder is missing or not writable or the disk is full; the old
 * content then stays and the temporary file is removed.
 */
export function writeFileAtomic(
  path: string,
  content: string | Uint8Array | readonly Uint8Array[],
): void {
  const chunks =
    typeof content === 'string'
      ? [new TextEncoder().encode(content)]
      : content instanceof Uint8Array
        ? [content]
        : content;
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.${serial++}.tmp`);
  let fd: number | undefined;
  let created = false;
  try {
    fd = openSync(temporary, 'wx', 0o666);
    created = true;
    for (const chunk of chunks) writeFully(fd, chunk);
    fsyncSync(fd);
    closeSync(fd);
    fd = undefined;
    renameSync(temporary, path);
    created = false;
  } catch (error) {
    throw toStoreError(error, 'write', path);
  } finally {
    if (fd !== undefined) closeSync(fd);
    if (created) unlinkSync(temporary);
  }
  syncFolder(dirname(path));
}

function writeFully(fd: number, chunk: Uint8Array): void {
  // One call writes at most about 2 GiB on Linux, and fewer bytes than asked when the disk fills.
  for (let at = 0; at < chunk.length; ) {
    at += writeSync(fd, chunk, at, Math.min(chunk.length - at, 1 << 30));
  }
}

function syncFolder(folder: string): void {
  // Makes the rename itself durable. Some systems refuse to open or sync a folder; the file is
  // complete in any case.
  let fd: number | undefined;
  try {
    fd = openSync(folder, 'r');
    fsyncSync(fd);
  } catch {
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
