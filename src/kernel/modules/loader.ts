import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { types } from 'node:util';
import vm from 'node:vm';
import { type Lowered, lowerTypeScript } from '../cell/lower.ts';
import type { Mappings } from '../cell/source-position.ts';
import { stampOf } from './file-stamp.ts';
import { formatOf } from './module-format.ts';
import { dropChangedRequires, rememberRequires } from './require-cache.ts';
import { type Resolved, Resolver } from './resolve.ts';
import { TsConfigs } from './tsconfig.ts';

type Namespace = Record<string, unknown>;

interface Entry {
  readonly module: vm.Module;
  readonly stamp: string;
  /** Paths of the local files it imports. */
  readonly dependencies: Set<string>;
}

export interface LoaderOptions {
  /** Modules that the kernel provides, by name. */
  readonly virtual: Readonly<Record<string, Namespace>>;
  /** Told how to map positions in a file that was lowered. */
  onSource(url: string, mappings: Mappings): void;
  /** Told when Node has loaded something. */
  onPackage(): void;
  readonly typescriptCompiler: (code: string, fileName: string) => Lowered;
}

/**
 * Loads what cells import. TypeScript and local JavaScript become modules of our own, made anew
 * when a file or anything it imports has changed; packages go through Node's loader, once.
 */
export class ModuleLoader {
  readonly tsconfigs = new TsConfigs();
  readonly #resolver = new Resolver(this.tsconfigs);
  readonly #options: LoaderOptions;
  readonly #local = new Map<string, Entry>();
  readonly #foreign = new Map<string, vm.Module>();
  #linking: Promise<unknown> = Promise.resolve();

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  /** The namespace of `specifier` as imported by a notebook in `directory`. */
  async import(specifier: string, directory: string, from = directory): Promise<Namespace> {
    const resolved = this.#resolver.resolve(specifier, directory, from);
    if (resolved.kind === 'file' && formatOf(resolved.path) === 'source') this.#dropChanged();
    const module = await this.#linked(resolved);
    if (module instanceof vm.SourceTextModule || module.status !== 'evaluated') {
      await module.evaluate();
    }
    return module.namespace as Namespace;
  }

  /** The path or URL that `specifier` leads to, for `import.meta.resolve`. */
  resolve(specifier: string, directory: string): string {
    const resolved = this.#resolver.resolve(specifier, directory, directory);
    if (resolved.kind === 'file') return pathToFileURL(resolved.path).href;
    return resolved.kind === 'builtin' ? resolved.specifier : resolved.name;
  }

