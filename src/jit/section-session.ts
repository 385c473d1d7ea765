import type { Section } from './ir/cut.ts';
import { hashGraph } from './ir/hash.ts';
import type { Graph } from './ir/ops.ts';
import { defaultExecutor, type Executor } from './jit.ts';
import { openNative, type Session } from './native/open.ts';
import { compilesToC, precisionFor } from './native/precision.ts';
import { dialectOf, formOf } from './onnx/dialect.ts';
import { lowerToOnnx } from './onnx/lower.ts';
import { readCache, writeCache } from './run/cache.ts';
import { needHalf } from './run/half.ts';
import { device } from './run/provider.ts';
import { OnnxSession } from './run/session.ts';
import { noStats } from './run/stats.ts';

export interface SectionOptions {
  /** Default: that of `jit`. */
  readonly executor?: Executor | undefined;
  /** Whether ONNX Runtime keeps memory for this section alone, as it does for whole graphs. */
  readonly arena: boolean;
}

/**
 * Opens a section of a graph where and how `jit` would run the whole; lowered graphs come from the
 * same cache. The executor `eager`, which compiles nothing, is as `onnx`.
 */
export function openSection(
  { graph, inputs, outputs }: Section,
  name: string,
  { executor: asked = defaultExecutor(), arena }: SectionOptions,
): Session {
  const executor = asked === 'eager' ? 'onnx' : asked;
  const provider = device();
  const counts = { inputs: inputs.length, outputs: outputs.length };
  const hash = hashGraph(graph);
  const precision = precisionFor(executor);
  if (precision === 'float16') needHalf(provider);
  const dialect = dialectOf(provider, precision);
  const form = formOf(provider, precision);
  const lowered = (lean: Graph) => lowerToOnnx(lean, name, undefined, dialect);
  const options = { threads: 1, provider, arena };
  const run = (bytes: Uint8Array) => new OnnxSession(bytes, counts, options);
  const reference = (): Session => {
    const known = readCache(hash, form);
    if (known !== undefined) return run(known.bytes);
    const model = lowered(graph);
    writeCache(hash, form, model);
    return run(model.bytes);
  };
  const choice = { executor, precision };
  if (!compilesToC(choice, provider)) return reference();
  const others = { reference, of: (lean: Graph) => run(lowered(lean).bytes) };
  return openNative(choice, graph, hash, name, others, noStats());
}
