import type { GraphBuilder } from '../../ir/builder.ts';
import { traceError } from '../caller.ts';
import type { TraceInputs, TraceRule } from '../rules.ts';
import { asFloat, clip, elu, leakyRelu } from './elementwise.ts';

const NONE = {};

/** bias and activation of TensorFlow.js' fused kernels, unfused again. */
export function epilogue(
  b: GraphBuilder,
  x: number,
  { bias, preluActivationWeights }: TraceInputs,
  activation: string | undefined,
  leakyreluAlpha: number,
): number {
  const y = bias === undefined ? x : b.add('add', [x, bias], NONE);
  switch (activation ?? 'linear') {
    case 'linear':
      return y;
    case 'relu':
      return b.add('relu', [y], NONE);
    case 'relu6':
      return clip(b, y, 0, 6);
    case 'elu':
      return elu(b, y);
    case 'sigmoid':
      return b.add('sigmoid', [y], NONE);
    case 'leakyrelu':
      return leakyRelu(b, y, b.splat(leakyreluAlpha));
    case 'prelu':
      return leakyRelu(b, y, preluActivationWeights);
    default:
      throw traceError('fused', `has activation '${activation}', which cannot be traced`);
  }
}

function product(b: GraphBuilder, { a, b: c }: TraceInputs, transA: boolean, transB: boolean) {
  return b.add('matmul', [asFloat(b, a), asFloat(b, c)], {
    transA: transA ?? false,
    transB: transB ?? false,
  });
}

export const MATMUL_RULES: Record<string, TraceRule> = {
  BatchMatMul: (b, inputs, { transposeA, transposeB }) =>
    product(b, inputs, transposeA, transposeB),
  _FusedMatMul: (b, inputs, { transposeA, transposeB, activation, leakyreluAlpha }) =>
    epilogue(b, product(b, inputs, transposeA, transposeB), inputs, activation, leakyreluAlpha),
};
