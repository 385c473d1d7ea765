import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../core/errors.ts';
import { toStoreError } from '../core/files.ts';

/*
 * Writes the file of an LMDB environment, data version 1 (see lmdb.ts for reading it), in one pass:
 * entries come in the order of their keys, so that each page of the tree is written once.
 */

const PAGE = 4096;
const HEADER = 16;
const NODE = 8;
const MAGIC = 0xbeefc0de;
const BRANCH = 1;
const LEAF = 2;
const OVERFLOW = 4;
const META = 8;
const BIG_DATA = 1;
const INTEGER_KEYS = 8;
const NO_PAGE = 0xffffffffffffffffn;
const MOST_KEY_BYTES = 511;
/** Larger entries keep their value on pages of its own: at least two entries fit on a page. */
const MOST_NODE_BYTES = (((PAGE - HEADER) / 2) & ~1) - 2;

interface Entry {
  readonly key: Uint8Array;
  /** The bytes behind the key on the page. */
  readonly data: Uint8Array;
  /** Leaf: size of the value; branch: page number of the child. */
  readonly word: number;
  readonly flags: number;
}

/** The page of a level that is being filled. */
interface Open {
  readonly entries: Entry[];
  bytes: number;
}

export class LmdbWriter {
  readonly #folder: string;
  readonly #temporary: string;
  readonly #fd: number;
  /** Page being filled, from the leaves up. */
  readonly #levels: Open[] = [];
  #nextPage = 2;
  #entries = 0;
  #finished = false;
  #counts = { branch: 0, leaf: 0, overflow: 0 };
  #lastKey: Uint8Array | undefined;

