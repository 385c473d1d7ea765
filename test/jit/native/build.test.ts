import { execFile } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import koffi from 'koffi';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NativeBuildError } from '../../../src/core/errors.ts';
import { findCompiler } from '../../../src/jit/native/build/compiler.ts';
import { buildNative, type NativeLibrary } from '../../../src/jit/native/build/library.ts';
import {
  rememberedVerdict,
  rememberVerdict,
  selfCheck,
} from '../../../src/jit/native/build/self-check.ts';
import { HAS_COMPILER } from './toolchain.ts';

const SETTINGS = ['GIBBS_CACHE', 'GIBBS_CC', 'GIBBS_CFLAGS', 'GIBBS_CC_TIMEOUT', 'CC', 'PATH'];
const before = SETTINGS.map((name) => process.env[name]);
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gibbs-native-test-'));
  process.env['GIBBS_CACHE'] = join(folder, 'cache');
});
afterEach(() => {
  SETTINGS.forEach((name, i) => {
    if (before[i] === undefined) delete process.env[name];
    else process.env[name] = before[i];
  });
  rmSync(folder, { recursive: true, force: true });
});

/** Adds `term` to each of four floats. */
const source = (term: string) => `
void gibbs_run(char *arena, void *const *inputs, void *const *outputs, int threads) {
  const float *x = inputs[0];
  float *y = outputs[0];
  for (int i = 0; i < 4; i++) y[i] = x[i] + ${term};
}`;

function runOn(library: NativeLibrary, values: readonly number[]): number[] {
  const [x, y] = [Float32Array.from(values), new Float32Array(values.length)];
  const table = (array: Float32Array) => {
    void array.buffer;
    return BigUint64Array.of(koffi.address(array));
  };
  library.run(new Uint8Array(64), table(x), table(y));
  return [...y];
}

const libraries = () => join(folder, 'cache', 'jit', 'native');
const entries = () => readdirSync(libraries()).filter((name) => name.endsWith('.so'));

/** A compiler written in shell; `$REAL` in it is the real one. */
function fakeCompiler(body: string): void {
  const { command, args } = findCompiler();
  const path = join(folder, 'fake-cc');
  const version = 'if [ "$1" = --version ]; then echo fake 1.0; exit 0; fi';
  const real = `REAL="${[command, ...args].join(' ')}"`;
  writeFileSync(path, `#!/bin/sh\n${version}\n${real}\n${body}\n`);
  chmodSync(path, 0o755);
  process.env['GIBBS_CC'] = path;
}

function failure(term: string): NativeBuildError {
  try {
    buildNative(source(term), { name: 'the toy step' }).close();
  } catch (error) {
    expect(error).toBeInstanceOf(NativeBuildError);
    return error as NativeBuildError;
  }
  throw new Error('it was built');
}

