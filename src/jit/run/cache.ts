import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { version as ortVersion } from 'onnxruntime-node/dist/version.js';
import { DiskCache } from '../../core/disk-cache.ts';

/** Lowered graphs on disk, so that a second process skips passes and lowering. */
const cache = new DiskCache('jit', '.onnx', 300);

/** The folder of the cache; `null` when it is turned off. */
export function cacheFolder(): string | null {
  return cache.folder;
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

function keyOf(graphHash: string, form: string): string {
  return `${graphHash} ${engineVersion()} ${form}`;
}

/** The stored model of a graph for a provider and precision (`form`); `undefined` when there is none or it is damaged. */
export function readCache(graphHash: string, form: string): CachedModel | undefined {
  // Without a cache, its version is not worked out either.
  if (cache.folder === null) return undefined;
  const body = cache.read(keyOf(graphHash, form));
  if (body === undefined) return undefined;
  return { nodeCount: body.readUInt32LE(0), bytes: new Uint8Array(body.subarray(4)) };
}

/** Stores a model, unless that is impossible. */
export function writeCache(graphHash: string, form: string, model: CachedModel): void {
  if (cache.folder === null) return;
  const body = Buffer.alloc(4 + model.bytes.length);
  body.writeUInt32LE(model.nodeCount, 0);
  body.set(model.bytes, 4);
  cache.write(keyOf(graphHash, form), body);
}
