import { CIFAR10 } from './cifar10-config.ts';
import { ImageEvaluator } from './image-evaluation.ts';

/** Draws samples and evaluates energies of a state of a training on CIFAR-10. */
export class Cifar10Evaluator extends ImageEvaluator {
  constructor(objective: unknown, seed: number) {
    super(CIFAR10, objective, seed);
  }
}
