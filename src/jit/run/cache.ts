import { createHash } from 'node:crypto';
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
import { fileURLToPath } from 'node:url';
import { version as ortVersion } from 'onnxruntime-node/dist/version.js';
import { makeFolder } from '../../core/folders.ts';

/*
 * Lowered graphs on disk, so that a second process skips passes and lowering. A cache may be lost
 * or unwritable at any time: every failure here means "compile again", never an error.
 */

const MAX_ENTRIES = 300;
const DIGEST_BYTES = 32;

/** `GIBBS_CACHE`, or `gibbs/jit` in the user's cache folder; `GIBBS_CACHE=off` turns it off. */
export function cacheFolder(): string | null {
  const chosen = process.env['GIBBS_CACHE'];
  if (chosen === 'off') return null;
  if (chosen !== undefined && chosen !== '') return join(chosen, 'jit');
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'gibbs', 'jit');
}

let engineDigest: string | undefined;

/** Changes whenever the engine's own code does, so that an entry never outlives its compiler. */
function engineVersion(): string {
  if (engineDigest === undefined) {
    const hash = createHash('sha256').update(ortVersion);
    const visit = (folder: string): void => {
      const entries = readdirSync(folder, { withFileTypes: true });
      for (const e of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
        const path = join(folder, e.name);
        if (e.isDirectory()) visit(path);
        else if (/(?<!\.d)\.(ts|js)$/.test(e.name)) hash.update(readFileSync(path));
      }
    };
    visit(fileURLToPath(new URL('..', import.meta.url)));
    engineDigest = hash.digest('hex');
  }
  return engineDigest;
}

export interface CachedModel {
  readonly bytes: Uint8Array;
  readonly nodeCount: number;
}

function entryPath(folder: string, graphHash: string, provider: string): string {
  const key = createHash('sha256').update(`${graphHash} ${engineVersion()} ${provider}`);
  return join(folder, `${key.digest('hex').slice(0, 40)}.onnx`);
}

/** The stored model of a graph; `undefined` when there is none or it is damaged. */
export function readCache(graphHash: string, provider: string): CachedModel | undefined {
  const folder = cacheFolder();
  if (folder === null) return undefined;
  try {
    const path = entryPath(folder, graphHash, provider);
    const file = readFileSync(path);
    const digest = file.subarray(0, DIGEST_BYTES);
    const body = file.subarray(DIGEST_BYTES);
    if (!createHash('sha256').update(body).digest().equals(digest)) return undefined;
    const now = new Date();
    utimesSync(path, now, now);
    return { nodeCount: body.readUInt32LE(0), bytes: new Uint8Array(body.subarray(4)) };
  } catch {
    return undefined;
  }
}

/** Stores a model under a temporary name and renames it, so that readers never see half of one. */
export function writeCache(graphHash: string, provider: string, model: CachedModel): void {
  const folder = cacheFolder();
  if (folder === null) return;
  try {
    makeFolder(folder);
    const body = Buffer.alloc(4 + model.bytes.length);
    body.writeUInt32LE(model.nodeCount, 0);
    body.set(model.bytes, 4);
    const path = entryPath(folder, graphHash, provider);
    const temporary = `${path}.${process.pid}.tmp`;
    writeFileSync(temporary, Buffer.concat([createHash('sha256').update(body).digest(), body]));
    renameSync(temporary, path);
    prune(folder);
  } catch {
    // An unwritable cache costs time only.
  }
}

function prune(folder: string): void {
  const entries = readdirSync(folder).map((name) => join(folder, name));
  if (entries.length <= MAX_ENTRIES) return;
  const byAge = entries
    .map((path) => ({ path, used: statSync(path).mtimeMs }))
    .sort((a, b) => a.used - b.used);
  for (const { path } of byAge.slice(0, entries.length - MAX_ENTRIES))
    rmSync(path, { force: true });
}
