import { extname } from 'node:path';
import { stampOf } from './file-stamp.ts';
import { isPackageFile } from './module-format.ts';

/** Local files that were required, as they were then. */
const required = new Map<string, string>();

/** Lets `require` read local files again when one of them has changed. */
export function dropChangedRequires(require: NodeJS.Require): void {
  const changed = [...required].some(([path, stamp]) => stampOf(path) !== stamp);
  if (!changed) return;
  for (const path of required.keys()) {
    if (extname(path) !== '.node') delete require.cache[path];
  }
  required.clear();
}

export function rememberRequires(require: NodeJS.Require): void {
  for (const path of Object.keys(require.cache)) {
    if (!isPackageFile(path) && !required.has(path)) required.set(path, stampOf(path));
  }
}
