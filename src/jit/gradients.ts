import { BROADCAST_GRADIENTS } from './gradients/broadcast.ts';
import { CONV_GRADIENTS } from './gradients/conv.ts';
import { defineGradients } from './gradients/define.ts';
import { IMAGE_GRADIENTS } from './gradients/image.ts';
import { INDEXING_GRADIENTS } from './gradients/indexing.ts';
import { PIECEWISE_GRADIENTS } from './gradients/piecewise.ts';
import { defineEinsumGradient, PRODUCT_GRADIENTS } from './gradients/products.ts';
import { SHAPE_GRADIENTS } from './gradients/shape.ts';
import { mendTape } from './gradients/tape.ts';

let registered = false;

/**
 * Completes TensorFlow.js' table of gradients, once: those it lacks, those that are wrong (each
 * says how at its place), and those that cannot be differentiated again, which a gradient penalty
 * needs.
 */
export function registerMissingGradients(): void {
  if (registered) return;
  registered = true;
  mendTape();
  defineGradients(PIECEWISE_GRADIENTS);
  defineGradients(BROADCAST_GRADIENTS);
  defineGradients(CONV_GRADIENTS);
  defineGradients(IMAGE_GRADIENTS);
  defineGradients(INDEXING_GRADIENTS);
  defineGradients(SHAPE_GRADIENTS);
  defineGradients(PRODUCT_GRADIENTS);
  defineEinsumGradient();
}
