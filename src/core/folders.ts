import { mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { toStoreError } from './files.ts';

/**
 * Makes a folder and those above it. Node's own recursive `mkdir` never returns where a folder
 * exists but refuses children with "no such file" (/proc).
 * @throws StoreError naming the folder that could not be made.
 */
export function makeFolder(path: string): void {
  const missing: string[] = [];
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    try {
      mkdirSync(folder);
      break;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') break;
      if (code !== 'ENOENT' || folder === dirname(folder)) {
        throw toStoreError(error, 'create', folder);
      }
      missing.push(folder);
    }
  }
  for (const folder of missing.reverse()) {
    try {
      mkdirSync(folder);
    } catch (error) {
      const existsByNow = (error as NodeJS.ErrnoException).code === 'EEXIST';
      if (!existsByNow) throw toStoreError(error, 'create', folder);
    }
  }
}
