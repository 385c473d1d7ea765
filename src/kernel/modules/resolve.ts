import { existsSync, realpathSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GibbsError } from '../../core/errors.ts';
import {
  firstFile,
  nearestPackage,
  packageFile,
  packageImport,
  splitSpecifier,
} from './package-exports.ts';
import type { TsConfigs } from './tsconfig.ts';

/** Where an import leads. */
export type Resolved =
  | { readonly kind: 'builtin'; readonly specifier: string }
  | { readonly kind: 'virtual'; readonly name: string }
  | { readonly kind: 'file'; readonly path: string };

/** The code that Node gives a missing module, so that `error.code` tests keep working. */
export class ModuleNotFoundError extends GibbsError {
  constructor(specifier: string, from: string, hint: string) {
    super('ERR_MODULE_NOT_FOUND', `Cannot find module '${specifier}' imported from ${from}${hint}`);
    this.name = 'Error';
  }
}

/** Modules that the kernel provides itself. */
const VIRTUAL = new Set(['tslab']);

/** Folder of the package that this kernel is part of. */
export function ownPackageRoot(): string | undefined {
  let found = nearestPackage(dirname(fileURLToPath(import.meta.url)));
  while (found !== undefined && found.json.name !== 'gibbs') {
    const above = dirname(found.root);
    found = above === found.root ? undefined : nearestPackage(above);
  }
  return found?.root;
}

/** Resolves imports of cells and of local files. */
export class Resolver {
  readonly #tsconfigs: TsConfigs;
  readonly #ownRoot = ownPackageRoot();

  constructor(tsconfigs: TsConfigs) {
    this.#tsconfigs = tsconfigs;
  }

  /**
   * @param specifier as written.
   * @param directory folder of the importing file or notebook.
   * @throws ModuleNotFoundError
   */
  resolve(specifier: string, directory: string, from: string): Resolved {
    if (VIRTUAL.has(specifier)) return { kind: 'virtual', name: specifier };
    if (isBuiltin(specifier)) return { kind: 'builtin', specifier };
    if (/^(data|https?|blob):/.test(specifier)) return { kind: 'builtin', specifier };
    const path = this.#path(specifier, directory);
    if (path === undefined) {
      throw new ModuleNotFoundError(specifier, from, hintFor(specifier, directory));
    }
    return { kind: 'file', path: realpathSync(path) };
  }

  #path(specifier: string, directory: string): string | undefined {
    if (specifier.startsWith('file:')) return firstFile(fileURLToPath(specifier));
    const clean = specifier.replace(/[?].*$/, '');
    if (/^\.{0,2}\//.test(clean) || /^\.{1,2}$/.test(clean) || isAbsolute(clean)) {
      return firstFile(resolve(directory, clean));
    }
    if (clean.startsWith('#')) {
      const target = packageImport(clean, directory);
      if (target === undefined) return this.#mapped(clean, directory);
      return isAbsolute(target) ? firstFile(target) : this.#bare(target, directory);
    }
    return this.#mapped(clean, directory) ?? this.#bare(clean, directory);
  }

  /** By `paths` and `baseUrl` of tsconfig.json. */
  #mapped(specifier: string, directory: string): string | undefined {
    const { paths, baseUrl } = this.#tsconfigs.nearest(directory);
    for (const [pattern, targets] of paths) {
      const [before, after] = pattern.split('*');
      let star = '';
      if (after === undefined) {
        if (specifier !== pattern) continue;
      } else {
        if (!specifier.startsWith(before) || !specifier.endsWith(after)) continue;
        star = specifier.slice(before.length, specifier.length - after.length);
      }
      for (const target of targets) {
        const file = firstFile(target.replace('*', star));
        if (file !== undefined && !file.endsWith('.d.ts')) return file;
      }
    }
    return baseUrl === undefined ? undefined : firstFile(join(baseUrl, specifier));
  }

  /** A package: of the folders above the importer, then the one that the kernel belongs to. */
  #bare(specifier: string, directory: string): string | undefined {
    const { name, subpath } = splitSpecifier(specifier);
    const own = nearestPackage(directory);
    if (own?.json.name === name && own.json.exports !== undefined) {
      const file = packageFile(own.root, subpath);
      if (file !== undefined && existsSync(file)) return file;
    }
    for (let dir = directory; ; dir = dirname(dir)) {
      const root = join(dir, 'node_modules', name);
      const file = existsSync(root) ? packageFile(root, subpath) : undefined;
      if (file !== undefined && existsSync(file)) return file;
      if (dirname(dir) === dir) break;
    }
    if (this.#ownRoot === undefined) return undefined;
    if (name === 'gibbs') return this.#ownFile(subpath);
    const root = join(this.#ownRoot, 'node_modules', name);
    const file = existsSync(root) ? packageFile(root, subpath) : undefined;
    return file !== undefined && existsSync(file) ? file : undefined;
  }

  /** A file of the package that the kernel is part of: the build, or the sources before a build. */
  #ownFile(subpath: string): string | undefined {
    const root = this.#ownRoot as string;
    const built = packageFile(root, subpath);
    if (built !== undefined && existsSync(built)) return built;
    return subpath === '.' ? firstFile(join(root, 'src', 'index.ts')) : undefined;
  }
}

function hintFor(specifier: string, directory: string): string {
  if (/^[./#]|^file:/.test(specifier) || isAbsolute(specifier)) return '';
  const { name } = splitSpecifier(specifier);
  const root = nearestPackage(directory)?.root ?? directory;
  return `. Add the package with 'npm install ${name}' in ${root}; no restart is needed.`;
}
