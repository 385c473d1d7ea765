import { ConfigError, ShapeError, TraceError } from '../core/errors.ts';
import type { HostTensor } from '../core/host-tensor.ts';
import { flatten, type Structure, structureKey, unflatten } from '../core/tree.ts';
import { type Callable, disposeOnce, runOnDevice, runOnProcessor } from './calls.ts';
import { registerMissingGradients } from './gradients.ts';
import { hashGraph } from './ir/hash.ts';
import type { Graph } from './ir/ops.ts';
import { costOf, printCost, printGraph, printSummary } from './ir/print.ts';
import { asTensor, isLeaf, isTensor, leafSpec, lift, liftFresh, specKey } from './leaves.ts';
import { explainNative } from './native/explain.ts';
import { isNative, openNative, type Session } from './native/open.ts';
import { compilesToC, type Precision, precisionFor } from './native/precision.ts';
import { dialectOf, formOf } from './onnx/dialect.ts';
import { lowerToOnnx } from './onnx/lower.ts';
import { optimise } from './passes/index.ts';
import { BufferPool } from './run/buffers.ts';
import { readCache, writeCache } from './run/cache.ts';
import { needHalf } from './run/half.ts';
import { type Device, device, type Provider, providerOf } from './run/provider.ts';
import { OnnxSession } from './run/session.ts';
import { addStats, type JitStats, noStats } from './run/stats.ts';
import { type Tensor, tf } from './tf.ts';
import { activeTracer, type LeafSpec, trace } from './trace/tracer.ts';

export const EXECUTORS = ['auto', 'native', 'onnx', 'eager'] as const;
export type Executor = (typeof EXECUTORS)[number];

export interface JitOptions {
  /**
   * `'onnx'` (default) compiles the function and runs each call as one ONNX Runtime call;
   * `'native'` compiles it to C, which takes a C compiler; `'auto'` does that too, compares the first
   * results with those of ONNX Runtime, and falls back to it without a compiler or agreement;
   * `'eager'` runs it op by op on TensorFlow.js' active backend, for comparison and debugging.
   * `GIBBS_EXECUTOR` sets another default.
   */
  readonly executor?: Executor;
  /**
   * Arguments whose tensors are given up to the call: they are disposed and their memory is used
   * for results. For training state, which would otherwise be allocated anew at every step. An
   * array that a tensor was made around (`tf.tensor(array)`) is given up with it.
   */
  readonly donate?: readonly number[];
  /** Name in statistics and listings; default: the function's own. */
  readonly name?: string;
  /**
   * Trace again and compare, to catch a captured value that has changed since the first trace
   * (its old value is frozen in the compiled graph): `true` at every call, a number for the first
   * so many, `false` never. Default: `GIBBS_CHECKED` if set, else never.
   */
  readonly checked?: boolean | number;
  /** Where it runs. Default: what `device` chose for the process, else `GIBBS_DEVICE`, else `cpu`. */
  readonly device?: Device;
  /**
   * Threads within one call. Default 1: independent runs side by side use a machine better. What
   * compiled C computes does not depend on it, to the bit.
   */
  readonly threads?: number;
  /**
   * In what large products are made; everything else, state and optimisers too, is float32.
   * `'float16'`, for devices: operands and results of products of matrices and of convolutions,
   * derivatives of any order included, are rounded to 11 bits of mantissa (a relative 2⁻¹¹ each).
   * Every operand is scaled by a power of two before, so that small gradients keep their digits and
   * nothing overflows (loss scaling, done per operand). Sums are added as the device does. On the
   * processor, with executors `'onnx'` and `'auto'`, it only rounds, to try it.
   * `'bfloat16'` rounds the operands of products of matrices and of convolutions to eight bits of
   * mantissa (a relative 2⁻⁹ each) and adds in float32, on a processor with AVX512-BF16; executors
   * `'native'` and `'auto'`.
   * Default: `GIBBS_PRECISION` if set, else `'float32'`.
   */
  readonly precision?: Precision;
}

/** A tree in which any tensor may also be given as a host array or, for a scalar, a number. */
export type Liftable<T> = T extends Tensor
  ? T | HostTensor | number
  : T extends readonly (infer _)[]
    ? { readonly [K in keyof T]: Liftable<T[K]> }
    : T extends object
      ? { readonly [K in keyof T]: Liftable<T[K]> }
      : T;

