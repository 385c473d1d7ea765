import { Tensor as OrtTensor } from 'onnxruntime-node';
import { binding, initOrt } from 'onnxruntime-node/dist/binding.js';
import { GibbsError } from '../../core/errors.ts';
import type { DType, HostData } from '../../core/host-tensor.ts';
import { runNative } from '../../core/interrupt.ts';

/** One array on its way into or out of a session. */
export interface Slot {
  readonly data: HostData;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

export interface SessionOptions {
  /** Threads inside one run. More than one only pays for large products on an idle machine. */
  readonly threads: number;
}

/**
 * A compiled ONNX graph. Runs are synchronous: the public session of onnxruntime-node defers every
 * call to the event loop, which would make each traced function async and cost a turn per step, so
 * its binding is used directly.
 */
export class OnnxSession {
  private readonly session;

  /** @throws GibbsError when ONNX Runtime refuses the model: a fault of the lowering. */
  constructor(model: Uint8Array, options: SessionOptions) {
    initOrt();
    this.session = new binding.InferenceSession();
    try {
      this.session.loadModel(model.buffer as ArrayBuffer, model.byteOffset, model.byteLength, {
        intraOpNumThreads: options.threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        // Our passes have done this work; ONNX Runtime's grow superlinearly with the graph.
        graphOptimizationLevel: 'disabled',
        logSeverityLevel: 3,
      });
    } catch (error) {
      throw new GibbsError('internal', `ONNX Runtime refused the graph: ${String(error)}`, {
        cause: error,
      });
    }
  }

  /** Runs once; results are written into the arrays of `outputs`. */
  run(inputs: readonly Slot[], outputs: readonly Slot[]): void {
    const feeds: Record<string, OrtTensor> = {};
    for (let i = 0; i < inputs.length; i++) feeds[`in${i}`] = ortTensor(inputs[i]);
    const fetches: Record<string, OrtTensor> = {};
    for (let i = 0; i < outputs.length; i++) fetches[`out${i}`] = ortTensor(outputs[i]);
    runNative(() => this.session.run(feeds, fetches, {}));
  }

  dispose(): void {
    this.session.dispose();
  }
}

function ortTensor({ data, shape, dtype }: Slot): OrtTensor {
  return new OrtTensor(dtype, data as Float32Array, shape);
}
