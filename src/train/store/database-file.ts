import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { DataError } from '../../core/errors.ts';
import { toStoreError } from '../../core/files.ts';

/*
 * LMDB maps its file into memory and trusts it: a file that is no database ends the process with a
 * segmentation fault, one that was cut short with a bus error. Both are found here beforehand.
 *
 * Layout of either of the first two pages (LMDB data format 2, little-endian): the magic number at
 * byte 24, the format at 28, the page size at 48, the number of the last page at 144 and of the
 * transaction at 152.
 */
const MAGIC = 0xbeefc0de;
const FORMAT = 2;
const AT = { magic: 24, format: 28, pageSize: 48, lastPage: 144, transaction: 152 } as const;
const META_BYTES = 160;

/** @throws DataError when the file is not a whole LMDB database; a missing or empty one is fine. */
export function checkDatabaseFile(path: string): void {
  if (!existsSync(path)) return;
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const first = metaPage(fd, 0);
    const size = fstatSync(fd).size;
    if (size === 0) return;
    if (first?.pageSize === undefined) throw damaged(path, 'it does not begin as one');
    const second = metaPage(fd, first.pageSize);
    if (second?.pageSize === undefined) throw damaged(path, 'its second page is no header');
    const latest = first.transaction >= second.transaction ? first : second;
    const needed = (latest.lastPage + 1) * first.pageSize;
    // Read after the headers: another process may have made the file longer, never shorter.
    const found = fstatSync(fd).size;
    if (found < needed) throw damaged(path, `it was cut: ${found} of ${needed} bytes are there`);
  } catch (error) {
    throw error instanceof DataError ? error : toStoreError(error, 'read', path);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function metaPage(fd: number, at: number) {
  const page = Buffer.alloc(META_BYTES);
  if (readSync(fd, page, 0, META_BYTES, at) < META_BYTES) return undefined;
  if (page.readUInt32LE(AT.magic) !== MAGIC || page.readUInt32LE(AT.format) !== FORMAT) {
    return undefined;
  }
  return {
    pageSize: page.readUInt32LE(AT.pageSize),
    lastPage: Number(page.readBigUInt64LE(AT.lastPage)),
    transaction: page.readBigUInt64LE(AT.transaction),
  };
}

export function damaged(path: string, why: string): DataError {
  return new DataError(
    `${path} is no whole database: ${why}; move it away and run 'gibbs runs import' on an export, or 'gibbs runs verify' to see which runs lie beside it`,
  );
}
