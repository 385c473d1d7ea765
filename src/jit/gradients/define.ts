import { type Tensor, tf } from '../tf.ts';

// biome-ignore lint/suspicious/noExplicitAny: attribute types differ per kernel
type Attrs = any;

export interface GradientRule {
  /** Names of the inputs, and positions of the outputs, that the gradient needs. */
  readonly inputs?: readonly string[];
  readonly outputs?: readonly boolean[];
  /** `dy` per output and what was saved (inputs first) → the gradient of each named input. */
  readonly gradient: (
    dy: Tensor[],
    saved: Tensor[],
    attrs: Attrs,
  ) => Readonly<Record<string, () => Tensor>>;
}

export type GradientRules = Readonly<Record<string, GradientRule>>;

/** Puts rules into TensorFlow.js' registry, in place of its own where it has one. */
export function defineGradients(rules: GradientRules): void {
  for (const [kernelName, rule] of Object.entries(rules)) {
    tf.registerGradient({
      kernelName,
      inputsToSave: [...(rule.inputs ?? [])],
      outputsToSave: [...(rule.outputs ?? [])],
      gradFunc: (dy, saved, attrs) =>
        ({ ...rule.gradient(Array.isArray(dy) ? dy : [dy], saved, attrs) }) as never,
    });
  }
}

/**
 * The gradients of a kernel by differentiating an equal composition of other ops, which is then
 * differentiable as often as they are. Inside a trace the repeated forward part costs nothing:
 * what is equal is computed once and what is not needed is dropped.
 */
export function throughComposition(
  compose: (...xs: Tensor[]) => Tensor,
  xs: Tensor[],
  dy: Tensor,
): (() => Tensor)[] {
  // One at a time: each gradient is asked for in a scope of its own, which disposes the others.
  return xs.map((x) => () => differentiate(() => compose(...xs), [x], dy)[0]);
}

/** The gradients of ⟨forward(), dy⟩ in `xs`; zeros where there is no influence. */
export function differentiate(forward: () => Tensor, xs: Tensor[], dy: Tensor): Tensor[] {
  const { state } = tf.engine();
  // A first-order backward pass runs with the tape stopped but still in place; an inner gradient
  // would take it for the outermost and throw the tape away.
  const tape = state.activeTape;
  try {
    const { grads } = tf.engine().gradients(forward, xs, dy, true);
    return grads.map((g, i) => g ?? tf.zerosLike(xs[i]));
  } finally {
    state.activeTape = tape;
  }
}