  /** Creates and links one at a time: two links of one graph must not meet. */
  async #linked(resolved: Resolved): Promise<vm.Module> {
    const work = this.#linking.then(async () => {
      const module = await this.#module(resolved);
      if (module.status === 'unlinked') {
        try {
          await module.link((specifier, referrer) => this.#link(specifier, referrer));
        } catch (error) {
          // Half-linked modules must not be found again.
          for (const [path, entry] of this.#local) {
            if (entry.module.status === 'unlinked' || entry.module.status === 'linking') {
              this.#local.delete(path);
            }
          }
          if (resolved.kind === 'file') this.#local.delete(resolved.path);
          throw error;
        }
      }
      return module;
    });
    this.#linking = work.catch(() => undefined);
    return work;
  }

  async #link(specifier: string, referrer: vm.Module): Promise<vm.Module> {
    const path = fileURLToPath(referrer.identifier);
    const resolved = this.#resolver.resolve(specifier, dirname(path), path);
    if (resolved.kind === 'file') this.#local.get(path)?.dependencies.add(resolved.path);
    return this.#module(resolved);
  }

  async #module(resolved: Resolved): Promise<vm.Module> {
    if (resolved.kind === 'virtual') {
      return this.#synthetic(resolved.name, this.#options.virtual[resolved.name]);
    }
    if (resolved.kind === 'builtin') return this.#native(resolved.specifier);
    const { path } = resolved;
    switch (formatOf(path)) {
      case 'source':
        return this.#source(path);
      case 'json': {
        const value = JSON.parse(readFileSync(path, 'utf8')) as unknown;
        const named = isPlainObject(value) ? value : {};
        return this.#fresh(path, { ...named, default: value });
      }
      case 'require': {
        const require = createRequire(path);
        dropChangedRequires(require);
        const value = require(path) as unknown;
        rememberRequires(require);
        return this.#fresh(path, namespaceOf(value));
      }
      case 'package':
        return this.#package(path);
      default:
        return this.#native(pathToFileURL(path).href);
    }
  }

  #source(path: string): vm.Module {
    const existing = this.#local.get(path);
    if (existing !== undefined && existing.module.status !== 'errored') return existing.module;
    const config = this.tsconfigs.nearest(dirname(path));
    const stamp = stampOf(path);
    const lowered = lowerTypeScript(readFileSync(path, 'utf8'), {
      fileName: path,
      module: true,
      verbatim: config.verbatimModuleSyntax,
      typescriptCompiler: this.#options.typescriptCompiler,
      ...config.lowering,
    });
    const url = pathToFileURL(path).href;
    this.#options.onSource(url, lowered.mappings);
    const module = new vm.SourceTextModule(lowered.code, {
      identifier: url,
      initializeImportMeta: (meta) => {
        meta.url = url;
        meta.filename = path;
        meta.dirname = dirname(path);
        meta.resolve = (specifier: string) => this.resolve(specifier, dirname(path));
      },
      importModuleDynamically: ((specifier: string) =>
        this.#dynamic(specifier, path)) as unknown as () => Promise<vm.Module>,
    });
    this.#local.set(path, { module, stamp, dependencies: new Set() });
    return module;
  }

  async #dynamic(specifier: string, path: string): Promise<vm.Module> {
    const resolved = this.#resolver.resolve(specifier, dirname(path), path);
    if (resolved.kind === 'file') this.#local.get(path)?.dependencies.add(resolved.path);
    const module = await this.#linked(resolved);
    await module.evaluate();
    return module;
  }

  async #native(specifier: string): Promise<vm.Module> {
    const cached = this.#foreign.get(specifier);
    if (cached !== undefined) return cached;
    const namespace = (await import(specifier)) as Namespace;
    const module = this.#fresh(specifier, namespace);
    this.#foreign.set(specifier, module);
    this.#options.onPackage();
    return module;
  }

  /**
   * A package in CommonJS is required: to find its exports, an import would read the text of it all,
   * which takes four times as long for a large one.
   */
  async #package(path: string): Promise<vm.Module> {
    const cached = this.#foreign.get(path);
    if (cached !== undefined) return cached;
    let value: unknown;
    try {
      value = createRequire(path)(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ERR_REQUIRE_ESM' || code === 'ERR_REQUIRE_ASYNC_MODULE') {
        return this.#native(pathToFileURL(path).href);
      }
      throw error;
    }
    if (types.isModuleNamespaceObject(value)) return this.#native(pathToFileURL(path).href);
    return this.#synthetic(path, namespaceOf(value));
  }

  #synthetic(name: string, namespace: Namespace): vm.Module {
    const cached = this.#foreign.get(name);
    if (cached !== undefined) return cached;
    const module = this.#fresh(name, namespace);
    this.#foreign.set(name, module);
    return module;
  }

  #fresh(identifier: string, namespace: Namespace): vm.Module {
    const names = Object.keys(namespace);
    return new vm.SyntheticModule(
      names,
      function (this: vm.SyntheticModule) {
        for (const name of names) this.setExport(name, namespace[name]);
      },
      { identifier },
    );
  }

  /** Forgets every local module whose file, or that of something it imports, has changed. */
  #dropChanged(): void {
    const changed = new Set<string>();
    for (const [path, entry] of this.#local) {
      if (entry.module.status === 'errored' || stampOf(path) !== entry.stamp) changed.add(path);
    }
    for (let grown = changed.size > 0; grown; ) {
      grown = false;
      for (const [path, entry] of this.#local) {
        if (changed.has(path)) continue;
        if ([...entry.dependencies].some((d) => changed.has(d))) {
          changed.add(path);
          grown = true;
        }
      }
    }
    for (const path of changed) this.#local.delete(path);
  }
}

/** What an import of a CommonJS module sees: its properties by name, and all of it by default. */
function namespaceOf(value: unknown): Namespace {
  const namespace: Namespace = {};
  if (isPlainObject(value) || typeof value === 'function') {
    for (const name of Object.keys(value)) {
      try {
        namespace[name] = (value as Namespace)[name];
      } catch {
        // A getter that fails: the name is left out, as Node does.
      }
    }
  }
  return { ...namespace, default: value };
}

function isPlainObject(value: unknown): value is Namespace {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
