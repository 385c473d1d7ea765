import type { Precision } from '../native/precision.ts';
import type { Provider } from '../run/provider.ts';

/** What one executor of ONNX takes, where executors differ. */
export interface Dialect {
  /** Only operators of the ONNX standard: no contributed ones. */
  readonly portable: boolean;
  /** Operands of one Concat, results of one Split. */
  readonly mostOperands: number;
  /** Whether a Slice may run backwards from any element, not from the last alone. */
  readonly backwardFromAnywhere: boolean;
  /**
   * What large products take and give: `float16`; or `rounded`, float32 numbers that are rounded to
   * those of float16, where there are no kernels for these.
   */
  readonly products: 'float32' | 'float16' | 'rounded';
}

const UNLIMITED = Number.POSITIVE_INFINITY;

/** A model for any runtime. */
export const STANDARD: Dialect = {
  portable: true,
  mostOperands: UNLIMITED,
  backwardFromAnywhere: true,
  products: 'float32',
};

export const DIALECTS: Readonly<Record<Provider, Dialect>> = {
  cpu: { ...STANDARD, portable: false },
  cuda: { ...STANDARD, portable: false },
  // A WebGPU shader binds a dozen buffers, on some devices ten; some are for other things. Its Slice
  // with a negative step begins at the last element, wherever it is told to begin.
  webgpu: { ...STANDARD, mostOperands: 8, backwardFromAnywhere: false },
};

/** Names the models that a provider gets in a precision. */
export const formOf = (provider: Provider, precision: Precision): string =>
  precision === 'float16' ? `${provider} ${precision}` : provider;

/** What a provider takes in a precision. */
export function dialectOf(provider: Provider, precision: Precision): Dialect {
  const dialect = DIALECTS[provider];
  if (precision !== 'float16') return dialect;
  return { ...dialect, products: provider === 'cpu' ? 'rounded' : 'float16' };
}
