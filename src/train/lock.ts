import { linkSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { StoreError } from '../core/errors.ts';
import { toStoreError } from '../core/files.ts';
import { elsewhere, isAlive, type ProcessIdentity, thisProcess } from './process-identity.ts';

interface Owner extends ProcessIdentity {
  readonly since: string;
}

/** Together longer than the age at which a left-behind takeover is removed. */
const ATTEMPTS = 600;
const TAKEOVER_WAIT_MS = 20;

let serial = 0;

/** A file that one living process holds; left behind by a killed one, it is taken over. */
export class LockFile {
  readonly path: string;
  readonly #content: string;

  private constructor(path: string, content: string) {
    this.path = path;
    this.#content = content;
  }

  /**
   * @param what the thing locked, for the message.
   * @throws StoreError naming the process that holds it, or when the file cannot be written.
   */
  static acquire(path: string, what: string): LockFile {
    const owner: Owner = { ...thisProcess(), since: new Date().toISOString() };
    const content = JSON.stringify({ ...owner, serial: serial++ });
    const own = `${path}.${process.pid}.${serial}`;
    try {
      // Written whole beside it, then linked: nobody ever reads a lock without its owner.
      writeFileSync(own, content, { flag: 'wx' });
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (tryLink(own, path)) return new LockFile(path, content);
        removeIfDead(path, own, what);
      }
      throw new StoreError(`${what} is being taken over by another process; try again`);
    } catch (error) {
      throw toStoreError(error, 'lock', path);
    } finally {
      remove(own);
    }
  }

  /** Whether the file still is this lock (nobody removed or replaced it). */
  held(): boolean {
    return read(this.path) === this.#content;
  }

  release(): void {
    if (this.held()) remove(this.path);
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Only under a second, short-lived lock may a dead one be removed: otherwise two processes could
 * both find it dead, and the slower one remove what the faster one has just put in its place.
 */
function removeIfDead(path: string, own: string, what: string): void {
  const content = read(path);
  if (content === undefined) return;
  const owner = parse(content);
  if (owner && isAlive(owner)) throw inUse(what, owner, path);
  const takeover = `${path}.takeover`;
  if (!tryLink(own, takeover)) {
    removeIfOld(takeover);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TAKEOVER_WAIT_MS);
    return;
  }
  if (read(path) === content) remove(path);
  remove(takeover);
}

/** Held for microseconds; if it grows old, its process was killed just there. */
function removeIfOld(takeover: string): void {
  try {
    if (Date.now() - statSync(takeover).ctimeMs > 10_000) remove(takeover);
  } catch {
    // Already gone.
  }
}

function inUse(what: string, owner: Owner, path: string): StoreError {
  return new StoreError(
    `${what} is already being worked on by process ${owner.pid}${elsewhere(owner)} since ${owner.since}; wait for it or stop it (lock: ${basename(path)})`,
  );
}

function parse(content: string): Owner | undefined {
  try {
    const owner = JSON.parse(content) as Owner;
    return typeof owner.pid === 'number' ? owner : undefined;
  } catch {
    return undefined;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Already gone.
  }
}
