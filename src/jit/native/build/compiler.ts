import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { NativeBuildError } from '../../../core/errors.ts';
import { runCompiler } from './process.ts';

/** A C compiler that answers `--version`. */
export interface Compiler {
  /** The program, e.g. `gcc`. */
  readonly command: string;
  /** Arguments that come with it, e.g. of `GIBBS_CC='ccache gcc'`. */
  readonly args: readonly string[];
  /** The first line of `--version`. */
  readonly version: string;
}

const VERSION_TIMEOUT_MS = 10_000;
const found = new Map<string, Compiler | null>();

/**
 * The compiler that `GIBBS_CC` names (`off`: none) or else the first of `CC`, `cc`, `gcc` and
 * `clang` that works.
 * @throws NativeBuildError when there is none.
 */
export function findCompiler(): Compiler {
  const chosen = process.env['GIBBS_CC']?.trim();
  const candidates = chosen ? [chosen] : [process.env['CC']?.trim(), 'cc', 'gcc', 'clang'];
  const tried = candidates.filter((c): c is string => c !== undefined && c !== '');
  if (chosen !== 'off' && process.platform !== 'win32') {
    for (const candidate of tried) {
      const compiler = examine(candidate);
      if (compiler !== null) return compiler;
    }
  }
  const why =
    chosen === 'off'
      ? 'GIBBS_CC=off'
      : process.platform === 'win32'
        ? 'Windows is not supported'
        : `tried ${tried.join(', ')}`;
  throw new NativeBuildError(
    'no-compiler',
    `found no C compiler (${why}); install gcc or clang, or name one in GIBBS_CC`,
  );
}

function examine(candidate: string): Compiler | null {
  const key = `${candidate}\0${process.env['PATH']}`;
  let compiler = found.get(key);
  if (compiler === undefined) {
    const [command, ...args] = candidate.split(/\s+/);
    const { failure, stdout } = runCompiler(command, [...args, '--version'], {
      timeoutMs: VERSION_TIMEOUT_MS,
    });
    const version = stdout.split('\n')[0].trim();
    compiler = failure === undefined && version !== '' ? { command, args, version } : null;
    found.set(key, compiler);
  }
  return compiler;
}

/**
 * What every library is compiled with. Value-changing arithmetic (`-ffast-math`) is left out: it
 * flushes denormals for the whole process and breaks the order of sums. `GIBBS_CFLAGS` adds more,
 * e.g. `-fsanitize=address`.
 */
export function compilerFlags(): readonly string[] {
  const native = process.arch === 'arm64' ? '-mcpu=native' : '-march=native';
  const extra = process.env['GIBBS_CFLAGS']?.trim().split(/\s+/).filter(Boolean) ?? [];
  return [
    '-std=gnu11',
    '-O2',
    native,
    '-fno-math-errno',
    '-fopenmp-simd',
    '-pthread',
    '-fPIC',
    '-shared',
    '-w',
    ...extra,
  ];
}

let features: readonly string[] | undefined;

/** The instruction sets of this processor as Linux names them; empty where they are not told. */
export function cpuFeatures(): readonly string[] {
  if (features === undefined) {
    try {
      const info = readFileSync('/proc/cpuinfo', 'utf8');
      const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(info)?.[1] ?? '';
      features = line.split(/\s+/).filter(Boolean).sort();
    } catch {
      features = [];
    }
  }
  return features;
}

/** Changes with anything that decides what the compiler makes of a source. */
export function toolchainDigest(compiler: Compiler, flags: readonly string[]): string {
  const cpu = [process.arch, cpus()[0]?.model ?? '', ...cpuFeatures()];
  const facts = [compiler.command, compiler.args, compiler.version, flags, cpu];
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}
