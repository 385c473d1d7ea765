import { GibbsError, ShapeError, type TraceError } from '../../core/errors.ts';
import type { DType, HostData } from '../../core/host-tensor.ts';
import { GraphBuilder } from '../ir/builder.ts';
import type { Graph } from '../ir/ops.ts';
import { Malformed } from '../ir/spec.ts';
import { type Tensor, tf } from '../tf.ts';
import { asDType, installTraceBackend, TRACE_BACKEND } from './backend.ts';
import { activeOp, callerLine, traceError } from './caller.ts';
import { TRACE_RULES, type TraceInputs, type TraceRule } from './rules.ts';
import { UNTRACED } from './untraced.ts';

/**
 * Records what a function of tensors does. While it runs, TensorFlow.js' active backend is one
 * whose kernels append nodes to a graph instead of computing; tensors carry node ids for data.
 */
export class Tracer {
  readonly builder = new GraphBuilder();
  /** What went wrong where it could not be thrown. */
  failure: TraceError | undefined;
  private readonly nodeOf = new WeakMap<object, number>();

  /** The node behind a tensor; tensors from outside the trace become constants. */
  node(tensor: { dataId: object; shape: number[]; dtype: string }): number {
    const known = this.nodeOf.get(tensor.dataId);
    if (known !== undefined) return known;
    const owner = tf.engine().state.tensorInfo.get(tensor.dataId)?.backend;
    if (owner === undefined) throw traceError(activeOp(), 'uses a tensor that was disposed');
    const dtype = asDType(tensor.dtype);
    const values = owner.readSync(tensor.dataId) as HostData;
    const id = this.constant(values.slice(), tensor.shape, dtype);
    this.nodeOf.set(tensor.dataId, id);
    return id;
  }

  /** A literal array, as one value when all its elements agree bit for bit. */
  constant(values: HostData, shape: readonly number[], dtype: DType): number {
    const first = values[0];
    if (values.length > 0 && values.every((v) => Object.is(v, first))) {
      return this.builder.splat(first, shape, dtype);
    }
    return this.builder.const(values, shape, dtype);
  }

  /** A fresh data id that stands for `node`. */
  dataId(node: number): object {
    const id = {};
    this.nodeOf.set(id, node);
    return id;
  }

  /** A tensor that stands for `node`. */
  tensor(node: number): Tensor {
    const { shape, dtype } = this.builder.nodes[node];
    return tf.engine().makeTensorFromTensorInfo({
      dataId: this.dataId(node),
      shape: [...shape],
      dtype,
    });
  }

  /** Runs the rule of one kernel: what the trace backend does in place of computing. */
  kernel(name: string, inputs: Record<string, unknown>, attrs: Record<string, unknown>) {
    const rule = TRACE_RULES[name];
    if (rule === undefined) {
      const why = UNTRACED[name] ?? 'write it from ops that have one';
      throw traceError(name, `has no lowering rule: ${why}`);
    }
    const ids: TraceInputs = {};
    for (const [key, value] of Object.entries(inputs)) {
      if (value !== undefined && value !== null) ids[key] = this.node(value as Tensor);
    }
    const result = this.apply(rule, ids, attrs);
    const infos = (Array.isArray(result) ? result : [result]).map((id) => {
      const { shape, dtype } = this.builder.nodes[id];
      return { dataId: this.dataId(id), shape: [...shape], dtype };
    });
    return Array.isArray(result) ? infos : infos[0];
  }

  /** Operands that do not fit are the caller's fault, so the error names the op and the line. */
  private apply(rule: TraceRule, ids: TraceInputs, attrs: object): number | number[] {
    try {
      return rule(this.builder, ids, attrs);
    } catch (error) {
      const cause = (error as Error).cause;
      if (error instanceof GibbsError && !(cause instanceof Malformed)) throw error;
      const why = cause instanceof Malformed ? cause.message : (error as Error).message;
      throw new ShapeError(`${activeOp()} at ${callerLine()}: ${why}`, { cause: error });
    }
  }
}

let active: Tracer | null = null;

/** The tracer in charge, if a trace is running. */
export function activeTracer(): Tracer | null {
  return active;
}

export interface LeafSpec {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/**
 * Traces `fn` over inputs of the given shapes.
 * @param fn takes the input tensors and returns the output tensors.
 * @throws TraceError when the function reads a value, draws random numbers or uses an op without
 *   a rule; the message names the op and the line.
 */
export function trace(inputs: readonly LeafSpec[], fn: (inputs: Tensor[]) => Tensor[]): Graph {
  const engine = tf.engine();
  const previous = engine.backendName ?? 'cpu';
  const outer = active;
  const tracer = new Tracer();
  installTraceBackend(() => active);
  active = tracer;
  // setBackend is declared async but switches synchronously for a backend that is registered.
  void engine.setBackend(TRACE_BACKEND);
  engine.startScope('trace');
  try {
    const tensors = inputs.map(({ shape, dtype }) =>
      tracer.tensor(tracer.builder.input(shape, dtype)),
    );
    const outputs = fn(tensors).map((t) => tracer.node(t));
    if (tracer.failure !== undefined) throw tracer.failure;
    return tracer.builder.finish(outputs);
  } finally {
    engine.endScope();
    active = outer;
    void engine.setBackend(previous);
  }
}
