import koffi from 'koffi';
import { buildNative } from '../../src/jit/native/build/library.ts';
import { PRELUDE } from '../../src/jit/native/emit/prelude.ts';

/** Statements that go wrong: the sanitizers end this process at the one that its argument names. */
const STATEMENTS: Readonly<Record<string, string>> = {
  'beyond an array': 'y[0] = x[1024];',
  'beyond a buffer of the arena': 'CLOSE(4096); OPEN(64, 68); y[0] = ((float *)arena)[33];',
  'integer overflow': 'y[0] = (float)(INT32_MAX + (int32_t)x[0]);',
};

const [x, y] = [new Float32Array(1024).fill(1), new Float32Array(1)];
const arena = new Uint8Array(8192);
const address = (array: Float32Array | Uint8Array) => {
  void array.buffer;
  return BigInt(koffi.address(array));
};
const skipped = Number(-address(arena) & 63n);
const library = buildNative(`${PRELUDE}
void gibbs_run(char *arena, void *const *inputs, void *const *outputs, int threads) {
  const long all = 1;
  const float *x = inputs[0];
  float *y = outputs[0];
  ${STATEMENTS[process.argv[2]]}
}`);
library.run(arena.subarray(skipped), BigUint64Array.of(address(x)), BigUint64Array.of(address(y)));
process.stdout.write(`${y[0]}\n`);
