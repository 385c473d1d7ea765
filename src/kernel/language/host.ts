import { statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import ts from 'typescript';
import { gibbsEntry, type Project, packageRoot } from './project.ts';

interface VirtualFile {
  readonly text: string;
  readonly version: number;
}

/** Set from outside the thread: the request with this id is to be given up. */
export interface Cancellation {
  readonly cancelled: Int32Array;
  current: number;
}

/**
 * What the language service sees: files that exist only here (the cells), which must lie in `cwd`
 * so that their relative imports do, over the real file system.
 */
export interface CellHost extends ts.LanguageServiceHost {
  /** Creates or replaces a virtual file; the same text again costs nothing. */
  write(name: string, text: string): void;
  path(name: string): string;
  text(path: string): string | undefined;
  remove(name: string): void;
  clear(): void;
  /** What modules resolved to, and the package.json files that said so. */
  getModuleResolutionCache(): ts.ModuleResolutionCache;
  /** Real files edited since the last call are seen as changed from now on; true if there are any. */
  refresh(): boolean;
}

/** `roots`: the virtual files that are the program, beside the project's own. */
export function createCellHost(
  cwd: string,
  project: Project,
  roots: readonly string[],
  cancellation: Cancellation,
): CellHost {
  const virtual = new Map<string, VirtualFile>();
  const versions = new Map<string, string>();
  const snapshots = new Map<string, { version: string; snapshot: ts.IScriptSnapshot }>();
  const path = (name: string) => join(cwd, name);
  const rootPaths = [...roots.map(path), ...project.roots];
  const resolutions = ts.createModuleResolutionCache(cwd, (file) => file, project.options);
  const manifest = path('package.json');
  let manifestStamp = stampOf(manifest);
  let stamp = 0;

  const fileExists = (file: string) => virtual.has(file) || ts.sys.fileExists(file);
  const readFile = (file: string) => virtual.get(file)?.text ?? ts.sys.readFile(file);

  const version = (file: string): string => {
    const ours = virtual.get(file);
    if (ours) return String(ours.version);
    let known = versions.get(file);
    if (known === undefined) {
      known = stampOf(file);
      versions.set(file, known);
    }
    return known;
  };

  const host: CellHost = {
    path,
    text: (file) => virtual.get(file)?.text,
    write(name, text) {
      const file = path(name);
      if (virtual.get(file)?.text !== text) virtual.set(file, { text, version: ++stamp });
    },
    remove(name) {
      virtual.delete(path(name));
      snapshots.delete(path(name));
    },
    clear() {
      for (const file of virtual.keys()) snapshots.delete(file);
      virtual.clear();
    },
    // Without it, every new program looks for the package.json of each of its files again.
    getModuleResolutionCache: () => resolutions,
    refresh() {
      // Installed packages do not change under a running kernel; local files do.
      let isEdited = false;
      for (const [file, known] of versions) {
        if (file.includes('/node_modules/')) continue;
        const now = stampOf(file);
        if (now === known) continue;
        versions.set(file, now);
        isEdited = true;
      }
      const now = stampOf(manifest);
      if (now !== manifestStamp) {
        manifestStamp = now;
        resolutions.clear();
        isEdited = true;
      }
      return isEdited;
    },
    getCompilationSettings: () => project.options,
    getScriptFileNames: () => rootPaths,
    getScriptVersion: version,
    getScriptSnapshot(file) {
      const now = version(file);
      const known = snapshots.get(file);
      if (known?.version === now) return known.snapshot;
      const text = readFile(file);
      if (text === undefined) return undefined;
      const snapshot = ts.ScriptSnapshot.fromString(text);
      snapshots.set(file, { version: now, snapshot });
      return snapshot;
    },
    getCurrentDirectory: () => cwd,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists,
    readFile,
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
    readDirectory: ts.sys.readDirectory,
    realpath: ts.sys.realpath,
    useCaseSensitiveFileNames: () => ts.sys.useCaseSensitiveFileNames,
    getCancellationToken: () => ({
      isCancellationRequested: () =>
        Atomics.load(cancellation.cancelled, 0) === cancellation.current,
    }),
  };
  host.resolveModuleNameLiterals = createResolver(cwd, host, project.options, resolutions);
  return host;
}

function stampOf(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats ? `${stats.mtimeMs}:${stats.size}` : 'missing';
}

type Resolver = NonNullable<ts.LanguageServiceHost['resolveModuleNameLiterals']>;

/** Module resolution as Node does it, and what a notebook may write beyond that. */
function createResolver(
  cwd: string,
  host: CellHost,
  options: ts.CompilerOptions,
  cache: ts.ModuleResolutionCache,
): Resolver {
  const lenient: ts.CompilerOptions = {
    ...options,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
  };
  const gibbs = gibbsEntry();
  const own = join(packageRoot(), '_.mts');
  const as = (resolvedFileName: string): ts.ResolvedModuleWithFailedLookupLocations => ({
    resolvedModule: {
      resolvedFileName,
      extension: resolvedFileName.endsWith('.d.mts')
        ? ts.Extension.Dmts
        : resolvedFileName.endsWith('.d.ts')
          ? ts.Extension.Dts
          : resolvedFileName.endsWith('.mts')
            ? ts.Extension.Mts
            : ts.Extension.Ts,
      isExternalLibraryImport: false,
    },
  });

  const virtual = (name: string, from: string): string | undefined => {
    if (name === 'tslab') return host.path('gibbs-tslab.d.mts');
    if (!name.startsWith('./gibbs-') || dirname(from) !== cwd) return undefined;
    const stem = basename(name, '.mjs');
    return [`${stem}.d.mts`, `${stem}.mts`].map(host.path).find((f) => host.text(f) !== undefined);
  };

  return (literals, from, redirected, _options, source) =>
    literals.map((literal) => {
      const name = literal.text;
      const ours = virtual(name, from);
      if (ours !== undefined) return as(ours);
      const mode = ts.getModeForUsageLocation(source, literal, options);
      const found = ts.resolveModuleName(name, from, options, host, cache, redirected, mode);
      if (found.resolvedModule) return found;
      if (name === 'gibbs' && gibbs !== undefined) return as(gibbs);
      if (host.text(from) === undefined) return found;
      // Once more without the cache: the package may have been installed a moment ago; and without
      // Node's demand for an extension, which the kernel does not make either.
      const again = ts.resolveModuleName(name, from, lenient, host);
      if (again.resolvedModule || name.startsWith('.')) return again;
      // What Gibbs itself depends on, a notebook may import too.
      return ts.resolveModuleName(name, own, options, host, cache, redirected, mode);
    });
}
