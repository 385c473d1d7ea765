import { ConfigError, ShapeError, TraceError } from '../core/errors.ts';
import {
  type DType,
  type HostData,
  type HostTensor,
  isHostTensor,
  sizeOf,
} from '../core/host-tensor.ts';
import { flatten, type Structure, structureKey, type Tree, unflatten } from '../core/tree.ts';
import { registerMissingGradients } from './gradients.ts';
import { hashGraph } from './ir/hash.ts';
import type { Graph } from './ir/ops.ts';
import { costOf, printCost, printGraph, printSummary } from './ir/print.ts';
import { lowerToOnnx } from './onnx/lower.ts';
import { optimise } from './passes/index.ts';
import { readCache, writeCache } from './run/cache.ts';
import { OnnxSession, type Slot } from './run/session.ts';
import { addStats, type JitStats, noStats } from './run/stats.ts';
import { type Tensor, tf } from './tf.ts';
import { activeTracer, type LeafSpec, trace } from './trace/tracer.ts';

export type Executor = 'onnx' | 'eager';

export interface JitOptions {
  /**
   * `'onnx'` (default) compiles the function and runs each call as one ONNX Runtime call;
   * `'eager'` runs it op by op on TensorFlow.js' active backend, for comparison and debugging.
   */
  readonly executor?: Executor;
  /**
   * Arguments whose tensors are given up to the call: they are disposed and their memory is used
   * for results. For training state, which would otherwise be allocated anew at every step.
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
  /** Threads within one call. Default 1: independent runs side by side use a machine better. */
  readonly threads?: number;
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
}

type Leaf = Tensor | HostTensor | number;

const isTensor = (v: unknown): v is Tensor => v instanceof tf.Tensor;
const isLeaf = (v: unknown): v is Leaf => typeof v === 'number' || isTensor(v) || isHostTensor(v);