  /** Begins `folder`/data.mdb; it appears when `finish` returns. @throws StoreError. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#temporary = join(folder, `.data.mdb.${process.pid}.tmp`);
    try {
      mkdirSync(folder, { recursive: true });
      this.#fd = openSync(this.#temporary, 'w');
    } catch (error) {
      throw toStoreError(error, 'write', join(folder, 'data.mdb'));
    }
  }

  /**
   * Adds an entry. @throws DataError when the key is empty, longer than 511 bytes, or not after the
   * last one in byte order; StoreError when the disk is full.
   */
  add(key: Uint8Array | string, value: Uint8Array): void {
    const bytes = typeof key === 'string' ? new TextEncoder().encode(key) : key;
    const fail = (what: string) => new DataError(`LmdbWriter: ${this.#folder}: ${what}`);
    if (bytes.length === 0 || bytes.length > MOST_KEY_BYTES) {
      throw fail(`a key of ${bytes.length} bytes, allowed are 1 to ${MOST_KEY_BYTES}`);
    }
    if (this.#lastKey !== undefined && Buffer.compare(bytes, this.#lastKey) <= 0) {
      throw fail(`the key '${Buffer.from(bytes).toString()}' comes after a larger or equal one`);
    }
    this.#lastKey = bytes;
    this.#entries++;
    const big = NODE + bytes.length + value.length > MOST_NODE_BYTES;
    const data = big ? longBytes(this.#overflow(value)) : value;
    this.#insert(0, { key: bytes, data, word: value.length, flags: big ? BIG_DATA : 0 });
  }

  /** Writes what is left and the head of the file. @throws StoreError. */
  finish(): void {
    try {
      const { root, depth } = this.#closeTree();
      this.#meta(root, depth);
      fsyncSync(this.#fd);
      closeSync(this.#fd);
      this.#finished = true;
      renameSync(this.#temporary, join(this.#folder, 'data.mdb'));
    } catch (error) {
      throw toStoreError(error, 'write', join(this.#folder, 'data.mdb'));
    }
  }

  /** Gives up: nothing of an unfinished file stays. */
  abort(): void {
    if (this.#finished) return;
    closeSync(this.#fd);
    rmSync(this.#temporary, { force: true });
  }

  #insert(level: number, entry: Entry): void {
    this.#levels[level] ??= { entries: [], bytes: HEADER };
    const open = this.#levels[level];
    const size = 2 + nodeBytes(entry);
    if (open.bytes + size > PAGE) {
      this.#flush(level);
      // The smallest key of a branch page is left empty: it stands for all smaller ones.
      this.#insert(level, entry);
      return;
    }
    open.entries.push(entry);
    open.bytes += size;
  }

  /** Writes the page of a level and enters it in the level above; returns its number. */
  #flush(level: number): number {
    const { entries } = this.#levels[level];
    const page = this.#nextPage++;
    const isLeaf = level === 0;
    this.#counts[isLeaf ? 'leaf' : 'branch']++;
    this.#write(page, pageOf(page, entries, isLeaf));
    this.#levels[level] = { entries: [], bytes: HEADER };
    const child = { key: entries[0].key, data: new Uint8Array(), word: page, flags: 0 };
    this.#insert(level + 1, child);
    return page;
  }

  #closeTree(): { root: bigint; depth: number } {
    if (this.#entries === 0) return { root: NO_PAGE, depth: 0 };
    for (let level = 0; ; level++) {
      const isTop = level === this.#levels.length - 1;
      if (level > 0 && isTop && this.#levels[level].entries.length === 1) {
        return { root: BigInt(this.#levels[level].entries[0].word), depth: level };
      }
      if (this.#levels[level].entries.length > 0) this.#flush(level);
    }
  }

  #overflow(value: Uint8Array): number {
    const page = this.#nextPage;
    const pages = Math.ceil((HEADER + value.length) / PAGE);
    this.#nextPage += pages;
    this.#counts.overflow += pages;
    const bytes = new Uint8Array(pages * PAGE);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt(page), true);
    view.setUint16(10, OVERFLOW, true);
    view.setUint32(12, pages, true);
    bytes.set(value, HEADER);
    this.#write(page, bytes);
    return page;
  }

  #meta(root: bigint, depth: number): void {
    for (const page of [0, 1]) {
      const view = new DataView(new ArrayBuffer(PAGE));
      view.setBigUint64(0, BigInt(page), true);
      view.setUint16(10, META, true);
      view.setUint32(16, MAGIC, true);
      view.setUint32(20, 1, true);
      view.setBigUint64(32, BigInt(this.#nextPage * PAGE), true);
      // The list of free pages: empty. Its first word is the page size.
      view.setUint32(40, PAGE, true);
      view.setUint16(44, INTEGER_KEYS, true);
      view.setBigUint64(80, NO_PAGE, true);
      view.setUint16(94, depth, true);
      const { branch, leaf, overflow } = this.#counts;
      [branch, leaf, overflow, this.#entries].forEach((n, i) => {
        view.setBigUint64(96 + 8 * i, BigInt(n), true);
      });
      view.setBigUint64(128, root, true);
      view.setBigUint64(136, BigInt(this.#nextPage - 1), true);
      view.setBigUint64(144, BigInt(page), true);
      this.#write(page, new Uint8Array(view.buffer));
    }
  }

  #write(page: number, bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length; ) {
        at += writeSync(this.#fd, bytes, at, bytes.length - at, page * PAGE + at);
      }
    } catch (error) {
      throw toStoreError(error, 'write', join(this.#folder, 'data.mdb'));
    }
  }
}

/** Entries grow from the end of the page, their places from the front; both keep even addresses. */
function pageOf(page: number, entries: readonly Entry[], isLeaf: boolean): Uint8Array {
  const bytes = new Uint8Array(PAGE);
  const view = new DataView(bytes.buffer);
  let upper = PAGE;
  entries.forEach((entry, i) => {
    const key = !isLeaf && i === 0 ? new Uint8Array() : entry.key;
    upper -= nodeBytes({ ...entry, key });
    view.setUint16(HEADER + 2 * i, upper, true);
    view.setUint32(upper, entry.word % 2 ** 32, true);
    // A branch has the high bits of the page number where a leaf has flags.
    view.setUint16(upper + 4, isLeaf ? entry.flags : Math.floor(entry.word / 2 ** 32), true);
    view.setUint16(upper + 6, key.length, true);
    bytes.set(key, upper + NODE);
    bytes.set(entry.data, upper + NODE + key.length);
  });
  view.setBigUint64(0, BigInt(page), true);
  view.setUint16(10, isLeaf ? LEAF : BRANCH, true);
  view.setUint16(12, HEADER + 2 * entries.length, true);
  view.setUint16(14, upper, true);
  return bytes;
}

function nodeBytes({ key, data }: Pick<Entry, 'key' | 'data'>): number {
  const bytes = NODE + key.length + data.length;
  return bytes + (bytes & 1);
}

function longBytes(page: number): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, BigInt(page), true);
  return out;
}
