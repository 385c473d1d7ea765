import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../core/errors.ts';
import { toReadError } from '../core/files.ts';
import { readAt } from '../core/read-at.ts';

/*
 * The file of an LMDB environment, data version 1 on a 64-bit little-endian machine: a B+ tree of
 * pages. It is read with ordinary reads, so that a damaged file gives an error and nothing else;
 * the native library maps it into memory and can end the process.
 */

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 1;
const HEADER = 16;
const META_END = 152;
/** Where data version 2 has its magic number. */
const MAGIC_OF_VERSION_2 = 24;

const BRANCH = 1;
const LEAF = 2;
const OVERFLOW = 4;
const BIG_DATA = 1;
const SUB_DATA = 2;
const DUPLICATES = 4;

/** Deeper trees do not occur: even two keys per page would make 2^32 pages. */
const MAX_DEPTH = 32;
const NO_PAGE = 0xffffffffffffffffn;
/** Branch pages kept in memory. */
const CACHED_PAGES = 1024;

/** Keys and values of the main database; later changes by others are not seen. */
export interface LmdbReader {
  /** Number of entries. */
  readonly size: number;
  readonly pageSize: number;
  /** Levels of the tree, 0 when it is empty. */
  readonly depth: number;
  readonly branchPages: number;
  readonly leafPages: number;
  readonly overflowPages: number;
  /** A copy of the value; a string stands for its UTF-8 bytes. */
  get(key: Uint8Array | string): Uint8Array | undefined;
  /** All keys in byte order. @throws DataError where a page is damaged. */
  keys(): IterableIterator<Uint8Array>;
  /** All entries in the order of their keys. */
  entries(): IterableIterator<readonly [key: Uint8Array, value: Uint8Array]>;
  close(): void;
}

interface Meta {
  readonly pageSize: number;
  readonly flags: number;
  readonly depth: number;
  readonly pages: readonly [branch: number, leaf: number, overflow: number];
  readonly entries: number;
  readonly root: bigint;
  readonly lastPage: number;
  readonly transaction: bigint;
}

/**
 * Opens the environment in `folder` (its `data.mdb`) or a single file, for reading and without a
 * lock: for data sets that nobody writes meanwhile. The newer of the two last states is read.
 * @throws DataError when there is none, it is truncated, has another data version or is no LMDB
 *   file; StoreError when it cannot be read.
 */
export function openLmdb(folder: string): LmdbReader {
  const path = isFolder(folder) ? join(folder, 'data.mdb') : folder;
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw toReadError(error, path);
  }
  try {
    return new Environment(fd, path);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw toReadError(error, path);
  }
}

