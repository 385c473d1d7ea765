import vm from 'node:vm';
import type { CompiledCell } from './compile.ts';

/**
 * A compiled cell as the function that runs it; `name` stands for its file in stack traces. Not as a
 * script: V8 would keep every cell that ever ran, compiled.
 */
export function cellFunction(
  { body, params, isAsync }: CompiledCell,
  name: string,
): (...args: unknown[]) => unknown {
  const options = {
    filename: name,
    lineOffset: -1,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  };
  if (!isAsync) return vm.compileFunction(body, params, options) as () => unknown;
  const text = `return (async function(${params.join(', ')}) { ${body}})`;
  return vm.compileFunction(text, [], options)() as () => unknown;
}
