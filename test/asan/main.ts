import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findCompiler } from '../../src/jit/native/build/compiler.ts';

/*
 * npm run test:asan [-- FILES]
 *
 * Runs suites of the native executor with libraries compiled for AddressSanitizer, which ends the
 * process at the first access outside an array. What it cannot see: accesses from one buffer of an
 * arena into its neighbour, and masked vector loads and stores.
 */

const SUITES = [
  'test/jit/native/gemm.test.ts',
  'test/jit/native/conv.test.ts',
  'test/e2e/native.test.ts',
];

const { command, args } = findCompiler();
const named = spawnSync(command, [...args, '-print-file-name=libasan.so'], { encoding: 'utf8' });
const runtime = named.stdout?.trim() ?? '';
if (!runtime.startsWith('/')) {
  process.stderr.write(`test:asan: ${command} has no libasan.so; use gcc (GIBBS_CC=gcc)\n`);
  process.exit(2);
}

const env = {
  ...process.env,
  GIBBS_CFLAGS: '-fsanitize=address -g1 -fno-omit-frame-pointer',
  GIBBS_CACHE: 'off',
  // Random graphs compile slowly with the sanitizer.
  GIBBS_GRAPHS: process.env['GIBBS_GRAPHS'] ?? '100',
  LD_PRELOAD: runtime,
  // Node frees little at its end; koffi calls on a stack of its own.
  ASAN_OPTIONS: 'detect_leaks=0:detect_stack_use_after_return=0',
};

// The sanitizer must find what is wrong on purpose, or it finds nothing at all.
const planted = fileURLToPath(new URL('planted.ts', import.meta.url));
const tsx = fileURLToPath(import.meta.resolve('tsx/cli'));
const probe = spawnSync(process.execPath, [tsx, planted], { env, encoding: 'utf8' });
if (!/AddressSanitizer: heap-buffer-overflow/.test(probe.stderr)) {
  process.stderr.write(`test:asan: a planted error was not found\n${probe.stderr}\n`);
  process.exit(2);
}

const home = dirname(createRequire(import.meta.url).resolve('vitest/package.json'));
const files = process.argv.length > 2 ? process.argv.slice(2) : SUITES;
const { status } = spawnSync(
  process.execPath,
  [join(home, 'vitest.mjs'), 'run', '--maxWorkers=1', '--testTimeout=600000', ...files],
  { env, stdio: 'inherit' },
);
process.exitCode = status ?? 1;
