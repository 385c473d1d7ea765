import type { GraphBuilder } from '../../ir/builder.ts';
import { tf } from '../../tf.ts';
import type { TraceRule } from '../rules.ts';
import { refuseOblong } from './conv.ts';
import { pad } from './shape.ts';

/*
 * A pooling window is a handful of strided slices of the padded image (NHWC), combined
 * elementwise.
 */

const NONE = {};
type Quad = [number, number, number, number];

interface Window {
  readonly offsets: readonly (readonly [number, number])[];
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly strides: readonly [number, number];
  readonly out: Quad;
}

// biome-ignore lint/suspicious/noExplicitAny: the attributes of four kernels
function window(inputShape: Quad, a: any): Window {
  const info = tf.backend_util.computePool2DInfo(
    inputShape,
    a.filterSize,
    a.strides,
    1,
    a.pad,
    a.dimRoundingMode,
  );
  refuseOblong(a.pad, info);
  const offsets = Array.from({ length: info.filterHeight * info.filterWidth }, (_, k) => {
    return [Math.floor(k / info.filterWidth), k % info.filterWidth] as const;
  });
  const { top, left } = info.padInfo;
  const [, h, w] = inputShape;
  // What the last window reaches, which rounding may put inside or outside the padded image.
  const reachH = (info.outHeight - 1) * info.strideHeight + info.filterHeight;
  const reachW = (info.outWidth - 1) * info.strideWidth + info.filterWidth;
  return {
    offsets,
    before: [0, top, left, 0],
    after: [0, Math.max(0, reachH - h - top), Math.max(0, reachW - w - left), 0],
    strides: [info.strideHeight, info.strideWidth],
    out: info.outShape as Quad,
  };
}

function slices(b: GraphBuilder, x: number, win: Window, fill: number): number[] {
  const padded = pad(b, x, win.before, win.after, fill);
  return win.offsets.map(([i, j]) =>
    b.add('slice', [padded], {
      begin: [0, i, j, 0],
      size: win.out,
      strides: [1, ...win.strides, 1],
    }),
  );
}

const sum = (b: GraphBuilder, terms: number[]) =>
  terms.reduce((s, t) => b.add('add', [s, t], NONE));

/** How many cells of the image (not padding) each window covers. */
function counts(b: GraphBuilder, shape: Quad, win: Window): number {
  const ones = b.splat(1, [1, shape[1], shape[2], 1]);
  return sum(b, slices(b, ones, { ...win, out: [1, win.out[1], win.out[2], 1] }, 0));
}

export const POOL_RULES: Record<string, TraceRule> = {
  MaxPool: (b, { x }, attrs) => {
    const win = window(b.shape(x) as Quad, attrs);
    return slices(b, x, win, Number.NEGATIVE_INFINITY).reduce((m, s) => b.add('max', [m, s], NONE));
  },
  AvgPool: (b, { x }, attrs) => {
    const shape = b.shape(x) as Quad;
    const win = window(shape, attrs);
    return b.add('div', [sum(b, slices(b, x, win, 0)), counts(b, shape, win)], NONE);
  },
};
