import type { Provider } from '../run/provider.ts';

/** What one executor of ONNX takes, where executors differ. */
export interface Dialect {
  /** Only operators of the ONNX standard: no contributed ones. */
  readonly portable: boolean;
  /** Operands of one Concat, results of one Split. */
  readonly mostOperands: number;
  /** Whether a Slice may run backwards from any element, not from the last alone. */
  readonly backwardFromAnywhere: boolean;
}

const UNLIMITED = Number.POSITIVE_INFINITY;

/** A model for any runtime. */
export const STANDARD: Dialect = {
  portable: true,
  mostOperands: UNLIMITED,
  backwardFromAnywhere: true,
};

export const DIALECTS: Readonly<Record<Provider, Dialect>> = {
  cpu: { ...STANDARD, portable: false },
  cuda: { ...STANDARD, portable: false },
  // A WebGPU shader binds a dozen buffers, on some devices ten; some are for other things. Its Slice
  // with a negative step begins at the last element, wherever it is told to begin.
  webgpu: { portable: true, mostOperands: 8, backwardFromAnywhere: false },
};
