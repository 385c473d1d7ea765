import { findCompiler } from '../../../src/jit/native/build/compiler.ts';

/** True where a C compiler is installed; suites that need one are skipped elsewhere. */
export const HAS_COMPILER = ((): boolean => {
  try {
    findCompiler();
    return true;
  } catch {
    return false;
  }
})();
