import { ConfigError } from '../core/errors.ts';

/** Learning rate as a function of the epoch (or step) e = 0, 1, … */
export type LearningRateSchedule = (epoch: number) => number;

/** The same rate throughout. */
export function constant(rate: number): LearningRateSchedule {
  return () => rate;
}

/**
 * Cosine annealing (Loshchilov & Hutter 2017): min + ½(rate − min)(1 + cos(πe/epochs)), so epoch 0
 * uses `rate` and epoch `epochs` uses `minimum`; past it the rate rises again, as in PyTorch.
 * DDAEBM steps it once per epoch, with a minimum of 1e-5.
 * @throws ConfigError when `epochs` is not positive.
 */
export function cosineAnnealing(
  rate: number,
  epochs: number,
  minimum = 1e-5,
): LearningRateSchedule {
  if (!(epochs > 0)) {
    throw new ConfigError(`cosineAnnealing: epochs must be positive, got ${epochs}`);
  }
  return (e) => minimum + 0.5 * (rate - minimum) * (1 + Math.cos((Math.PI * e) / epochs));
}

/** rate · factor^e. */
export function exponential(rate: number, factor: number): LearningRateSchedule {
  return (e) => rate * factor ** e;
}

/** rate · factor^(number of milestones at or below e). */
export function stepwise(
  rate: number,
  milestones: readonly number[],
  factor: number,
): LearningRateSchedule {
  return (e) => rate * factor ** milestones.filter((m) => m <= e).length;
}
