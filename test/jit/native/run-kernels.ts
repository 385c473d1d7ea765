import koffi from 'koffi';
import { buildNative, type NativeLibrary } from '../../../src/jit/native/build/library.ts';

/** A kernel of the form `NAME(a, b, c, out, scratch)`, generated, with its shares `NAME_part`. */
export interface Kernel {
  readonly name: string;
  readonly source: string;
  readonly scratch: number;
}

/** The value that surrounds results: a kernel that writes too far changes it. */
const GUARD = 12345;
const MARGIN = 64;

export interface Operands {
  readonly a: Float32Array;
  readonly b: Float32Array;
  readonly c: Float32Array;
  /** What the result holds before. */
  readonly out: Float32Array;
}

/**
 * Compiles kernels into one library.
 * @returns a function that runs the `index`-th and returns the result; it throws when the kernel
 * wrote beyond the result or the scratch. Operands end where their memory is allotted.
 */
export function buildKernels(kernels: readonly Kernel[]): {
  /** @param shares that it is computed in, one after another; default: as a whole */
  run(index: number, operands: Operands, shares?: number): Float32Array;
  library: NativeLibrary;
} {
  const unique = new Map(kernels.map(({ name, source }) => [name, source]));
  const calls = kernels.map(
    ({ name }, i) =>
      `case ${i}:
  if (threads == 1) ${name}(inputs[0], inputs[1], inputs[2], outputs[0], outputs[1]);
  else for (long me = 0; me < threads; me++) ${name}_part(inputs[0], inputs[1], inputs[2], outputs[0], outputs[1], me, threads);
  break;`,
  );
  const library = buildNative(`${[...unique.values()].join('\n')}
void gibbs_run(char *arena, void *const *inputs, void *const *outputs, int threads) {
  switch (*(int *)arena) { ${calls.join('\n')} }
}`);
  const run = (index: number, { a, b, c, out }: Operands, shares = 1) => {
    const result = new Float32Array(out.length + 2 * MARGIN).fill(GUARD);
    result.set(out, MARGIN);
    const { scratch } = kernels[index];
    // Not a number: what a kernel reads before writing it shows.
    const room = new Float32Array(scratch + 2 * MARGIN).fill(Number.NaN);
    room.fill(GUARD, 0, MARGIN).fill(GUARD, MARGIN + scratch);
    const arrays = [a, b, c].map((x) => (x.length === 0 ? new Float32Array(1) : x));
    const address = (x: Float32Array, skip = 0) => {
      void x.buffer;
      return BigInt(koffi.address(x)) + BigInt(4 * skip);
    };
    library.run(
      new Uint8Array(Int32Array.of(index).buffer),
      BigUint64Array.from(arrays, (x) => address(x)),
      BigUint64Array.of(address(result, MARGIN), address(room, MARGIN)),
      shares,
    );
    const body = result.slice(MARGIN, MARGIN + out.length);
    const rest = [
      ...result.subarray(0, MARGIN),
      ...result.subarray(MARGIN + out.length),
      ...room.subarray(0, MARGIN),
      ...room.subarray(MARGIN + scratch),
    ];
    if (rest.some((x) => x !== GUARD)) throw new Error(`${kernels[index].name} wrote too far`);
    return body;
  };
  return { run, library };
}
