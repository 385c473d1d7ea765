import type { DType, HostData } from '../../core/host-tensor.ts';
import { runNative } from '../../core/interrupt.ts';
import { explainFault } from './faults.ts';
import { type OrtApi, ortApi, type Pointer } from './ort-api.ts';
import type { Provider } from './provider.ts';
import { appendProvider } from './provider-options.ts';
import { TextTable } from './text-table.ts';

/** One array on its way into or out of a session. */
export interface Slot {
  readonly data: HostData;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

export interface SessionOptions {
  /** Threads inside one run. More than one only pays for large products on an idle machine. */
  readonly threads: number;
  /** Where it runs. Default: the processor. */
  readonly provider?: Provider;
}

/** `ONNXTensorElementDataType`. */
const ELEMENT: Readonly<Record<DType, number>> = { float32: 1, int32: 6, bool: 9 };

/** Sessions whose `OnnxSession` was collected before it was disposed. */
const forgotten = new FinalizationRegistry((session: Pointer) => ortApi().releaseSession(session));

/**
 * A compiled ONNX graph. Runs are synchronous (a promise for every traced call would cost a turn
 * of the event loop per step), and results are written straight into the caller's arrays.
 */
export class OnnxSession {
  private readonly ort: OrtApi;
  private readonly provider: Provider;
  private handle: Pointer | undefined;
  private readonly inputNames: TextTable;
  private readonly outputNames: TextTable;

  /**
   * @param model an ONNX file with inputs `in0`, `in1`, … and outputs `out0`, `out1`, …
   * @throws GibbsError when ONNX Runtime refuses the model: a fault of the lowering. DeviceError
   * when the device fails.
   */
  constructor(
    model: Uint8Array,
    counts: { readonly inputs: number; readonly outputs: number },
    { threads, provider = 'cpu' }: SessionOptions,
  ) {
    const ort = ortApi();
    this.ort = ort;
    this.provider = provider;
    this.inputNames = numbered('in', counts.inputs);
    this.outputNames = numbered('out', counts.outputs);
    const options = ort.create('ONNX Runtime made no options', (out) =>
      ort.createSessionOptions(out),
    );
    try {
      const set = (status: unknown) => ort.check(status, 'ONNX Runtime refused an option');
      set(ort.setIntraOpThreads(options, threads));
      set(ort.setInterOpThreads(options, 1));
      set(ort.setExecutionMode(options, SEQUENTIAL));
      // Our passes have done this work; ONNX Runtime's grow superlinearly with the graph.
      set(ort.setOptimizationLevel(options, NO_OPTIMISATION));
      // What goes wrong comes as a status; ONNX Runtime would print it as well.
      set(ort.setLogSeverity(options, NOTHING));
      appendProvider(ort, options, provider);
      this.handle = ort.create('ONNX Runtime refused the graph', (out) =>
        ort.createSessionFromArray(ort.env, model, model.byteLength, options, out),
      );
    } catch (error) {
      throw explainFault(provider, error);
    } finally {
      ort.releaseSessionOptions(options);
    }
    forgotten.register(this, this.handle, this);
  }

  /**
   * Runs once; results are written into the arrays of `outputs`.
   * @throws DeviceError when the device fails or its memory is used up; the session stays good.
   */
  run(inputs: readonly Slot[], outputs: readonly Slot[]): void {
    const { ort, handle, inputNames, outputNames } = this;
    if (handle === undefined) throw new Error('OnnxSession: disposed');
    const values = new BigUint64Array(inputs.length + outputs.length);
    let made = 0;
    try {
      for (const slot of inputs) values[made++] = this.tensor(slot);
      for (const slot of outputs) values[made++] = this.tensor(slot);
      const [feeds, fetches] = [values, values.subarray(inputs.length)];
      const [ins, outs] = [inputs.length, outputs.length];
      const status = runNative(() =>
        ort.run(handle, null, inputNames.table, feeds, ins, outputNames.table, outs, fetches),
      );
      ort.check(status, 'ONNX Runtime failed in a run');
    } catch (error) {
      throw explainFault(this.provider, error);
    } finally {
      for (let i = 0; i < made; i++) ort.releaseValue(values[i]);
    }
  }

  dispose(): void {
    if (this.handle === undefined) return;
    forgotten.unregister(this);
    this.ort.releaseSession(this.handle);
    this.handle = undefined;
  }

  /** A tensor that is the array itself: the array must outlive it. */
  private tensor({ data, shape, dtype }: Slot): Pointer {
    const { ort } = this;
    // V8 keeps small arrays in its own heap and moves them; asking for the buffer ends that.
    void data.buffer;
    const sizes = BigInt64Array.from(shape, BigInt);
    void sizes.buffer;
    return ort.create('ONNX Runtime refused a tensor', (out) =>
      ort.createTensor(ort.memory, data, data.byteLength, sizes, sizes.length, ELEMENT[dtype], out),
    );
  }
}

const SEQUENTIAL = 0;
const NO_OPTIMISATION = 0;
const NOTHING = 4;

const numbered = (prefix: string, count: number) =>
  new TextTable(Array.from({ length: count }, (_, i) => `${prefix}${i}`));
