import { ConfigError, NativeBuildError, unknownName } from '../../core/errors.ts';
import { findCompiler } from './build/compiler.ts';
import { supportsBf16 } from './gemm/bf16.ts';
import { notify } from './notify.ts';

export const PRECISIONS = ['float32', 'bfloat16', 'float16'] as const;
export type Precision = (typeof PRECISIONS)[number];

/** What computes in a precision beside float32, as the cure of asking others. */
const EXECUTORS_OF = {
  bfloat16: ['native', 'auto'],
  float16: ['onnx', 'auto'],
} as const;

/**
 * The precision of a function's products: the given one, or that of `GIBBS_PRECISION`, or float32.
 * `auto` makes do with float32, and says so once, where bfloat16 lacks the processor or a compiler.
 *
 * @throws ConfigError for an unknown precision; where bfloat16 is asked of another executor than
 * `native` and `auto`, or of `native` on a processor without AVX512-BF16; where float16 is asked of
 * another one than `onnx` and `auto`.
 */
export function precisionFor(executor: string, option?: Precision): Precision {
  const asked = askedFor(option);
  if (asked === 'float32') return asked;
  const able: readonly string[] = EXECUTORS_OF[asked];
  if (!able.includes(executor)) {
    throw new ConfigError(
      `jit: precision '${asked}' is not for executor '${executor}'; use '${able.join("' or '")}' ` +
        "(GIBBS_EXECUTOR), or precision 'float32' (GIBBS_PRECISION)",
    );
  }
  if (asked === 'float16') return asked;
  if (executor === 'native') {
    if (supportsBf16()) return asked;
    throw new ConfigError(
      `jit: precision '${asked}' needs a processor with AVX512-BF16, which this one is not; use 'float32'`,
    );
  }
  const lack = whatIsMissing();
  if (lack === undefined) return asked;
  notify(`precision '${asked}' was asked for, float32 is used: ${lack}`);
  return 'float32';
}

/**
 * Whether a function with these choices is compiled to C on this device.
 * @throws ConfigError for what only C does and C does on the processor only.
 */
export function compilesToC(
  { executor, precision }: { readonly executor: string; readonly precision: Precision },
  device: string,
): boolean {
  if (device === 'cpu') return executor !== 'onnx' && precision !== 'float16';
  if (executor === 'native') {
    throw new ConfigError(
      `jit: executor 'native' runs on device 'cpu', not '${device}'; use 'auto' or 'onnx'`,
    );
  }
  if (precision !== 'bfloat16') return false;
  throw new ConfigError(
    `jit: precision '${precision}' runs on device 'cpu', not '${device}'; use 'float16' or 'float32'`,
  );
}

/**
 * The precision that `GIBBS_PRECISION` brings here for products of compiled functions without a
 * precision of their own; float32 where bfloat16 lacks the processor or a compiler.
 */
export function defaultPrecision(): Precision {
  const asked = askedFor(undefined);
  return asked !== 'bfloat16' || whatIsMissing() === undefined ? asked : 'float32';
}

function askedFor(option: Precision | undefined): Precision {
  const asked = option ?? ((process.env['GIBBS_PRECISION'] || 'float32') as Precision);
  if (!PRECISIONS.includes(asked)) throw unknownName('precision', asked, PRECISIONS);
  return asked;
}

function whatIsMissing(): string | undefined {
  if (!supportsBf16()) return 'the processor has no AVX512-BF16';
  try {
    findCompiler();
    return undefined;
  } catch (error) {
    if (!(error instanceof NativeBuildError)) throw error;
    return error.message;
  }
}