/** What one set of argument shapes was compiled to. */
interface Compiled {
  readonly session: OnnxSession;
  readonly hash: string;
  readonly outputs: readonly LeafSpec[];
  readonly structure: Structure;
  /** Buffers given up by earlier calls, by `dtype length`. */
  readonly spare: Map<string, HostData[]>;
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
 * `dataSync()` copies nothing.
 *
 * @throws TraceError when the function cannot be traced; names the op and the line.
 * @throws ShapeError when an argument is not a tree of tensors.
 */
export function jit<A extends unknown[], R>(
  fn: (...args: A) => R,
  options: JitOptions = {},
): JitFunction<A, R> {
  const { executor = 'onnx', donate = [], threads = 1 } = options;
  if (executor !== 'onnx' && executor !== 'eager') {
    throw new ConfigError(`jit: unknown executor '${executor}' (known: onnx, eager)`);
  }
  const name = options.name ?? (fn.name || 'anonymous');
  const stats = noStats();
  registry.add({ name, stats });
  const compiled = new Map<string, Compiled>();

  const record = (leaves: readonly Leaf[], structure: Structure) => {
    registerMissingGradients();
    const started = performance.now();
    let resultStructure: Structure | undefined;
    const graph = trace(leaves.map(leafSpec), (tensors) => {
      const result = flatten(fn(...(unflatten(structure, tensors) as unknown as A)), isLeaf);
      resultStructure = result.structure;
      return result.leaves.map((leaf) => asTensor(leaf));
    });
    stats.traceMs += performance.now() - started;
    return { graph, structure: resultStructure! };
  };

  const compile = (leaves: readonly Leaf[], structure: Structure): Compiled => {
    const recorded = record(leaves, structure);
    stats.traces++;
    const started = performance.now();
    const hash = hashGraph(recorded.graph);
    let model = readCache(hash, 'cpu');
    if (model === undefined) {
      model = lowerToOnnx(optimise(recorded.graph), name);
      writeCache(hash, 'cpu', model);
    } else {
      stats.cacheHits++;
    }
    const session = new OnnxSession(model.bytes, { threads });
    stats.nodesTraced = recorded.graph.nodes.length;
    stats.nodesExecuted = model.nodeCount;
    stats.compileMs += performance.now() - started;
    const outputs = recorded.graph.outputs.map((id) => recorded.graph.nodes[id]);
    return {
      session,
      hash,
      outputs: outputs.map(({ shape, dtype }) => ({ shape, dtype })),
      structure: recorded.structure,
      spare: new Map(),
      calls: 0,
    };
  };

  const call = (...args: unknown[]): R => {
    // Inside another trace the body simply becomes part of that graph.
    if (activeTracer() !== null) return fn(...(lift(args) as A));
    const { leaves, structure } = flattenArguments(name, args);
    if (executor === 'eager') {
      stats.eagerCalls++;
      return tf.tidy(() => fn(...(lift(args) as A)) as never);
    }
    const key = structureKey(structure) + leaves.map(leafKey).join();
    let target = compiled.get(key);
    if (target === undefined) {
      target = compile(leaves, structure);
      compiled.set(key, target);
    } else if (target.calls < checkedCalls(options.checked)) {
      stats.checks++;
      const again = hashGraph(record(leaves, structure).graph);
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
    const inputs = leaves.map(asSlot);
    const outputs = target.outputs.map((spec) => ({ ...spec, data: takeBuffer(target, spec) }));
    target.session.run(inputs, outputs);
    for (const argument of donate) giveUp(target, args[argument]);
    const tensors = outputs.map(({ data, shape, dtype }) => hostToTensor(data, shape, dtype));
    stats.onnxCalls++;
    stats.runMs += performance.now() - started;
    return unflatten(target.structure, tensors) as R;
  };

  const explain = (...args: unknown[]): string => {
    const { leaves, structure } = flattenArguments(name, args);
    const raw = record(leaves, structure).graph;
    const lean = optimise(raw);
    return describe(name, raw, lean);
  };

  return Object.assign(call, { stats: () => ({ ...stats }), explain }) as JitFunction<A, R>;
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

function flattenArguments(name: string, args: unknown[]) {
  try {
    return flatten(args, isLeaf);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new ShapeError(`jit: ${name}: arguments${error.message.slice('tree: '.length)}`);
  }
}

function checkedCalls(option: boolean | number | undefined): number {
  const chosen = option ?? process.env['GIBBS_CHECKED'] ?? false;
  if (chosen === true || chosen === 'true') return Number.POSITIVE_INFINITY;
  return Number(chosen) || 0;
}

function leafSpec(leaf: Leaf): LeafSpec {
  if (typeof leaf === 'number') return { shape: [], dtype: 'float32' };
  return { shape: [...leaf.shape], dtype: leaf.dtype as DType };
}

function leafKey(leaf: Leaf): string {
  return typeof leaf === 'number' ? 'float32[]' : `${leaf.dtype}[${leaf.shape}]`;
}

function asSlot(leaf: Leaf): Slot {
  if (typeof leaf === 'number') return { data: Float32Array.of(leaf), shape: [], dtype: 'float32' };
  if (isHostTensor(leaf)) return leaf;
  return { data: leaf.dataSync() as HostData, shape: leaf.shape, dtype: leaf.dtype as DType };
}

function asTensor(leaf: Leaf): Tensor {
  if (typeof leaf === 'number') return tf.scalar(leaf);
  if (isTensor(leaf)) return leaf;
  return tf.tensor(leaf.data, [...leaf.shape], leaf.dtype);
}

function lift(args: unknown[]): Tree<Tensor> {
  const { leaves, structure } = flatten(args, isLeaf);
  return unflatten(structure, leaves.map(asTensor));
}

const bufferKey = ({ shape, dtype }: LeafSpec) => `${dtype} ${sizeOf(shape)}`;

function takeBuffer(target: Compiled, spec: LeafSpec): HostData {
  const spare = target.spare.get(bufferKey(spec))?.pop();
  if (spare !== undefined) return spare;
  const size = sizeOf(spec.shape);
  if (spec.dtype === 'float32') return new Float32Array(size);
  return spec.dtype === 'int32' ? new Int32Array(size) : new Uint8Array(size);
}

/** Disposes donated tensors and keeps their memory for the next results. */
function giveUp(target: Compiled, argument: unknown): void {
  for (const leaf of flatten(argument, isLeaf).leaves) {
    if (!isTensor(leaf)) continue;
    const key = bufferKey(leafSpec(leaf));
    const list = target.spare.get(key) ?? [];
    list.push(leaf.dataSync() as HostData);
    target.spare.set(key, list);
    leaf.dispose();
  }
}

function hostToTensor(data: HostData, shape: readonly number[], dtype: DType): Tensor {
  const cpu = tf.engine().findBackend('cpu');
  return tf.engine().makeTensor(data, [...shape], dtype, cpu);
}
