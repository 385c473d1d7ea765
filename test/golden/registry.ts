import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { GoldenCase, GoldenFolderCase } from './golden-case.ts';

export interface Registry {
  readonly cases: readonly GoldenCase[];
  readonly folders: readonly GoldenFolderCase[];
}

/**
 * Every module of test/golden/cases/ may export `cases: GoldenCase[]` and
 * `folders: GoldenFolderCase[]`; a new file there is found without being named anywhere.
 */
export async function loadRegistry(): Promise<Registry> {
  const dir = join(import.meta.dirname, 'cases');
  const cases: GoldenCase[] = [];
  const folders: GoldenFolderCase[] = [];
  for (const file of readdirSync(dir).sort()) {
    if (!file.endsWith('.ts')) continue;
    const module = (await import(pathToFileURL(join(dir, file)).href)) as Partial<Registry>;
    if (!module.cases && !module.folders) {
      throw new Error(`test/golden/cases/${file} exports neither 'cases' nor 'folders'`);
    }
    cases.push(...(module.cases ?? []));
    folders.push(...(module.folders ?? []));
  }
  return { cases, folders };
}

/** The case with the longest prefix that `name` begins with. */
export function caseFor(registry: Registry, name: string): GoldenCase | undefined {
  let best: GoldenCase | undefined;
  for (const c of registry.cases) {
    if (name.startsWith(c.prefix) && c.prefix.length > (best?.prefix.length ?? -1)) best = c;
  }
  return best;
}