class Environment implements LmdbReader {
  readonly #fd: number;
  readonly #path: string;
  readonly #bytes: number;
  readonly #meta: Meta;
  readonly #branches = new Map<bigint, DataView>();

  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
    this.#bytes = fstatSync(fd).size;
    this.#meta = this.#readMeta();
  }

  get size(): number {
    return this.#meta.entries;
  }
  get pageSize(): number {
    return this.#meta.pageSize;
  }
  get depth(): number {
    return this.#meta.depth;
  }
  get branchPages(): number {
    return this.#meta.pages[0];
  }
  get leafPages(): number {
    return this.#meta.pages[1];
  }
  get overflowPages(): number {
    return this.#meta.pages[2];
  }

  close(): void {
    closeSync(this.#fd);
  }

  get(key: Uint8Array | string): Uint8Array | undefined {
    const wanted = typeof key === 'string' ? new TextEncoder().encode(key) : key;
    if (this.#meta.depth === 0) return undefined;
    let page = this.#meta.root;
    for (let level = 1; level < this.#meta.depth; level++) {
      const view = this.#page(page, BRANCH);
      // The first key of a branch page is empty and smaller than all.
      let low = 0;
      let high = this.#count(view);
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (compareBytes(this.#node(view, middle).key, wanted) <= 0) low = middle;
        else high = middle;
      }
      page = this.#child(view, low);
    }
    const leaf = this.#page(page, LEAF);
    let low = 0;
    let high = this.#count(leaf);
    while (low < high) {
      const middle = (low + high) >> 1;
      const order = compareBytes(this.#node(leaf, middle).key, wanted);
      if (order === 0) return this.#value(leaf, middle);
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return undefined;
  }

  *keys(): IterableIterator<Uint8Array> {
    for (const { view, index } of this.#leaves()) yield this.#node(view, index).key.slice();
  }

  *entries(): IterableIterator<readonly [Uint8Array, Uint8Array]> {
    for (const { view, index } of this.#leaves()) {
      yield [this.#node(view, index).key.slice(), this.#value(view, index)];
    }
  }

  /** Every entry in order; each page of the tree is visited once at most. */
  *#leaves(): IterableIterator<{ view: DataView; index: number }> {
    const { depth, root, pageSize } = this.#meta;
    if (depth === 0) return;
    let left = Math.ceil(this.#bytes / pageSize);
    const visit = function* (
      this: Environment,
      page: bigint,
      level: number,
    ): IterableIterator<{ view: DataView; index: number }> {
      if (left-- === 0) throw this.#fail('damaged: its tree has more pages than the file');
      const view = this.#page(page, level === depth ? LEAF : BRANCH);
      for (let index = 0; index < this.#count(view); index++) {
        if (level === depth) yield { view, index };
        else yield* visit.call(this, this.#child(view, index), level + 1);
      }
    };
    yield* visit.call(this, root, 1);
  }

  #fail(what: string): DataError {
    return new DataError(`${this.#path}: ${what}`);
  }

  #read(begin: number, length: number): DataView {
    if (begin < 0 || begin + length > this.#bytes) {
      throw this.#fail(
        `truncated: bytes ${begin} to ${begin + length} are needed, the file has ${this.#bytes}`,
      );
    }
    const bytes = readAt(this.#fd, begin, length);
    if (bytes.length < length) throw this.#fail('the file became shorter while it was read');
    return new DataView(bytes.buffer);
  }

  #readMeta(): Meta {
    if (this.#bytes < META_END) {
      throw this.#fail(`${this.#bytes} bytes are too few for an LMDB file; truncated?`);
    }
    const first = this.#parseMeta(this.#read(0, META_END));
    const second = this.#parseMeta(this.#read(first.pageSize, META_END));
    const meta = second.transaction > first.transaction ? second : first;
    const expected = (meta.lastPage + 1) * meta.pageSize;
    if (this.#bytes < expected) {
      throw this.#fail(`truncated: it has ${this.#bytes} bytes of ${expected}`);
    }
    if (meta.flags !== 0) {
      throw this.#fail(`its database has flags ${meta.flags}; only plain ones are read`);
    }
    if (meta.depth > MAX_DEPTH || (meta.depth === 0) !== (meta.root === NO_PAGE)) {
      throw this.#fail(`damaged: its tree claims depth ${meta.depth}`);
    }
    return meta;
  }

  #parseMeta(view: DataView): Meta {
    if (view.getUint32(HEADER, true) !== MAGIC) {
      if (view.getUint32(MAGIC_OF_VERSION_2, true) === MAGIC) {
        throw this.#fail(
          'LMDB data version 2, the format of lmdb-js; data sets are read in version 1, as written by the C library and by Python',
        );
      }
      throw this.#fail('no LMDB file: the magic number is missing');
    }
    const version = view.getUint32(HEADER + 4, true);
    if (version !== DATA_VERSION) {
      throw this.#fail(`LMDB data version ${version}; only version ${DATA_VERSION} is read`);
    }
    const pageSize = view.getUint32(40, true);
    if (pageSize < 256 || pageSize > 65536 || (pageSize & (pageSize - 1)) !== 0) {
      throw this.#fail(`damaged: pages of ${pageSize} bytes`);
    }
    const long = (at: number) => Number(view.getBigUint64(at, true));
    return {
      pageSize,
      flags: view.getUint16(92, true),
      depth: view.getUint16(94, true),
      pages: [long(96), long(104), long(112)],
      entries: long(120),
      root: view.getBigUint64(128, true),
      lastPage: long(136),
      transaction: view.getBigUint64(144, true),
    };
  }

  /** A page of the tree, checked to be the one and of the kind that is expected. */
  #page(number: bigint, kind: typeof BRANCH | typeof LEAF): DataView {
    const cached = kind === BRANCH ? this.#branches.get(number) : undefined;
    if (cached !== undefined) return cached;
    const { pageSize } = this.#meta;
    const view = this.#read(Number(number) * pageSize, pageSize);
    const damaged = (what: string) => this.#fail(`damaged: page ${number} ${what}`);
    if (view.getBigUint64(0, true) !== number) throw damaged('is another page');
    if ((view.getUint16(10, true) & ~0x10) !== kind) {
      throw damaged(`is no ${kind === LEAF ? 'leaf' : 'branch'} page, which the tree needs there`);
    }
    const [lower, upper] = [view.getUint16(12, true), view.getUint16(14, true)];
    // A page of 65536 bytes stores its end as 0.
    if (lower < HEADER || lower > (upper || pageSize) || upper > pageSize) {
      throw damaged('has no readable list of entries');
    }
    if (kind === BRANCH) {
      if (this.#count(view) === 0) throw damaged('has no children');
      if (this.#branches.size >= CACHED_PAGES) this.#branches.clear();
      this.#branches.set(number, view);
    }
    return view;
  }

  #count(page: DataView): number {
    return (page.getUint16(12, true) - HEADER) >> 1;
  }

  #node(page: DataView, index: number) {
    const at = page.getUint16(HEADER + 2 * index, true);
    const inside = (end: number) => at >= HEADER && end <= page.byteLength;
    if (!inside(at + 8)) throw this.#fail('damaged: an entry lies outside its page');
    const keySize = page.getUint16(at + 6, true);
    const data = at + 8 + keySize;
    if (!inside(data)) throw this.#fail('damaged: a key reaches beyond its page');
    const key = new Uint8Array(page.buffer, page.byteOffset + at + 8, keySize);
    return { at, key, data };
  }

  /** The 48-bit page number of a child. */
  #child(page: DataView, index: number): bigint {
    const { at } = this.#node(page, index);
    return BigInt(page.getUint32(at, true)) | (BigInt(page.getUint16(at + 4, true)) << 32n);
  }

  #value(page: DataView, index: number): Uint8Array {
    const { at, data } = this.#node(page, index);
    const size = page.getUint32(at, true);
    const flags = page.getUint16(at + 4, true);
    if ((flags & (SUB_DATA | DUPLICATES)) !== 0) {
      throw this.#fail('an entry holds a database of its own, which is not read');
    }
    const end = data + ((flags & BIG_DATA) === 0 ? size : 8);
    if (end > page.byteLength) throw this.#fail('damaged: a value reaches beyond its page');
    if ((flags & BIG_DATA) === 0) {
      return new Uint8Array(page.buffer, page.byteOffset + data, size).slice();
    }
    const number = page.getBigUint64(data, true);
    const begin = Number(number) * this.#meta.pageSize;
    const header = this.#read(begin, HEADER);
    const isOverflow = (header.getUint16(10, true) & ~0x10) === OVERFLOW;
    const room = header.getUint32(12, true) * this.#meta.pageSize - HEADER;
    if (header.getBigUint64(0, true) !== number || !isOverflow || size > room) {
      throw this.#fail(`damaged: page ${number} does not hold a value of ${size} bytes`);
    }
    return new Uint8Array(this.#read(begin + HEADER, size).buffer);
  }
}

/** Byte by byte; of two with the same beginning the shorter first. */
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    if (a[i] !== b[i]) return a[i] - b[i];
  }
  return a.length - b.length;
}
