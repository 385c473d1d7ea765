import { tf } from '../tf.ts';
import type { GradientRules } from './define.ts';

/** Ops whose derivative is zero almost everywhere, with the names of their inputs. */
const PIECEWISE_CONSTANT: Record<string, readonly string[]> = {
  Equal: ['a', 'b'],
  NotEqual: ['a', 'b'],
  Less: ['a', 'b'],
  LessEqual: ['a', 'b'],
  Greater: ['a', 'b'],
  GreaterEqual: ['a', 'b'],
  LogicalAnd: ['a', 'b'],
  LogicalOr: ['a', 'b'],
  LogicalNot: ['x'],
  IsNan: ['x'],
  IsInf: ['x'],
  IsFinite: ['x'],
  Round: ['x'],
  Floor: ['x'],
  Ceil: ['x'],
  Sign: ['x'],
  ArgMax: ['x'],
  ArgMin: ['x'],
  Any: ['x'],
  All: ['x'],
};

/** TensorFlow.js throws at most of these, so that a mask on the way ends differentiation. */
export const PIECEWISE_GRADIENTS: GradientRules = Object.fromEntries(
  Object.entries(PIECEWISE_CONSTANT).map(([kernel, inputs]) => [
    kernel,
    {
      inputs,
      gradient: (_dy, saved) =>
        Object.fromEntries(inputs.map((name, i) => [name, () => tf.zeros(saved[i].shape)])),
    } satisfies GradientRules[string],
  ]),
);
