import koffi from 'koffi';
import { buildNative } from '../../src/jit/native/build/library.ts';

/** Reads one float beyond an array: AddressSanitizer ends this process. */
const library = buildNative(`
void gibbs_run(char *arena, void *const *inputs, void *const *outputs) {
  const float *x = inputs[0];
  *(float *)outputs[0] = x[1024];
}`);
const [x, y] = [new Float32Array(1024), new Float32Array(1)];
void y.buffer;
library.run(
  new Uint8Array(64),
  BigUint64Array.of(BigInt(koffi.address(x))),
  BigUint64Array.of(BigInt(koffi.address(y))),
);
process.stdout.write(`${y[0]}\n`);
