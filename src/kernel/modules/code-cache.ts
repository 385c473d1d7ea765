import { statSync } from 'node:fs';
import Module from 'node:module';
import { dirname } from 'node:path';
import vm from 'node:vm';
import { DiskCache } from '../../core/disk-cache.ts';
import { isPackageFile } from './module-format.ts';

/** Shorter files compile as fast as their compiled code is read. */
const SHORTEST = 1 << 13;
/** Compiled code is written when no more has come for this time, ms. */
const QUIET = 500;

/** The parts of Node's module loader that have no types. */
interface Loader {
  readonly wrapper: readonly [string, string];
  readonly _extensions: NodeJS.RequireExtensions;
  readonly _cache: NodeJS.Dict<NodeModule>;
  _resolveFilename(id: string, from: NodeModule, isMain: boolean, options?: object): string;
  _resolveLookupPaths(id: string, from: NodeModule): string[] | null;
  readonly prototype: {
    _compile(this: NodeModule, content: string, filename: string, format?: string): unknown;
  };
}

/** The function that a CommonJS file is. */
type File = (
  exports: unknown,
  require: NodeJS.Require,
  module: NodeModule,
  filename: string,
  dirname: string,
) => unknown;

/** Node from 22.1 on keeps compiled code itself. */
interface OwnCache {
  enableCompileCache?(folder: string): unknown;
  flushCompileCache?(): void;
}

const loader = Module as unknown as Loader;
const own = Module as unknown as OwnCache;
/** Node's own: those of the cells never fire once their cell is stopped. */
const { setTimeout, setImmediate } = globalThis;

/**
 * Keeps the compiled code of installed packages on disk, so that later kernels import them in half
 * the time. In a Node that cannot do so itself, this holds for CommonJS files only.
 */
export class CodeCache {
  readonly #disk = new DiskCache('code', '.bin', 600);
  readonly #isBusy: () => boolean;
  /** Compiled here and not yet on disk. */
  #fresh: { readonly key: string; readonly script: vm.Script }[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param isBusy true while writing would hold somebody up. */
  constructor(isBusy: () => boolean) {
    this.#isBusy = isBusy;
  }

  install(): void {
    const { folder } = this.#disk;
    if (folder === null) return;
    if (own.enableCompileCache !== undefined) {
      own.enableCompileCache(folder);
      return;
    }
    const { prototype } = loader;
    const original = prototype._compile;
    const compiled = (content: string, filename: string) => this.#compiled(content, filename);
    prototype._compile = function (content, filename, format) {
      const run = format === 'module' ? undefined : compiled(content, filename);
      if (run === undefined) return original.call(this, content, filename, format);
      const { exports } = this;
      return run.call(exports, exports, requireOf(this), this, filename, dirname(filename));
    };
  }

  /** The file as a function; undefined where Node's own way is as good or says what is wrong. */
  #compiled(content: string, filename: string): File | undefined {
    if (content.length < SHORTEST || !isPackageFile(filename)) return undefined;
    let key: string;
    let script: vm.Script;
    let cachedData: Buffer | undefined;
    try {
      key = keyOf(filename);
      cachedData = this.#disk.read(key);
      const [head, tail] = loader.wrapper;
      script = new vm.Script(head + content + tail, {
        filename,
        columnOffset: -head.length,
        importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
        ...(cachedData !== undefined && { cachedData }),
      });
    } catch {
      return undefined;
    }
    if (cachedData === undefined || script.cachedDataRejected === true) {
      this.#fresh.push({ key, script });
      this.saveSoon();
    }
    return script.runInThisContext() as File;
  }

  /** Has what was compiled written in a quiet moment. */
  saveSoon(): void {
    if (this.#timer !== undefined) {
      this.#timer.refresh();
      return;
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.save();
    }, QUIET);
    this.#timer.unref();
  }

  /** Writes what was compiled, a file a turn; later where that would hold somebody up. */
  async save(): Promise<void> {
    if (!this.#isBusy()) own.flushCompileCache?.();
    while (this.#fresh.length > 0) {
      if (this.#isBusy()) {
        this.saveSoon();
        return;
      }
      const [{ key, script }] = this.#fresh.splice(0, 1);
      this.#disk.write(key, script.createCachedData());
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/**
 * A text that changes with the file, also where its time of change does not (some installers set one
 * for all), with Node and with the processor: V8 itself looks at the length of the source only.
 */
function keyOf(path: string): string {
  const { mtimeMs, ctimeMs, size, ino } = statSync(path);
  return [process.version, process.arch, path, mtimeMs, ctimeMs, size, ino].join(' ');
}

/** The `require` of a CommonJS file, as Node makes it. */
function requireOf(module: NodeModule): NodeJS.Require {
  const require = (id: string) => module.require(id) as unknown;
  const resolve = (id: string, options?: object) =>
    loader._resolveFilename(id, module, false, options);
  const paths = (id: string) => loader._resolveLookupPaths(id, module);
  return Object.assign(require, {
    resolve: Object.assign(resolve, { paths }),
    main: process.mainModule,
    extensions: loader._extensions,
    cache: loader._cache,
  });
}
