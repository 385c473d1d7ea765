import type { DType, HostData } from '../../core/host-tensor.ts';
import { runNative } from '../../core/interrupt.ts';
import type { LeafSpec } from '../trace/tracer.ts';
import { boundResults, deviceMemory } from './binding.ts';
import { DeviceValue } from './device-value.ts';
import { NO_FALLBACK, openOnDevice } from './fallback.ts';
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

/** What a session is given: an array, or what it or another session of the device made. */
export type Input = Slot | DeviceValue;

export interface SessionOptions {
  /** Threads inside one run. More than one only pays for large products on an idle machine. */
  readonly threads: number;
  /** Where it runs. Default: the processor. */
  readonly provider?: Provider;
  /**
   * Whether main memory that a run has taken is kept for the next. Default: yes. Without, sessions
   * that run by turns take it from one another.
   */
  readonly arena?: boolean;
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
    { threads, provider = 'cpu', arena = true }: SessionOptions,
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
      // A pattern is one more block of the size of all that the first run has allocated.
      set(ort.disableMemPattern(options));
      if (!arena) set(ort.disableCpuArena(options));
      // Our passes have done this work; ONNX Runtime's grow superlinearly with the graph.
      set(ort.setOptimizationLevel(options, NO_OPTIMISATION));
      // What goes wrong comes as a status; ONNX Runtime would print it as well.
      set(ort.setLogSeverity(options, NOTHING));
      appendProvider(ort, options, provider);
      const open = () =>
        ort.create('ONNX Runtime refused the graph', (out) =>
          ort.createSessionFromArray(ort.env, model, model.byteLength, options, out),
        );
      this.handle =
        provider === 'cpu'
          ? open()
          : openOnDevice(provider, open, (allowed) => {
              set(ort.setSessionEntry(options, NO_FALLBACK, allowed ? '0' : '1'));
            });
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
  run(inputs: readonly Input[], outputs: readonly Slot[]): void {
    const { ort, inputNames, outputNames } = this;
    this.calling((tensor) => {
      const feeds = BigUint64Array.from(inputs, tensor);
      const fetches = BigUint64Array.from(outputs, tensor);
      const [ins, outs] = [inputs.length, outputs.length];
      return (handle) =>
        ort.run(handle, null, inputNames.table, feeds, ins, outputNames.table, outs, fetches);
    });
  }

  /** Runs once; results stay in the memory of the device. @throws as `run`. */
  runOnDevice(inputs: readonly Input[], outputs: readonly LeafSpec[]): DeviceValue[] {
    const { ort, provider, inputNames, outputNames } = this;
    const what = 'ONNX Runtime refused a binding';
    const memory = deviceMemory(ort, provider);
    const binding = ort.create(what, (out) => ort.createBinding(this.opened, out));
    let results: Pointer[] = [];
    try {
      this.calling((tensor) => {
        inputs.forEach((input, i) => {
          ort.check(ort.bindInput(binding, inputNames.table[i], tensor(input)), what);
        });
        outputs.forEach((_, i) => {
          ort.check(ort.bindOutputToDevice(binding, outputNames.table[i], memory), what);
        });
        return (handle) => {
          const status = ort.runBound(handle, null, binding);
          if (status === null) results = boundResults(ort, binding);
          return status;
        };
      });
    } catch (error) {
      // Stop may come after the run: its results are nobody's then.
      for (const pointer of results) ort.releaseValue(pointer);
      throw error;
    } finally {
      ort.releaseBinding(binding);
    }
    return results.map((pointer, i) => new DeviceValue(pointer, this, { ...outputs[i], provider }));
  }

  /** Prepares a call with the tensors it needs, makes it, and lets go of them. */
  private calling(
    prepare: (tensor: (input: Input) => Pointer) => (handle: Pointer) => unknown,
  ): void {
    const { ort, opened: handle, provider } = this;
    const made: Pointer[] = [];
    const tensor = (input: Input) => {
      if (input instanceof DeviceValue) return input.pointer;
      made.push(this.tensor(input));
      return made[made.length - 1];
    };
    try {
      const call = prepare(tensor);
      ort.check(
        runNative(() => call(handle)),
        'ONNX Runtime failed in a run',
      );
    } catch (error) {
      throw explainFault(provider, error);
    } finally {
      for (const pointer of made) ort.releaseValue(pointer);
    }
  }

  private get opened(): Pointer {
    if (this.handle === undefined) throw new Error('OnnxSession: disposed');
    return this.handle;
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
