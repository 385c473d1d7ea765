import { CONV_GRADIENTS } from './gradients/conv.ts';
import { defineGradients } from './gradients/define.ts';
import { FROM_INPUT_GRADIENTS } from './gradients/from-inputs.ts';
import { IMAGE_GRADIENTS } from './gradients/image.ts';
import { INDEXING_GRADIENTS } from './gradients/indexing.ts';
import { PIECEWISE_GRADIENTS } from './gradients/piecewise.ts';
import { defineEinsumGradient, PRODUCT_GRADIENTS } from './gradients/products.ts';
import { SHAPE_GRADIENTS } from './gradients/shape.ts';

let registered = false;

/**
 * Completes TensorFlow.js' table of gradients, once: those it lacks, those that are wrong (each
 * says how at its place), and those that cannot be differentiated again, which a gradient penalty
 * needs.
 */
export function registerMissingGradients(): void {
  if (registered) return;
  registered = true;
  defineGradients(PIECEWISE_GRADIENTS);
  defineGradients(CONV_GRADIENTS);
  defineGradients(IMAGE_GRADIENTS);
  defineGradients(INDEXING_GRADIENTS);
  defineGradients(SHAPE_GRADIENTS);
  defineGradients(PRODUCT_GRADIENTS);
  defineGradients(FROM_INPUT_GRADIENTS);
  defineEinsumGradient();
}
