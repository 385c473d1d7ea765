import koffi from 'koffi';
import { buildNative } from '../../src/jit/native/build/library.ts';
import { type GemmCall, gemmKernel } from '../../src/jit/native/gemm/gemm.ts';
import { type CountedCall, flops } from './shapes.ts';

/** Peers, by the name of the library that the linker finds and the function in it. */
export const LIBRARIES = [
  { name: 'OpenBLAS', files: ['libopenblas.so.0', 'libopenblas.so'], fn: 'cblas_sgemm' },
  { name: 'oneDNN', files: ['libdnnl.so.3', 'libdnnl.so.2'], fn: 'dnnl_sgemm' },
] as const;

/** CPU seconds of one call of product `index` by contestant `who` (0: ours), over `repeats`. */
export type Time = (index: number, who: number, repeats: number) => number | undefined;

/** Repeats that take about ten milliseconds. */
export const repeatsOf = (call: GemmCall) => Math.ceil(1e9 / (flops(call) + 1e5));

/**
 * One library with every product and calls of the peers: all contestants run in one process, on
 * the same arrays, and are timed in C. The matrices stay in the caches they fit into.
 */
export function buildProgram(products: readonly CountedCall[], threads: number): Time {
  // Read by the peers when they are loaded.
  for (const name of ['OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS']) {
    process.env[name] = String(threads);
  }
  const kernels = products.map(({ call }) => gemmKernel(call));
  const sources = new Map(kernels.map(({ name, source }) => [name, source]));
  const cases = products.map(({ call }, i) => {
    const { m, n, k, transA, transB } = call;
    const [lda, ldb] = [transA ? m : k, transB ? k : n];
    return `case ${i}: switch (who) {
      case 0: for (long r = 0; r < repeats; r++) ${kernels[i].name}(a, b, c, o, s); break;
      case 1: for (long r = 0; r < repeats; r++) blas(101, ${transA ? 112 : 111}, ${transB ? 112 : 111}, ${m}, ${n}, ${k}, 1, a, ${lda}, b, ${ldb}, 0, o, ${n}); break;
      case 2: for (long r = 0; r < repeats; r++) dnnl('${transA ? 'T' : 'N'}', '${transB ? 'T' : 'N'}', ${m}, ${n}, ${k}, 1, a, ${lda}, b, ${ldb}, 0, o, ${n}); break;
    } break;`;
  });
  const open = (i: number, variable: string) =>
    LIBRARIES[i].files
      .map(
        (file) =>
          `if (!${variable}) { void *lib = dlopen("${file}", RTLD_NOW); if (lib) ${variable} = dlsym(lib, "${LIBRARIES[i].fn}"); }`,
      )
      .join('\n  ');
  const library = buildNative(
    `#include <dlfcn.h>
#include <time.h>
${[...sources.values()].join('\n')}
static void (*blas)(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);
static int (*dnnl)(char, char, long, long, long, float, const float *, long, const float *, long, float, float *, long);
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}
void gibbs_run(char *arena, void *const *inputs, void *const *outputs, int threads) {
  double *command = (double *)arena;
  const float *a = inputs[0], *b = inputs[1], *c = inputs[2];
  float *o = outputs[0], *s = outputs[1];
  const int who = (int)command[1];
  const long repeats = (long)command[2];
  ${open(0, 'blas')}
  ${open(1, 'dnnl')}
  command[3] = -1;
  if ((who == 1 && !blas) || (who == 2 && !dnnl)) return;
  const double start = now();
  switch ((int)command[0]) {
  ${cases.join('\n  ')}
  }
  command[3] = (now() - start) / repeats;
}`,
    { name: 'the products' },
  );
  const floats = (count: number) => Float32Array.from({ length: count }, (_, i) => (i % 13) - 6);
  const most = (size: (call: GemmCall) => number) =>
    Math.max(...products.map(({ call }) => size(call)));
  const arrays = [
    floats(most(({ m, k, batch }) => m * k * batch)),
    floats(most(({ n, k, batch }) => n * k * batch)),
    floats(most(({ m, n, batch }) => m * n * batch)),
    floats(most(({ m, n, batch }) => m * n * batch)),
    floats(1 + Math.max(...kernels.map(({ scratch }) => scratch))),
  ];
  for (const array of arrays) void array.buffer;
  const table = BigUint64Array.from(arrays, (array) => BigInt(koffi.address(array)));
  return (index, who, repeats) => {
    const command = Float64Array.of(index, who, repeats, 0);
    library.run(new Uint8Array(command.buffer), table.subarray(0, 3), table.subarray(3));
    // The arrays must outlive the call.
    return arrays.length > 0 && command[3] >= 0 ? command[3] : undefined;
  };
}
