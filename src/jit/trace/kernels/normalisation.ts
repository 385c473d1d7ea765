import type { GraphBuilder } from '../../ir/builder.ts';
import type { TraceRule } from '../rules.ts';
import { asFloat } from './elementwise.ts';
import { pad, reverse as reverseAxes, sliceAxis } from './shape.ts';

const NONE = {};

/** Running products in log₂(n) multiplications of ever further shifted copies. */
function scanProduct(
  b: GraphBuilder,
  x: number,
  axis: number,
  exclusive: boolean,
  reverse: boolean,
): number {
  const n = b.shape(x)[axis];
  const shift = (y: number, by: number) => {
    const kept = sliceAxis(b, y, axis, 0, n - by);
    const before = b.shape(x).map((_, i) => (i === axis ? by : 0));
    return pad(
      b,
      kept,
      before,
      before.map(() => 0),
      1,
    );
  };
  let y = reverse ? reverseAxes(b, x, [axis]) : x;
  if (exclusive && n > 0) y = shift(y, 1);
  for (let by = 1; by < n; by *= 2) y = b.add('mul', [y, shift(y, by)], NONE);
  return reverse ? reverseAxes(b, y, [axis]) : y;
}

export const NORMALISATION_RULES: Record<string, TraceRule> = {
  Softmax: (b, { logits }) => b.add('softmax', [asFloat(b, logits)], NONE),
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
  Cumprod: (b, { x }, { axis, exclusive, reverse }) =>
    scanProduct(b, x, axis < 0 ? axis + b.shape(x).length : axis, exclusive, reverse),
  TopK: (b, { x }, { k }) => [b.add('topkValues', [x], { k }), b.add('topkIndices', [x], { k })],
};
