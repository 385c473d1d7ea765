import { COMPOSITES } from './ops/composite.ts';
import { IMAGES } from './ops/conv.ts';
import { ELEMENTWISE } from './ops/elementwise.ts';
import { PRODUCTS } from './ops/products.ts';
import { REDUCTIONS } from './ops/reduction.ts';
import { SHAPES } from './ops/shape.ts';
import type { Entry } from './sample.ts';

/** One entry per TensorFlow.js op, or variant of one, that the engine traces. */
export const OPS: readonly Entry[] = [
  ...ELEMENTWISE,
  ...REDUCTIONS,
  ...SHAPES,
  ...PRODUCTS,
  ...IMAGES,
  ...COMPOSITES,
];