export interface JitFunction<A extends unknown[], R> {
  (...args: { [K in keyof A]: Liftable<A[K]> }): R;
  /** Counters of this function. */
  stats(): JitStats;
  /** A listing of the graph that would run for these arguments: nodes, shapes, FLOPs, bytes. */
  explain(...args: { [K in keyof A]: Liftable<A[K]> }): string;
  /**
   * SHA-256 (hex) of what the function computes for arguments of these shapes: its operations,
   * constants and wiring as recorded, before any optimisation. Names, comments and the order in
   * which code is written leave it as it is.
   */
  fingerprint(...args: { [K in keyof A]: Liftable<A[K]> }): string;
}

/** That of functions without an executor of their own. @throws ConfigError for an unknown name. */
export function defaultExecutor(): Executor {
  return checkedExecutor((process.env['GIBBS_EXECUTOR'] || 'onnx') as Executor);
}

function checkedExecutor(executor: Executor): Executor {
  if (EXECUTORS.includes(executor)) return executor;
  throw new ConfigError(`jit: unknown executor '${executor}' (known: ${EXECUTORS.join(', ')})`);
}

/** What one set of argument shapes was compiled to. */
interface Compiled extends Callable {
  readonly hash: string;
  readonly structure: Structure;
  calls: number;
}

const registry = new Set<{ name: string; stats: JitStats }>();

/**
 * Compiles a pure function of trees of tensors. The first call with given shapes records what the
 * function does and compiles it; later calls run the compiled graph, synchronously. The function
 * may use any TensorFlow.js op that has a lowering rule, gradients of gradients included; it must
 * not draw random numbers, read values or depend on anything but its arguments.
 *
 * Arguments may hold `tf.Tensor`s, host arrays and numbers (each number is an argument of its own,
 * so a changing learning rate compiles once). Results are `tf.Tensor`s on the `cpu` backend, whose
 * `dataSync()` copies nothing. On another device than the processor, the results of a function that
 * is donated its state stay on the device: they go into the next call as they are, and `dataSync()`
 * or an eager op fetches them.
 *
 * @throws TraceError when the function cannot be traced; names the op and the line.
 * @throws ShapeError when an argument is not a tree of tensors.
 */
