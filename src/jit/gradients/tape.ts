import { type Tensor, tf } from '../tf.ts';

interface TapeNode {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: readonly Tensor[];
}

type Save = (tensors: Tensor[]) => void;
type CustomFunction = (...args: [...Tensor[], Save]) => { value: Tensor; gradFunc: unknown };

interface Taping {
  getTensorsForGradient(
    name: string,
    inputs: Record<string, Tensor>,
    outputs: Tensor[],
  ): (Tensor | null | undefined)[];
  state: { activeTape: TapeNode[]; kernelDepth: number };
  customGrad(f: CustomFunction): (...inputs: Tensor[]) => Tensor;
  runKernel(name: string, inputs: Record<string, Tensor>): Tensor;
  addTapeNode(
    name: string,
    inputs: Record<string, Tensor>,
    outputs: Tensor[],
    gradient: unknown,
    saved: Tensor[],
    attrs: object,
  ): void;
}

/** Mends three faults in how TensorFlow.js records for differentiation, for the whole process. */
export function mendTape(): void {
  orderTape();
  skipAbsentOperands();
  recordCustomFunctions();
}

/**
 * An optional operand that was left out (the scale of a batch normalisation) is neither saved nor
 * an input to walk back through.
 */
function skipAbsentOperands(): void {
  const engine = tf.engine() as unknown as Taping;
  const { getTensorsForGradient, addTapeNode } = engine;
  engine.getTensorsForGradient = function (this: Taping, ...args) {
    return getTensorsForGradient.apply(this, args).filter((t) => t !== undefined && t !== null);
  };
  engine.addTapeNode = function (this: Taping, name, inputs, ...rest) {
    const present = Array.isArray(inputs)
      ? inputs
      : Object.fromEntries(Object.entries(inputs).filter(([, t]) => t !== undefined));
    addTapeNode.call(this, name, present, ...rest);
  };
}

/**
 * Makes what a gradient saved of its op's OUTPUT differentiable. TensorFlow.js saves a clone, and
 * the clone enters the tape before the op whose output it copies; a walk along the tape then takes
 * it for a constant, and a second derivative silently loses what flows through it: that of exp, of
 * sigmoid and of x^y in y would be 0, that of logSoftmax wrong. Here the clone is put behind the
 * op. This covers every registered gradient and `tf.customGrad`.
 */
function orderTape(): void {
  const engine = tf.engine() as unknown as Taping;
  const { addTapeNode } = engine;
  engine.addTapeNode = function (this: Taping, ...args: Parameters<Taping['addTapeNode']>) {
    addTapeNode.apply(this, args);
    const [, , outputs, , saved] = args;
    if (saved.length > 0) moveClonesBehind(this.state.activeTape, outputs, saved);
  };
}

/** The op is the last node; the clones of its outputs lie among those just before it. */
function moveClonesBehind(tape: TapeNode[], outputs: Tensor[], saved: Tensor[]): void {
  const made = new Set(outputs.map(({ id }) => id));
  const wanted = new Set(saved.map(({ id }) => id));
  const late: TapeNode[] = [];
  for (let i = tape.length - 2; i >= 0 && wanted.size > 0; i--) {
    const { inputs, outputs: copies } = tape[i];
    if (!wanted.delete(copies[0].id)) continue;
    if (made.has(inputs['x']?.id)) late.push(...tape.splice(i, 1));
  }
  tape.push(...late);
}

/**
 * Records what happens inside a function with a custom gradient, so that what that gradient saves
 * of intermediate results is differentiable too (that of the softmax cross-entropy saves the
 * normalised logits). The result itself gets a new identity, which only the custom gradient knows:
 * otherwise its gradient would also flow along what was recorded.
 */
function recordCustomFunctions(): void {
  const engine = tf.engine() as unknown as Taping;
  const { customGrad } = engine;
  engine.customGrad = function (this: Taping, f) {
    const { state } = this;
    const atDepth = <T>(depth: number, run: () => T): T => {
      const before = state.kernelDepth;
      state.kernelDepth = depth;
      try {
        return run();
      } finally {
        state.kernelDepth = before;
      }
    };
    return customGrad.call(this, (...args) => {
      const inside = state.kernelDepth;
      const save = args.pop() as unknown as Save;
      const quietly: Save = (tensors) => atDepth(inside, () => save(tensors));
      const operands = args as unknown as Tensor[];
      const result = atDepth(inside - 1, () => f(...operands, quietly));
      return { ...result, value: this.runKernel('Identity', { x: result.value }) };
    });
  };
}
