import { createHash } from 'node:crypto';
import { readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import koffi from 'koffi';
import { NativeBuildError } from '../../../core/errors.ts';
import { runNative } from '../../../core/interrupt.ts';
import { findLibrary, keepLibrary, makeWorkFolder, type WorkFolder } from './cache.ts';
import { type Compiler, compilerFlags, findCompiler, toolchainDigest } from './compiler.ts';
import { runCompiler } from './process.ts';

/** A compiled step. */
export interface NativeLibrary {
  /** Where it was loaded from; the file may be gone by now. */
  readonly path: string;
  /** True when no compiler had to run. */
  readonly cached: boolean;
  /**
   * Runs the step. The arrays, and those whose addresses are in `inputs` and `outputs`, must stay
   * alive and unmoved during the call. koffi calls on a stack of its own of 1 MiB.
   * @param threads default 1
   */
  run(arena: Uint8Array, inputs: BigUint64Array, outputs: BigUint64Array, threads?: number): void;
  /** Unloads it; `run` throws from then on. */
  close(): void;
}

export interface BuildOptions {
  /** What is compiled, for messages. */
  readonly name?: string;
  /** Paths of shared libraries to link with. */
  readonly libraries?: readonly string[];
}

/** Compilers are stopped after this time; `GIBBS_CC_TIMEOUT` sets another one, in seconds. */
const COMPILE_TIMEOUT_S = 300;

/** Sources that failed in this process: trying again would take as long and fail again. */
const failed = new Map<string, NativeBuildError>();

/**
 * Compiles a C source that defines
 * `void gibbs_run(char *arena, void *const *inputs, void *const *outputs, int threads)` and loads it.
 * Libraries are kept on disk (`GIBBS_CACHE`) by source, flags, compiler, processor and linked
 * libraries.
 *
 * @throws NativeBuildError when there is no compiler, it fails, is killed or takes too long, the
 * disk is full, or the library does not load.
 */
export function buildNative(source: string, options: BuildOptions = {}): NativeLibrary {
  const { name = 'step', libraries = [] } = options;
  const compiler = findCompiler();
  const flags = compilerFlags();
  const key = keyOf(source, toolchainDigest(compiler, flags), libraries);
  const stored = findLibrary(key);
  if (stored !== undefined) {
    try {
      return load(stored, name, true);
    } catch {
      // E.g. a library it is linked with has moved: compile it again.
      rmSync(stored, { force: true });
    }
  }
  const before = failed.get(key);
  if (before !== undefined) throw before;
  try {
    return compileAndLoad({ source, name, libraries, compiler, flags, key });
  } catch (error) {
    if (error instanceof NativeBuildError && error.reason !== 'disk') failed.set(key, error);
    throw error;
  }
}

function keyOf(source: string, toolchain: string, libraries: readonly string[]): string {
  const linked = libraries.map((path) => {
    const { size, mtimeMs } = statSync(path);
    return [path, realpathSync(path), size, mtimeMs];
  });
  const hash = createHash('sha256')
    .update(JSON.stringify([toolchain, linked]))
    .update(source);
  return hash.digest('hex').slice(0, 40);
}

interface Job {
  readonly source: string;
  readonly name: string;
  readonly libraries: readonly string[];
  readonly compiler: Compiler;
  readonly flags: readonly string[];
  readonly key: string;
}

function compileAndLoad(job: Job): NativeLibrary {
  let work: WorkFolder | undefined;
  try {
    work = makeWorkFolder();
    try {
      compile(job, work);
    } catch (error) {
      if (!isFullDisk(error) || !work.cached) throw error;
      // The cache's disk is full; that of temporary files may not be.
      rmSync(work.path, { force: true, recursive: true });
      work = makeWorkFolder(true);
      compile(job, work);
    }
    const path = keepLibrary(job.key, work, join(work.path, OUTPUT));
    return load(path, job.name, false);
  } catch (error) {
    if (error instanceof NativeBuildError || !isSystemError(error)) throw error;
    const message = `${job.name}: no room to compile in: ${error.message}`;
    throw new NativeBuildError('disk', message, { cause: error });
  } finally {
    // The mapping of a loaded library outlives its file.
    if (work !== undefined) rmSync(work.path, { force: true, recursive: true });
  }
}

const SOURCE = 'step.c';
const OUTPUT = 'step.so';

function compile({ source, name, libraries, compiler, flags }: Job, work: WorkFolder): void {
  writeFileSync(join(work.path, SOURCE), source);
  const linked = libraries.flatMap((path) => [path, `-Wl,-rpath,${dirname(path)}`]);
  const args = [...compiler.args, ...flags, SOURCE, '-o', OUTPUT, ...linked, '-lm'];
  const timeoutMs = 1000 * (Number(process.env['GIBBS_CC_TIMEOUT']) || COMPILE_TIMEOUT_S);
  const { failure, stderr } = runCompiler(compiler.command, args, { timeoutMs, cwd: work.path });
  if (failure === undefined && readdirSync(work.path).includes(OUTPUT)) return;
  const text = failure?.text ?? 'wrote nothing';
  const reason = /no space left on device|disk quota exceeded/i.test(stderr)
    ? 'disk'
    : failure?.kind === 'killed'
      ? 'killed'
      : 'compile';
  throw new NativeBuildError(reason, `${compiler.command} could not compile ${name}: ${text}`);
}

const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';

function isFullDisk(error: unknown): boolean {
  if (error instanceof NativeBuildError) return error.reason === 'disk';
  return isSystemError(error) && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

function load(path: string, name: string, cached: boolean): NativeLibrary {
  // koffi unloads a library that nothing holds on to, even while functions of it are in use.
  let library: ReturnType<typeof koffi.load> | undefined;
  let step: ((...args: unknown[]) => void) | undefined;
  try {
    library = koffi.load(path);
    step = library.func('void gibbs_run(void *arena, void *inputs, void *outputs, int threads)');
  } catch (error) {
    const text = (error as Error).message.split('\n')[0];
    throw new NativeBuildError('load', `the compiled ${name} does not load: ${text}`, {
      cause: error,
    });
  }
  return {
    path,
    cached,
    run(arena, inputs, outputs, threads = 1) {
      const call = step;
      if (call === undefined) throw new Error('NativeLibrary: closed');
      // V8 keeps small arrays in its own heap and moves them; asking for the buffer ends that.
      void arena.buffer;
      void inputs.buffer;
      void outputs.buffer;
      runNative(() => call(arena, inputs, outputs, threads));
    },
    close() {
      step = undefined;
      library?.unload();
      library = undefined;
    },
  };
}
