import type { TraceRule } from '../rules.ts';
import { asFloat } from './elementwise.ts';

const NONE = {};

export const NORMALISATION_RULES: Record<string, TraceRule> = {
  Softmax: (b, { logits }) => b.add('softmax', [asFloat(b, logits)], NONE),
  LogSoftmax: (b, { logits }) => {
    const axes = [b.shape(logits).length - 1];
    const peak = b.add('reduceMax', [logits], { axes, keepDims: true });
    const shifted = b.add('sub', [logits, peak], NONE);
    const total = b.add('sum', [b.add('exp', [shifted], NONE)], { axes, keepDims: true });
    return b.add('sub', [shifted, b.add('log', [total], NONE)], NONE);
  },
  FusedBatchNorm: (b, { x, mean, variance, scale, offset }, { varianceEpsilon }) => {
    const spread = b.add('add', [variance, b.splat(varianceEpsilon)], NONE);
    const inverse = b.add('rsqrt', [spread], NONE);
    const factor = scale === undefined ? inverse : b.add('mul', [inverse, scale], NONE);
    const y = b.add('mul', [b.add('sub', [x, mean], NONE), factor], NONE);
    return offset === undefined ? y : b.add('add', [y, offset], NONE);
  },
  Cumsum: (b, { x }, { axis, exclusive, reverse }) => {
    const rank = b.shape(x).length;
    return b.add('cumsum', [x], { axis: axis < 0 ? axis + rank : axis, exclusive, reverse });
  },
  TopK: (b, { x }, { k }) => [b.add('topkValues', [x], { k }), b.add('topkIndices', [x], { k })],
};
