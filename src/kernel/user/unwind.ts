import { createRequire } from 'node:module';
import { leaveCell } from './context.ts';

/**
 * Installs what a Stop calls in the paused thread just before V8 ends the paused code.
 *
 * Node keeps a stack of async ids beside the call stack. Code that is ended does not pop its
 * entries, and Node aborts when it finds them; it has a function that empties that stack, for
 * uncaught exceptions, but shows it only under `--expose-internals`.
 */
export function installUnwind(): void {
  const require = createRequire(import.meta.url);
  let clearAsyncIdStack = (): void => undefined;
  try {
    ({ clearAsyncIdStack } = require('internal/async_hooks') as { clearAsyncIdStack(): void });
  } catch {
    // A Node without that stack.
  }
  Object.defineProperty(globalThis, Symbol.for('gibbs.kernel.unwind'), {
    value: () => {
      leaveCell();
      clearAsyncIdStack();
    },
  });
}
