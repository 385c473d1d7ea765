import {
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { makeFolder } from './folders.ts';

const DIGEST_BYTES = 32;

/**
 * Bytes on disk that can be made again: what is damaged, lost or cannot be written is not there, and
 * nothing here throws. The least recently used entries go first. Processes may share a cache.
 */
export class DiskCache {
  readonly #name: string;
  readonly #extension: string;
  readonly #maxEntries: number;

  /**
   * @param name of its folder below `GIBBS_CACHE`, or below `gibbs` in the user's cache folder.
   * @param extension of its files, with the dot.
   */
  constructor(name: string, extension: string, maxEntries: number) {
    this.#name = name;
    this.#extension = extension;
    this.#maxEntries = maxEntries;
  }

  /** Where the entries lie; null when `GIBBS_CACHE=off`. */
  get folder(): string | null {
    const chosen = process.env['GIBBS_CACHE'];
    if (chosen === 'off') return null;
    if (chosen !== undefined && chosen !== '') return join(chosen, this.#name);
    const caches = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
    return join(caches, 'gibbs', this.#name);
  }

  /** The entry written under `key`, whole and as it was written. */
  read(key: string): Buffer | undefined {
    const { folder } = this;
    if (folder === null) return undefined;
    try {
      const path = this.#path(folder, key);
      const file = readFileSync(path);
      const body = file.subarray(DIGEST_BYTES);
      if (!digestOf(body).equals(file.subarray(0, DIGEST_BYTES))) return undefined;
      const now = new Date();
      utimesSync(path, now, now);
      return body;
    } catch {
      return undefined;
    }
  }

  /** Writes under a temporary name and renames, so that readers never see half an entry. */
  write(key: string, body: Uint8Array): void {
    const { folder } = this;
    if (folder === null) return;
    try {
      makeFolder(folder);
      const path = this.#path(folder, key);
      const temporary = `${path}.${crypto.randomUUID()}.tmp`;
      writeFileSync(temporary, Buffer.concat([digestOf(body), body]));
      renameSync(temporary, path);
      this.#prune(folder);
    } catch {
      // An unwritable cache costs time only.
    }
  }

  #path(folder: string, key: string): string {
    return join(folder, digestOf(key).toString('hex').slice(0, 40) + this.#extension);
  }

  #prune(folder: string): void {
    const names = readdirSync(folder).filter((name) => name.endsWith(this.#extension));
    const entries = names.map((name) => join(folder, name));
    if (entries.length <= this.#maxEntries) return;
    const byAge = entries
      .map((path) => ({ path, used: statSync(path).mtimeMs }))
      .sort((a, b) => a.used - b.used);
    for (const { path } of byAge.slice(0, entries.length - this.#maxEntries)) {
      rmSync(path, { force: true });
    }
  }
}

function digestOf(content: Uint8Array | string): Buffer {
  // Loaded when it is needed: the first cell of a kernel need not wait for it.
  const { createHash } = process.getBuiltinModule('node:crypto');
  return createHash('sha256').update(content).digest();
}
