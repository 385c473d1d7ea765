import { ConfigError } from '../core/errors.ts';
import { type HostTensor, isHostTensor } from '../core/host-tensor.ts';
import { flatten, unflatten } from '../core/tree.ts';
import { registerMissingGradients } from './gradients.ts';
import { asTensor, leafSpec } from './leaves.ts';
import { lowerToOnnx } from './onnx/lower.ts';
import { optimise } from './passes/index.ts';
import type { Tensor } from './tf.ts';
import { trace } from './trace/tracer.ts';

export interface ExportOptions {
  /** Name of the model. Default `gibbs`. */
  readonly name?: string;
  /** Arguments by name, an example of each: their shapes are those of the model's inputs. */
  readonly inputs: Readonly<Record<string, HostTensor>>;
}

/**
 * A function as one ONNX model (opset 21, operators of the standard alone) that any runtime runs.
 * `fn` is given the `constants`, which become part of the model, and the inputs; what it returns, by
 * name, are the outputs.
 * @throws ConfigError when an input is also the name of an output, or there are no outputs;
 * TraceError when the function cannot be traced.
 */
export function exportOnnx(
  fn: (constants: unknown, inputs: Readonly<Record<string, Tensor>>) => Record<string, Tensor>,
  constants: unknown,
  { name = 'gibbs', inputs }: ExportOptions,
): Uint8Array {
  registerMissingGradients();
  const fixed = flatten(constants, isHostTensor);
  const names = Object.keys(inputs);
  const leaves = [...(fixed.leaves as HostTensor[]), ...names.map((n) => inputs[n])];
  const specs = leaves.map((leaf, i) => leafSpec(leaf, `exportOnnx: ${name}: argument ${i}`));
  const first = fixed.leaves.length;
  let outputs: string[] = [];
  const graph = trace(specs, (tensors) => {
    const given = unflatten(fixed.structure, tensors.slice(0, first));
    const named = Object.fromEntries(names.map((n, i) => [n, tensors[first + i]]));
    const result = fn(given, named);
    outputs = Object.keys(result);
    return outputs.map((n) => asTensor(result[n]));
  });
  const twice = outputs.find((n) => names.includes(n));
  if (twice !== undefined || outputs.length === 0) {
    throw new ConfigError(
      twice === undefined
        ? `exportOnnx: ${name} has no outputs`
        : `exportOnnx: '${twice}' is an input and an output of ${name}; rename one`,
    );
  }
  return lowerToOnnx(optimise(graph), name, {
    inputs: [...fixed.leaves.map((_, i) => `constant_${i}`), ...names],
    outputs,
    constants: new Map(fixed.leaves.map((leaf, i) => [i, leaf as HostTensor])),
  }).bytes;
}
