import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import koffi from 'koffi';
import { GibbsError } from '../../core/errors.ts';

/** An address in native memory. */
export type Pointer = bigint;

/** The shared library in the package onnxruntime-node, by `process.platform`. */
const LIBRARY: Readonly<Record<string, string>> = {
  linux: 'libonnxruntime.so.1',
  darwin: 'libonnxruntime.1.dylib',
  win32: 'onnxruntime.dll',
};

/** The version of the table below; newer libraries still serve it. */
const API_VERSION = 20;

const STATUS = 'void *';

/**
 * The functions used here: place in `OrtApi` of onnxruntime_c_api.h (a table that is only ever
 * appended to), result, arguments. Sizes and handles are addresses or 64-bit words.
 */
const FUNCTIONS = {
  getErrorMessage: [2, 'const char *', ['void *']],
  createEnv: [3, STATUS, ['int', 'const char *', 'void *']],
  createSessionFromArray: [8, STATUS, ['void *', 'void *', 'size_t', 'void *', 'void *']],
  run: [
    9,
    STATUS,
    ['void *', 'void *', 'void *', 'void *', 'size_t', 'void *', 'size_t', 'void *'],
  ],
  createSessionOptions: [10, STATUS, ['void *']],
  setExecutionMode: [13, STATUS, ['void *', 'int']],
  disableMemPattern: [17, STATUS, ['void *']],
  disableCpuArena: [19, STATUS, ['void *']],
  setLogSeverity: [22, STATUS, ['void *', 'int']],
  setOptimizationLevel: [23, STATUS, ['void *', 'int']],
  setIntraOpThreads: [24, STATUS, ['void *', 'int']],
  setInterOpThreads: [25, STATUS, ['void *', 'int']],
  createTensor: [49, STATUS, ['void *', 'void *', 'size_t', 'void *', 'size_t', 'int', 'void *']],
  createMemoryInfo: [68, STATUS, ['const char *', 'int', 'int', 'int', 'void *']],
  createCpuMemoryInfo: [69, STATUS, ['int', 'int', 'void *']],
  freeWithAllocator: [76, STATUS, ['void *', 'void *']],
  defaultAllocator: [78, STATUS, ['void *']],
  releaseStatus: [93, 'void', ['void *']],
  releaseSession: [95, 'void', ['void *']],
  releaseValue: [96, 'void', ['void *']],
  releaseSessionOptions: [100, 'void', ['void *']],
  setSessionEntry: [130, STATUS, ['void *', 'const char *', 'const char *']],
  runBound: [133, STATUS, ['void *', 'void *', 'void *']],
  createBinding: [134, STATUS, ['void *', 'void *']],
  releaseBinding: [135, 'void', ['void *']],
  bindInput: [136, STATUS, ['void *', 'void *', 'void *']],
  bindOutput: [137, STATUS, ['void *', 'void *', 'void *']],
  bindOutputToDevice: [138, STATUS, ['void *', 'void *', 'void *']],
  boundOutputs: [140, STATUS, ['void *', 'void *', 'void *', 'void *']],
  clearBoundInputs: [141, 'void', ['void *']],
  clearBoundOutputs: [142, 'void', ['void *']],
  appendCuda: [204, STATUS, ['void *', 'void *']],
  createCudaOptions: [205, STATUS, ['void *']],
  updateCudaOptions: [206, STATUS, ['void *', 'void *', 'void *', 'size_t']],
  releaseCudaOptions: [208, 'void', ['void *']],
  appendProvider: [216, STATUS, ['void *', 'const char *', 'void *', 'void *', 'size_t']],
  setDeterministic: [273, STATUS, ['void *', 'bool']],
} as const satisfies Record<
  string,
  readonly [place: number, result: string, args: readonly string[]]
>;

type Functions = { readonly [K in keyof typeof FUNCTIONS]: (...args: unknown[]) => unknown };

/** ONNX Runtime's C API, with what every session needs of it. */
export interface OrtApi extends Functions {
  readonly env: Pointer;
  /** That tensors lie in main memory. */
  readonly memory: Pointer;
  /** Throws what a status says; nothing for success. */
  check(status: unknown, what: string): void;
  /** Calls a function whose last argument receives a handle, and returns that. */
  create(what: string, make: (out: BigUint64Array) => unknown): Pointer;
}

let api: OrtApi | undefined;
/** koffi unloads a library that nothing holds on to, even while functions of it are in use. */
let library: ReturnType<typeof koffi.load>;

/**
 * The C API of the ONNX Runtime that the package onnxruntime-node ships, called through koffi. The
 * package's own binding copies every result into fresh memory, also where the caller has given it
 * an array: for a training step, which returns its whole state, that costs a quarter of the time.
 *
 * @throws GibbsError when there is no ONNX Runtime for this platform.
 */
export function ortApi(): OrtApi {
  api ??= load();
  return api;
}

function load(): OrtApi {
  const { platform, arch } = process;
  const home = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const path = join(home, 'bin', 'napi-v6', platform, arch, LIBRARY[platform] ?? 'none');
  if (!existsSync(path)) {
    throw new GibbsError(
      'engine',
      `onnxruntime-node has no library for ${platform} on ${arch} (looked for ${path}); ` +
        "use Linux, macOS on Apple silicon or Windows, or run with { executor: 'eager' }",
    );
  }
  library = koffi.load(path);
  pin(path);
  const base = library.func('void *OrtGetApiBase()')();
  const [getApi] = koffi.decode(base, koffi.array('uintptr_t', 1)) as BigUint64Array;
  const table = koffi.decode(getApi, koffi.proto('void *', ['uint32_t']))(API_VERSION) as Pointer;
  const size = 1 + Math.max(...Object.values(FUNCTIONS).map(([place]) => place));
  const addresses = koffi.decode(table, koffi.array('uintptr_t', size)) as BigUint64Array;
  const functions = Object.fromEntries(
    Object.entries(FUNCTIONS).map(([name, [place, result, args]]) => [
      name,
      koffi.decode(addresses[place], koffi.proto(result, [...args])),
    ]),
  ) as Functions;

  const check = (status: unknown, what: string) => {
    if (status === null) return;
    const message = functions.getErrorMessage(status);
    functions.releaseStatus(status);
    throw new GibbsError('internal', `${what}: ${message}`);
  };
  const create = (what: string, make: (out: BigUint64Array) => unknown): Pointer => {
    const out = new BigUint64Array(1);
    check(make(out), what);
    return out[0];
  };
  return {
    ...functions,
    check,
    create,
    env: create('ONNX Runtime did not start', (out) => functions.createEnv(4, 'gibbs', out)),
    // An arena allocator's device memory of the default kind.
    memory: create('ONNX Runtime did not start', (out) => functions.createCpuMemoryInfo(1, 0, out)),
  };
}

/**
 * Keeps the library mapped to the end of the process. koffi unloads it with the worker thread that
 * loaded it, while the threads of a session of that worker may still be inside.
 */
function pin(path: string): void {
  if (process.platform === 'win32') return;
  const RTLD_NOW = 2;
  const RTLD_NODELETE = process.platform === 'darwin' ? 0x80 : 0x1000;
  koffi.load(null).func('void *dlopen(const char *, int)')(path, RTLD_NOW | RTLD_NODELETE);
}