export function jit<A extends unknown[], R>(
  fn: (...args: A) => R,
  options: JitOptions = {},
): JitFunction<A, R> {
  const { donate = [], threads = 1 } = options;
  const executor = checkedExecutor(options.executor ?? defaultExecutor());
  const precision = precisionFor(executor, options.precision);
  const name = options.name ?? (fn.name || 'anonymous');
  const stats = noStats();
  const entry = { name, stats };
  const compiled = new Map<string, Compiled>();

  const record = (inputs: readonly LeafSpec[], structure: Structure) => {
    registerMissingGradients();
    const started = performance.now();
    let resultStructure: Structure | undefined;
    const graph = trace(inputs, (tensors) => {
      const result = flattenNamed(
        `jit: ${name}: result`,
        fn(...(unflatten(structure, tensors) as unknown as A)),
      );
      resultStructure = result.structure;
      return result.leaves.map((leaf) => asTensor(leaf));
    });
    stats.traceMs += performance.now() - started;
    return { graph, structure: resultStructure! };
  };

  const compile = (
    provider: Provider,
    inputs: readonly LeafSpec[],
    structure: Structure,
  ): Compiled => {
    if (precision === 'float16') needHalf(provider);
    const recorded = record(inputs, structure);
    stats.traces++;
    const started = performance.now();
    const hash = hashGraph(recorded.graph);
    const outputs = recorded.graph.outputs.map((id): LeafSpec => recorded.graph.nodes[id]);
    const counts = { inputs: inputs.length, outputs: outputs.length };
    const toOnnx = (lean: Graph) =>
      lowerToOnnx(lean, name, undefined, dialectOf(provider, precision));
    const run = (bytes: Uint8Array) => new OnnxSession(bytes, counts, { threads, provider });
    const openOnnx = (): Session => {
      const form = formOf(provider, precision);
      let model = readCache(hash, form);
      if (model === undefined) {
        model = toOnnx(optimise(recorded.graph));
        writeCache(hash, form, model);
      } else {
        stats.cacheHits++;
      }
      stats.nodesExecuted = model.nodeCount;
      return run(model.bytes);
    };
    const choice = { executor, precision, threads };
    const others = { reference: openOnnx, of: (lean: Graph) => run(toOnnx(lean).bytes) };
    const session = compilesToC(choice, provider)
      ? openNative(choice, recorded.graph, hash, name, others, stats)
      : openOnnx();
    stats.nodesTraced = recorded.graph.nodes.length;
    stats.compileMs += performance.now() - started;
    const buffers = new BufferPool(outputs);
    return { session, provider, hash, outputs, structure: recorded.structure, buffers, calls: 0 };
  };

  const call = (...args: unknown[]): R => {
    // Inside another trace the body simply becomes part of that graph.
    if (activeTracer() !== null) return fn(...(lift(args) as A));
    registry.add(entry);
    const { leaves, structure } = flattenNamed(`jit: ${name}: arguments`, args);
    const inputs = leaves.map((leaf, i) => leafSpec(leaf, `jit: ${name}: leaf ${i} of arguments`));
    // A compiled call is opaque to a gradient that is being recorded around it.
    if (executor === 'eager' || isDifferentiating()) {
      stats.eagerCalls++;
      const result = tf.tidy(() => liftFresh(fn(...(lift(args) as A))) as never);
      if (!isDifferentiating()) for (const i of donate) tensorsIn(args[i]).forEach(disposeOnce);
      return result;
    }
    const provider = options.device === undefined ? device() : providerOf(options.device);
    const key = `${provider} ${structureKey(structure)}${inputs.map(specKey).join()}`;
    let target = compiled.get(key);
    if (target === undefined) {
      target = compile(provider, inputs, structure);
      compiled.set(key, target);
    } else if (target.calls < checkedCalls(options.checked)) {
      stats.checks++;
      const again = hashGraph(record(inputs, structure).graph);
      if (again !== target.hash) {
        throw new TraceError(
          name,
          `jit: ${name} traced to another graph than at its first call: a value it captures has ` +
            'changed since, and the compiled graph still holds the old one; pass it as an argument',
        );
      }
    }
    target.calls++;
    const started = performance.now();
    const donated = donate.flatMap((i) => tensorsIn(args[i]));
    const { session } = target;
    const tensors =
      session instanceof OnnxSession && provider !== 'cpu'
        ? runOnDevice({ ...target, session }, leaves, donated, donate.length > 0)
        : runOnProcessor(target, leaves, donated);
    if (isNative(session)) stats.nativeCalls++;
    else stats.onnxCalls++;
    stats.runMs += performance.now() - started;
    return unflatten(target.structure, tensors) as R;
  };

  const recordFor = (args: unknown[]): Graph => {
    const { leaves, structure } = flattenNamed(`jit: ${name}: arguments`, args);
    const inputs = leaves.map((leaf, i) => leafSpec(leaf, `jit: ${name}: leaf ${i} of arguments`));
    return record(inputs, structure).graph;
  };

  const explain = (...args: unknown[]): string => {
    const raw = recordFor(args);
    const lean = optimise(raw);
    const text = describe(name, raw, lean);
    return (executor === 'native' || executor === 'auto') && precision !== 'float16'
      ? `${text}\n\n${explainNative(lean, precision)}`
      : text;
  };

  const fingerprint = (...args: unknown[]): string => hashGraph(recordFor(args));

  return Object.assign(call, { stats: () => ({ ...stats }), explain, fingerprint }) as JitFunction<
    A,
    R
  >;
}

/** Counters of all jitted functions of this process, summed. */
jit.stats = (): JitStats => {
  let total = noStats();
  for (const { stats } of registry) total = addStats(total, stats);
  return total;
};

/** What `fn` compiles to for these arguments, as a listing. Nothing is run. */
jit.explain = <A extends unknown[], R>(
  fn: (...args: A) => R,
  ...args: { [K in keyof A]: Liftable<A[K]> }
): string => jit(fn).explain(...args);

function describe(name: string, raw: Graph, lean: Graph): string {
  return [
    `${name}: ${printCost(costOf(lean))} (${raw.nodes.length} nodes recorded)`,
    '',
    printSummary(lean),
    '',
    printGraph(lean),
  ].join('\n');
}

/** The leaves of a tree; what is no tree of tensors is an error that begins with `what`. */
function flattenNamed(what: string, tree: unknown) {
  if (tree instanceof Promise) {
    throw new ShapeError(`${what} is a promise; a jitted function must not be async`);
  }
  try {
    return flatten(tree, isLeaf);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    const rest = error.message.slice('tree: '.length).replace('the root', '');
    throw new ShapeError(`${what}${rest}`);
  }
}

function checkedCalls(option: boolean | number | undefined): number {
  const chosen = option ?? process.env['GIBBS_CHECKED'] ?? false;
  if (chosen === true || chosen === 'true') return Number.POSITIVE_INFINITY;
  return Number(chosen) || 0;
}

const tensorsIn = (tree: unknown) => flatten(tree, isLeaf).leaves.filter(isTensor);

/** True while TensorFlow.js records a gradient eagerly. */
const isDifferentiating = () => tf.engine().state.gradientDepth > 0;
