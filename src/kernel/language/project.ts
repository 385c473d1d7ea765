import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** Compiler settings and extra root files for the cells of a notebook in `cwd`. */
export interface Project {
  readonly options: ts.CompilerOptions;
  /** Declaration files that are part of every check (Node's types, `files` of tsconfig.json). */
  readonly roots: readonly string[];
  /** Why tsconfig.json was not taken over, in one line. */
  readonly problem?: string;
}

/** The folder that holds Gibbs' own package.json. */
export function packageRoot(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'package.json')) && dirname(dir) !== dir) dir = dirname(dir);
  return dir;
}

/** Gibbs' public types, of what the kernel would load: the build, or the sources before a build. */
export function gibbsEntry(): string | undefined {
  const root = packageRoot();
  const candidates = [join(root, 'dist/index.d.ts'), join(root, 'src/index.ts')];
  return candidates.find((path) => existsSync(path));
}

const DEFAULTS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  lib: ['lib.es2024.d.ts', 'lib.esnext.disposable.d.ts'],
  module: ts.ModuleKind.NodeNext,
  strict: true,
  noImplicitAny: false,
  esModuleInterop: true,
};

/** A cell is a module that is never written out, and half of it may lie in later cells. */
const ALWAYS: ts.CompilerOptions = {
  noEmit: true,
  skipLibCheck: true,
  resolveJsonModule: true,
  allowImportingTsExtensions: true,
  rewriteRelativeImportExtensions: false,
  allowUnreachableCode: true,
  allowUnusedLabels: true,
  noUnusedLocals: false,
  noUnusedParameters: false,
  noImplicitReturns: false,
  verbatimModuleSyntax: false,
  isolatedModules: false,
  isolatedDeclarations: false,
  composite: false,
  incremental: false,
  declaration: false,
  removeComments: false,
  checkJs: false,
};

/** Reads the nearest tsconfig.json at or above `cwd`; without one, strict Node defaults. */
export function loadProject(cwd: string): Project {
  const path = ts.findConfigFile(cwd, ts.sys.fileExists);
  const read = path === undefined ? undefined : readConfig(path);
  const options: ts.CompilerOptions = { ...(read?.options ?? DEFAULTS), ...ALWAYS };
  if (!MODULES.has(options.module ?? -1)) {
    options.module = ts.ModuleKind.NodeNext;
    delete options.moduleResolution;
  }
  if ((options.target ?? 0) < ts.ScriptTarget.ES2022) options.target = ts.ScriptTarget.ES2022;
  delete options.outDir;
  delete options.rootDir;
  delete options.tsBuildInfoFile;
  options.types = [...new Set([...(options.types ?? []), 'node'])];
  const roots = (read?.files ?? []).filter((f) => /\.d\.[cm]?ts$/.test(f));
  const node = nodeTypes(cwd, options);
  if (node !== undefined) {
    // No types of its own here: Gibbs' copy, for the code runs in Node either way.
    options.types = options.types.filter((t) => t !== 'node');
    roots.push(node);
  }
  return { options, roots, problem: read?.problem };
}

const MODULES = new Set<number>([
  ts.ModuleKind.ES2022,
  ts.ModuleKind.ESNext,
  ts.ModuleKind.Node16,
  ts.ModuleKind.Node18,
  ts.ModuleKind.Node20,
  ts.ModuleKind.NodeNext,
  ts.ModuleKind.Preserve,
]);

interface ReadConfig {
  readonly options?: ts.CompilerOptions;
  readonly files: readonly string[];
  readonly problem?: string;
}

function readConfig(path: string): ReadConfig {
  const { config, error } = ts.readConfigFile(path, (file) => readFileSync(file, 'utf8'));
  if (error) return { files: [], problem: `${path} ignored: ${flatten(error)}` };
  // `include` is not walked: cells pull in what they import, and a walk may take seconds.
  const host: ts.ParseConfigHost = {
    ...ts.sys,
    useCaseSensitiveFileNames: true,
    readDirectory: () => [],
  };
  const parsed = ts.parseJsonConfigFileContent(config, host, dirname(path), undefined, path);
  const NO_INPUTS = new Set([18002, 18003]);
  const wrong = parsed.errors.filter((e) => !NO_INPUTS.has(e.code));
  return {
    options: parsed.options,
    files: parsed.fileNames,
    ...(wrong.length > 0 && { problem: `${path}: ${flatten(wrong[0])}` }),
  };
}

/** The file of Gibbs' own `@types/node`, when `cwd` has none. */
function nodeTypes(cwd: string, options: ts.CompilerOptions): string | undefined {
  const resolve = (from: string) => {
    // The current directory is where type roots are looked for.
    const host = { ...ts.sys, getCurrentDirectory: () => from };
    return ts.resolveTypeReferenceDirective('node', join(from, '_.ts'), options, host)
      .resolvedTypeReferenceDirective?.resolvedFileName;
  };
  if (resolve(cwd) !== undefined) return undefined;
  return resolve(packageRoot());
}

export function flatten(diagnostic: ts.Diagnostic): string {
  return ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n');
}