describe.skipIf(!HAS_COMPILER)('a native library', () => {
  it('runs, and is found in the cache by the next one', () => {
    const first = buildNative(source('1.5f'));
    const second = buildNative(source('1.5f'));
    const other = buildNative(source('2.5f'));
    expect([first, second, other].map(({ cached }) => cached)).toEqual([false, true, false]);
    expect(runOn(second, [1, 2, 3, 4])).toEqual([2.5, 3.5, 4.5, 5.5]);
    first.close();
    expect(runOn(second, [0, 0, 0, 1])).toEqual([1.5, 1.5, 1.5, 2.5]);
    expect(runOn(other, [0, 0, 0, 1])).toEqual([2.5, 2.5, 2.5, 3.5]);
    expect(() => runOn(first, [1, 2, 3, 4])).toThrow('closed');
    expect(entries().length).toBe(2);
    expect(readdirSync(libraries()).length).toBe(2);
    second.close();
    other.close();
  });

  it('is compiled again for other flags', () => {
    const built = ['1', '2', '1'].map((term) => {
      process.env['GIBBS_CFLAGS'] = `-DTERM=${term}`;
      return buildNative(source('TERM'));
    });
    expect(built.map((library) => runOn(library, [0, 0, 0, 0])[0])).toEqual([1, 2, 1]);
    expect(built.map(({ cached }) => cached)).toEqual([false, false, true]);
    for (const library of built) library.close();
  });

  it('is compiled in a folder of its own when the cache is off', () => {
    process.env['GIBBS_CACHE'] = 'off';
    const library = buildNative(source('3'));
    expect(library.cached).toBe(false);
    expect(existsSync(library.path)).toBe(false);
    expect(runOn(library, [1, 2, 3, 4])).toEqual([4, 5, 6, 7]);
    library.close();
    const again = buildNative(source('3'));
    expect(again.cached).toBe(false);
    again.close();
  });

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['cut', (b) => b.subarray(0, b.length / 2)],
    ['empty', () => Buffer.alloc(0)],
    ['not a library', () => Buffer.from('text')],
    ['changed in one bit', (b) => Buffer.from(b.map((v, i) => (i === b.length >> 1 ? v ^ 1 : v)))],
  ])('whose file is %s is not opened but compiled again', (_, damage) => {
    buildNative(source('4')).close();
    const path = join(libraries(), entries()[0]);
    const good = readFileSync(path);
    writeFileSync(path, damage(good));
    const again = buildNative(source('4'));
    expect(again.cached).toBe(false);
    expect(runOn(again, [0, 1, 2, 3])).toEqual([4, 5, 6, 7]);
    again.close();
    expect(readFileSync(path).equals(good)).toBe(true);
    expect(entries().length).toBe(1);
  });

  it('that two processes compile at once works in both', async () => {
    const module = new URL('../../../src/jit/native/build/library.ts', import.meta.url).href;
    const script = join(folder, 'build.ts');
    writeFileSync(
      script,
      `import koffi from ${JSON.stringify(import.meta.resolve('koffi'))};
      import { buildNative } from ${JSON.stringify(module)};
      const library = buildNative(${JSON.stringify(source('5'))});
      const [x, y] = [new Float32Array(4), new Float32Array(4)];
      void x.buffer; void y.buffer;
      library.run(new Uint8Array(64), BigUint64Array.of(koffi.address(x)), BigUint64Array.of(koffi.address(y)));
      console.log(JSON.stringify([...y]));`,
    );
    const tsx = fileURLToPath(import.meta.resolve('tsx/cli'));
    const run = promisify(execFile);
    const results = await Promise.all(
      [1, 2].map(() => run(process.execPath, [tsx, script], { env: process.env })),
    );
    expect(results.map(({ stdout }) => stdout.trim())).toEqual(['[5,5,5,5]', '[5,5,5,5]']);
    expect(readdirSync(libraries()).filter((name) => name.startsWith('work-'))).toEqual([]);
    const third = buildNative(source('5'));
    expect(third.cached).toBe(true);
    third.close();
  });

  it('is built where the cache folder cannot be written', () => {
    // A file in the place of the folder: also refused to the superuser, unlike a mode.
    mkdirSync(join(folder, 'cache', 'jit'), { recursive: true });
    writeFileSync(libraries(), '');
    const library = buildNative(source('6'));
    expect(library.cached).toBe(false);
    expect(runOn(library, [0, 1, 2, 3])).toEqual([6, 7, 8, 9]);
    library.close();
  });

  it('is found in a cache folder that is read-only', () => {
    buildNative(source('7')).close();
    chmodSync(libraries(), 0o500);
    const library = buildNative(source('7'));
    chmodSync(libraries(), 0o700);
    expect(library.cached).toBe(true);
    library.close();
  });

  it('is built elsewhere when the disk of the cache is full', () => {
    fakeCompiler(`case "$PWD" in ${folder}/cache/*) echo "ld: final link failed: No space left on device" >&2; exit 1;; esac
exec $REAL "$@"`);
    const library = buildNative(source('8'));
    expect(runOn(library, [0, 1, 2, 3])).toEqual([8, 9, 10, 11]);
    expect(entries()).toEqual([]);
    library.close();
  });

  it('leaves the cache when it was not used for longest', () => {
    buildNative(source('9')).close();
    const [name] = entries();
    const bytes = readFileSync(join(libraries(), name));
    for (let i = 0; i < 210; i++) {
      const path = join(libraries(), `old-${i}.so`);
      writeFileSync(path, bytes);
      utimesSync(path, 1000 + i, 1000 + i);
    }
    buildNative(source('10')).close();
    const left = entries();
    expect(left.length).toBe(200);
    expect(left).toContain(name);
    expect(left).toContain('old-209.so');
    expect(left).not.toContain('old-0.so');
  });
});

