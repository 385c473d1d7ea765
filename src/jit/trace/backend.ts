import type { TraceError } from '../../core/errors.ts';
import type { DType, HostData } from '../../core/host-tensor.ts';
import { tf } from '../tf.ts';
import { AFTER } from './after.ts';
import { activeOp, activeRandomOp, traceError } from './caller.ts';
import { RANK_MEAN } from './rank-mean.ts';
import type { Tracer } from './tracer.ts';

export const TRACE_BACKEND = 'gibbs-trace';

/** Narrows a TensorFlow.js dtype to those the engine has. */
export function asDType(dtype: string): DType {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'bool') return dtype;
  throw traceError(activeOp(), `uses dtype ${dtype}; the engine has float32, int32 and bool`);
}

/** A TensorFlow.js backend that records. Only what kernels and tensors call is answered. */
class TraceBackend extends tf.KernelBackend {
  private readonly tracer: () => Tracer | null;

  constructor(tracer: () => Tracer | null) {
    super();
    this.tracer = tracer;
  }

  override write(values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType) {
    const random = activeRandomOp();
    if (random !== undefined) {
      throw traceError(
        random,
        'draws random numbers inside a traced function, where they would be drawn once and ' +
          'frozen; draw them outside and pass them as an argument',
      );
    }
    const tracer = this.tracer();
    if (tracer === null) throw traceError(activeOp(), 'reached the trace backend outside a trace');
    const type = asDType(dtype);
    const data = asHostData(values, type);
    return tracer.dataId(tracer.constant(data, shape, type));
  }

  override readSync(): never {
    throw this.readError('dataSync');
  }

  /** Reported when the trace ends: nobody may be waiting for this promise to reject. */
  override read(): Promise<never> {
    const error = this.readError('data');
    const tracer = this.tracer();
    if (tracer === null) return Promise.reject(error);
    tracer.failure ??= error;
    return new Promise(() => {});
  }

  private readError(method: string): TraceError {
    const op = activeOp() === 'tensor' ? method : activeOp();
    if (this.tracer() === null) {
      return traceError(
        op,
        'reads a tensor of a trace that has ended: of what a traced function makes, only what it ' +
          'returns exists outside',
      );
    }
    return traceError(
      op,
      'reads the value of a tensor inside a traced function, where it has none yet; return the ' +
        'tensor and read it outside, or use tf.where instead of a branch',
    );
  }

  override numDataIds(): number {
    return 0;
  }

  override disposeData(): boolean {
    return true;
  }

  override incRef(): void {}

  decRef(): void {}

  override refCount(): number {
    return 1;
  }

  override memory() {
    return { unreliable: true, reasons: ['a trace holds no data'] };
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override timerAvailable(): boolean {
    return false;
  }

  override dispose(): void {}
}

function asHostData(values: tf.backend_util.BackendValues, dtype: DType): HostData {
  if (ArrayBuffer.isView(values)) {
    const typed = values as HostData;
    if (dtype === 'float32')
      return typed instanceof Float32Array ? typed : Float32Array.from(typed);
    if (dtype === 'int32') return typed instanceof Int32Array ? typed : Int32Array.from(typed);
    return typed instanceof Uint8Array ? typed : Uint8Array.from(typed);
  }
  const numbers = values as unknown as number[];
  if (dtype === 'float32') return Float32Array.from(numbers);
  if (dtype === 'int32') return Int32Array.from(numbers);
  return Uint8Array.from(numbers);
}

let installed = false;

/** Registers the backend and a recorder for every kernel name TensorFlow.js knows, once. */
export function installTraceBackend(tracer: () => Tracer | null): void {
  if (installed) return;
  installed = true;
  tf.registerBackend(TRACE_BACKEND, () => new TraceBackend(tracer), 0);
  refuseAssignments(tracer);
  const names = Object.entries(tf).flatMap(([key, value]) => (key === value ? [key] : []));
  for (const kernelName of [...names, '_FusedMatMul', AFTER, RANK_MEAN]) {
    if (tf.getKernel(kernelName, TRACE_BACKEND) !== undefined) continue;
    tf.registerKernel({
      kernelName,
      backendName: TRACE_BACKEND,
      kernelFunc: ({ inputs, attrs }) => {
        const current = tracer();
        if (current === null)
          throw traceError(kernelName, 'reached the trace backend outside a trace');
        return current.kernel(kernelName, inputs, attrs ?? {}) as never;
      },
    });
  }
}

/** A variable that is assigned to in a trace would be left with a value that does not exist. */
function refuseAssignments(tracer: () => Tracer | null): void {
  const { assign } = tf.Variable.prototype;
  tf.Variable.prototype.assign = function (value) {
    if (tracer() !== null) {
      throw traceError(
        'assign',
        'changes a variable inside a traced function, where nothing is computed; take the old ' +
          'value as an argument and return the new one',
      );
    }
    return assign.call(this, value);
  };
}
