import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** Version of Gibbs itself. */
export function gibbsVersion(): string {
  return versionIn(new URL('../../package.json', import.meta.url)) ?? 'unknown';
}

/**
 * Version of an installed package, undefined where it is not found. Looks for its package.json
 * directly, since many packages do not export it.
 * @param from URL or path of the file that would import it.
 */
export function packageVersion(name: string, from: string = import.meta.url): string | undefined {
  for (const folder of createRequire(from).resolve.paths(name) ?? []) {
    const version = versionIn(join(folder, name, 'package.json'));
    if (version !== undefined) return version;
  }
  return undefined;
}

function versionIn(file: string | URL): string | undefined {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { version?: string }).version;
  } catch {
    return undefined;
  }
}
