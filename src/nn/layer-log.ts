import type { Tensor } from '../jit/tf.ts';

/** One layer as it ran: for the table of a network's layers. */
export interface LayerRecord {
  /** Key of its parameters without the last part, e.g. `all_modules.3.Conv_0`. */
  readonly name: string;
  readonly kind: string;
  /** Shape of its output. */
  readonly shape: readonly number[];
  /** Floating-point operations for the whole batch; a multiplication with addition counts 2. */
  readonly operations: number;
}

let watch: ((record: LayerRecord) => void) | undefined;

/** Runs `fn` and returns the layers that ran in it, in order. */
export function recordLayers(fn: () => void): LayerRecord[] {
  const before = watch;
  const records: LayerRecord[] = [];
  watch = (record) => records.push(record);
  try {
    fn();
  } finally {
    watch = before;
  }
  return records;
}

/** Every layer hands its output through here. */
export function layerOutput(layer: Omit<LayerRecord, 'shape'>, output: Tensor): Tensor {
  watch?.({ ...layer, shape: output.shape });
  return output;
}
