import { BF16_PREAMBLE, needsBf16 } from '../gemm/bf16.ts';
import { FLOPS_WORTH_SHARING, type GeneratedKernel, once } from '../gemm/gemm.ts';
import { detectIsa, type Isa } from '../gemm/isa.ts';
import { vectorPreamble } from '../gemm/vector.ts';
import { emitForward } from './forward.ts';
import { type ConvCall, geometryOf } from './geometry.ts';
import { emitInputGrad } from './input-grad.ts';
import { emitWeightGrad } from './weight-grad.ts';

export type { ConvCall } from './geometry.ts';

const EMITTERS = {
  forward: emitForward,
  inputGrad: emitInputGrad,
  weightGrad: emitWeightGrad,
} as const;

/**
 * A kernel `NAME(a, b, c, out, scratch)` for one convolution: `a` and `b` are the operands in the
 * order that `ConvCall.kind` gives, `c` the bias or NULL. Two calls with equal sizes have the same
 * name and source; sums run in a fixed order; the result must not overlap an operand.
 */
export function convKernel(call: ConvCall, isa: Isa = detectIsa()): GeneratedKernel {
  const name = nameOf(call, isa);
  const rounded = call.precision === 'bf16';
  if (rounded) needsBf16('convKernel', isa);
  const preamble = vectorPreamble(isa) + (rounded ? BF16_PREAMBLE : '');
  const geometry = geometryOf(call, isa);
  const { source, scratch, pieces } = EMITTERS[call.kind](name, geometry, isa);
  const { batch, filters, pixels, depth } = geometry;
  return {
    name,
    source: once(name, `${preamble}${source}`),
    scratch,
    divisible: pieces > 1 && 2 * batch * filters * pixels * depth >= FLOPS_WORTH_SHARING,
  };
}

function nameOf(call: ConvCall, isa: Isa): string {
  const { kind, batch, channels, height, width, filters, kernel, strides, pads } = call;
  const sizes = [batch, channels, height, width, filters, ...kernel].join('x');
  const rest = [...strides, ...pads, ...call.dilations, call.groups].join('_');
  const form = call.precision === 'bf16' ? 'bf16' : isa.name;
  return `conv_${form}_${kind}_${sizes}_${rest}${call.bias ? '_bias' : ''}`;
}