describe.skipIf(!HAS_COMPILER)('a native library that cannot be built', () => {
  it('for want of a compiler says what to install', () => {
    process.env['GIBBS_CC'] = 'off';
    expect(failure('1')).toMatchObject({ reason: 'no-compiler' });
    process.env['GIBBS_CC'] = 'no-such-compiler';
    expect(failure('1').message).toMatch(/tried no-such-compiler.*install gcc/);
    delete process.env['GIBBS_CC'];
    delete process.env['CC'];
    process.env['PATH'] = folder;
    expect(failure('1').message).toMatch(/tried cc, gcc, clang/);
  });

  it('because of the source says the first error of the compiler', () => {
    const { reason, message } = failure('no_such_name');
    expect(reason).toBe('compile');
    expect(message).toMatch(/could not compile the toy step: .*error.*no_such_name/);
    expect(readdirSync(libraries())).toEqual([]);
  });

  it('is not tried twice', () => {
    fakeCompiler(`echo x >> ${folder}/tries; echo "step.c:1: error: bad" >&2; exit 1`);
    expect(failure('11').message).toBe(failure('11').message);
    expect(readFileSync(join(folder, 'tries'), 'utf8')).toBe('x\n');
  });

  it('because the compiler was killed says so', () => {
    fakeCompiler('kill -9 $$');
    expect(failure('1')).toMatchObject({ reason: 'killed' });
    fakeCompiler('echo "cc: fatal error: Killed signal terminated program cc1" >&2; exit 1');
    expect(failure('2')).toMatchObject({ reason: 'killed' });
  });

  it('in time is given up, with everything the compiler started', async () => {
    process.env['GIBBS_CC_TIMEOUT'] = '0.3';
    fakeCompiler(`sleep 1000 & echo $! > ${folder}/child; wait`);
    expect(failure('1')).toMatchObject({
      reason: 'killed',
      message: expect.stringMatching('0.3 s'),
    });
    // On a busy machine the shell may be stopped before it has started anything.
    const note = join(folder, 'child');
    if (!existsSync(note)) return;
    const child = Number(readFileSync(note, 'utf8'));
    await vi.waitFor(() => expect(isRunning(child)).toBe(false), { timeout: 10_000 });
  });

  it('because the compiler writes nothing, or no library', () => {
    fakeCompiler('exit 0');
    expect(failure('1')).toMatchObject({ reason: 'compile' });
    fakeCompiler('echo text > step.so');
    expect(failure('2')).toMatchObject({ reason: 'load' });
  });

  it('because no disk has room', () => {
    fakeCompiler('echo "cannot write: No space left on device" >&2; exit 1');
    expect(failure('1')).toMatchObject({ reason: 'disk' });
    expect(readdirSync(libraries())).toEqual([]);
  });
});

/** Zombies, which nobody has waited for yet, do not run. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('the self-check of a native library', () => {
  const reference = () => [Float32Array.of(1, 2, 3, 0), Float32Array.of(1e-3)];
  const check = (...outputs: Float32Array[]) => selfCheck(() => outputs, reference, null);

  it('passes rounding and nothing more', () => {
    expect(check(Float32Array.of(1, 2.000001, 3, 1e-7), Float32Array.of(1e-3)).agrees).toBe(true);
    expect(check(Float32Array.of(1, 2, 3, 0.2), Float32Array.of(1e-3)).detail).toMatch(
      /output 0: element 3 is 0.2\d* instead of 0/,
    );
    expect(check(Float32Array.of(1, 2, 3, 0), Float32Array.of(2e-3)).detail).toMatch('output 1');
    expect(check(Float32Array.of(1, 2, Number.NaN, 0), Float32Array.of(1e-3)).agrees).toBe(false);
    expect(check(Float32Array.of(1, 2, 3, 0)).agrees).toBe(false);
    const crash = () => {
      throw new Error('boom');
    };
    expect(selfCheck(crash, reference, null)).toMatchObject({
      agrees: false,
      detail: expect.stringMatching('boom'),
    });
  });

  it('passes values that are not finite when both have them', () => {
    const odd = () => [Float32Array.of(Number.NaN, Infinity, -Infinity, 1)];
    expect(selfCheck(odd, odd, null).agrees).toBe(true);
    expect(selfCheck(() => [Float32Array.of(0, Infinity, -Infinity, 1)], odd, null).agrees).toBe(
      false,
    );
  });

  it('lets an optimiser turn a rounding difference into a step, in a few elements', () => {
    const steps = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i));
    const moved = (every: number, by: number) =>
      steps.map((v, i) => (i % every === 0 ? v + by : v));
    const agrees = (got: Float32Array) =>
      selfCheck(
        () => [got],
        () => [steps],
        null,
      ).agrees;
    expect(agrees(moved(100, 2e-3))).toBe(true);
    expect(agrees(moved(10, 2e-3))).toBe(false);
    expect(agrees(moved(1000, 0.2))).toBe(false);
  });

  it.skipIf(!HAS_COMPILER)('finds a library whose compiler dropped a statement', () => {
    // The reference is the source as written; the compiler leaves one element out.
    fakeCompiler('sed -i "s/i < 4/i < 3/" step.c; exec $REAL "$@"');
    const library = buildNative(source('12'));
    const verdict = selfCheck(
      (x: readonly number[]) => [Float32Array.from(runOn(library, x))],
      (x) => [Float32Array.from(x, (v) => v + 12)],
      [1, 2, 3, 4],
    );
    expect(verdict.agrees).toBe(false);
    expect(verdict.detail).toMatch('element 3 is 0 instead of 16');
    expect(rememberedVerdict(library)).toBeUndefined();
    rememberVerdict(library, verdict);
    library.close();
    const again = buildNative(source('12'));
    expect(again.cached).toBe(true);
    expect(rememberedVerdict(again)).toEqual(verdict);
    again.close();
  });
});
