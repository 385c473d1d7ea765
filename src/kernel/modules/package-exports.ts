import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The fields of a package.json that resolution reads. */
export interface PackageJson {
  readonly name?: string;
  readonly type?: string;
  readonly main?: string;
  readonly exports?: unknown;
  readonly imports?: unknown;
}

const CONDITIONS = new Set(['node', 'import', 'module-sync', 'node-addons', 'default']);

/** Reads a package.json anew when it has changed: packages may be added while the kernel runs. */
const cache = new Map<string, { stamp: number; json: PackageJson }>();

export function readPackageJson(path: string): PackageJson | undefined {
  let stamp: number;
  try {
    stamp = statSync(path).mtimeMs;
  } catch {
    return undefined;
  }
  const cached = cache.get(path);
  if (cached?.stamp === stamp) return cached.json;
  try {
    const json = JSON.parse(readFileSync(path, 'utf8')) as PackageJson;
    cache.set(path, { stamp, json });
    return json;
  } catch {
    return undefined;
  }
}

/** The nearest package.json at or above `directory`. */
export function nearestPackage(
  directory: string,
): { readonly root: string; readonly json: PackageJson } | undefined {
  for (let root = directory; ; root = dirname(root)) {
    const json = readPackageJson(join(root, 'package.json'));
    if (json !== undefined) return { root, json };
    if (dirname(root) === root) return undefined;
  }
}

/** `name` or `@scope/name`, and the subpath as `.` or `./…`. */
export function splitSpecifier(specifier: string): { name: string; subpath: string } {
  const parts = specifier.split('/');
  const name = parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
  return { name, subpath: `.${specifier.slice(name.length)}` };
}

/** The file of `subpath` in the package at `root` by the rules of ES modules in Node. */
export function packageFile(root: string, subpath: string): string | undefined {
  const json = readPackageJson(join(root, 'package.json'));
  if (json?.exports !== undefined && json.exports !== null) {
    const target = matchExports(json.exports, subpath);
    return target === undefined ? undefined : join(root, target);
  }
  if (subpath !== '.') return firstFile(join(root, subpath));
  return (
    (json?.main === undefined ? undefined : firstFile(join(root, json.main))) ??
    firstFile(join(root, 'index'))
  );
}

/** The target of a `#name` import of the package at or above `directory`. */
export function packageImport(specifier: string, directory: string): string | undefined {
  const found = nearestPackage(directory);
  if (found?.json.imports === undefined) return undefined;
  const target = matchExports(found.json.imports, specifier);
  return target?.startsWith('./') ? join(found.root, target) : target;
}

function matchExports(exports: unknown, key: string): string | undefined {
  const isMap =
    typeof exports === 'object' &&
    exports !== null &&
    !Array.isArray(exports) &&
    Object.keys(exports).some((k) => k.startsWith('.') || k.startsWith('#'));
  if (!isMap) return key === '.' ? matchConditions(exports, '') : undefined;
  const map = exports as Record<string, unknown>;
  if (key in map && !key.includes('*')) return matchConditions(map[key], '');
  let best: { pattern: string; star: string } | undefined;
  for (const pattern of Object.keys(map)) {
    const at = pattern.indexOf('*');
    if (at < 0) continue;
    const [before, after] = [pattern.slice(0, at), pattern.slice(at + 1)];
    if (key.length < pattern.length || !key.startsWith(before) || !key.endsWith(after)) continue;
    if (best === undefined || at > best.pattern.indexOf('*')) {
      best = { pattern, star: key.slice(at, key.length - after.length) };
    }
  }
  return best === undefined ? undefined : matchConditions(map[best.pattern], best.star);
}

function matchConditions(target: unknown, star: string): string | undefined {
  if (typeof target === 'string') return target.replaceAll('*', star);
  if (Array.isArray(target)) {
    for (const item of target) {
      const found = matchConditions(item, star);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (typeof target !== 'object' || target === null) return undefined;
  for (const [condition, value] of Object.entries(target)) {
    if (!CONDITIONS.has(condition)) continue;
    const found = matchConditions(value, star);
    if (found !== undefined) return found;
  }
  return undefined;
}

const EXTENSIONS = ['.ts', '.tsx', '.mts', '.cts', '.js', '.mjs', '.cjs', '.jsx', '.json', '.node'];
/** TypeScript files are imported under the name of what they compile to. */
const COMPILED: Record<string, readonly string[]> = {
  '.js': ['.ts', '.tsx', '.jsx'],
  '.mjs': ['.mts'],
  '.cjs': ['.cts'],
  '.jsx': ['.tsx'],
};

/** The file that `path` names: itself, with an extension, of its TypeScript source, or an index. */
export function firstFile(path: string): string | undefined {
  if (isFile(path)) return path;
  const extension = /\.[cm]?jsx?$/.exec(path)?.[0];
  if (extension !== undefined) {
    const stem = path.slice(0, -extension.length);
    for (const other of COMPILED[extension] ?? []) if (isFile(stem + other)) return stem + other;
  }
  for (const other of EXTENSIONS) if (isFile(path + other)) return path + other;
  const json = readPackageJson(join(path, 'package.json'));
  if (json?.main !== undefined && json.main !== '.') {
    const main = firstFile(join(path, json.main));
    if (main !== undefined) return main;
  }
  for (const other of EXTENSIONS) {
    if (isFile(join(path, `index${other}`))) return join(path, `index${other}`);
  }
  return undefined;
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}
