import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findCompiler } from '../../src/jit/native/build/compiler.ts';

/*
 * npm run test:asan [-- FILES]
 *
 * Runs suites of the native executor, and iterations of whole trainings, with libraries compiled for
 * AddressSanitizer and UndefinedBehaviorSanitizer, which end the process at the first access outside
 * an array: also at one from a buffer of an arena into its neighbour. What they cannot see: masked
 * vector loads and stores. Takes ten minutes; GIBBS_GRAPHS sets fewer random graphs than 1000.
 */

const SUITES = [
  'test/jit/native/gemm.test.ts',
  'test/jit/native/conv.test.ts',
  'test/jit/native/threads.test.ts',
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
  GIBBS_CFLAGS:
    '-fsanitize=address,undefined -fno-sanitize-recover=all -g1 -fno-omit-frame-pointer',
  GIBBS_CACHE: 'off',
  LD_PRELOAD: runtime,
  // Node frees little at its end; koffi calls on a stack of its own.
  ASAN_OPTIONS: 'detect_leaks=0:detect_stack_use_after_return=0',
};

const tsx = fileURLToPath(import.meta.resolve('tsx/cli'));
const program = (name: string) => fileURLToPath(new URL(name, import.meta.url));

// The sanitizers must find what is wrong on purpose, or they find nothing at all.
const PLANTED = {
  'beyond an array': /AddressSanitizer: heap-buffer-overflow/,
  'beyond a buffer of the arena': /AddressSanitizer: use-after-poison/,
  'integer overflow': /signed integer overflow/,
};
for (const [error, report] of Object.entries(PLANTED)) {
  const probe = spawnSync(process.execPath, [tsx, program('planted.ts'), error], {
    env,
    encoding: 'utf8',
  });
  if (report.test(probe.stderr)) continue;
  process.stderr.write(`test:asan: a planted error was not found: ${error}\n${probe.stderr}\n`);
  process.exit(2);
}

const home = dirname(createRequire(import.meta.url).resolve('vitest/package.json'));
const files = process.argv.slice(2);
const suites = [
  join(home, 'vitest.mjs'),
  'run',
  '--maxWorkers=1',
  '--testTimeout=600000',
  ...(files.length > 0 ? files : SUITES),
];
const runs = files.length > 0 ? [suites] : [[tsx, program('steps.ts')], suites];
const failed = runs.filter(
  (run) => spawnSync(process.execPath, run, { env, stdio: 'inherit' }).status !== 0,
);
process.exitCode = failed.length > 0 ? 1 : 0;
