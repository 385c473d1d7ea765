import { ShapeError } from '../core/errors.ts';
import type { HostTensor } from '../core/host-tensor.ts';
import type { Tensor } from '../jit/tf.ts';
import type { Initialiser } from './initialise.ts';

/** Parameters (or running statistics) by their PyTorch state_dict keys. */
export type Params = Readonly<Record<string, Tensor>>;

/** The same in ordinary memory. */
export type HostParams = Readonly<Record<string, HostTensor>>;

/** Shape and start value of one parameter. */
export interface ParamSpec {
  readonly shape: readonly number[];
  readonly init: Initialiser;
}

export type ParamSpecs = Readonly<Record<string, ParamSpec>>;

/** The entries under `prefix`, without it: `scoped(params, 'netG.')` is the generator's. */
export function scoped<T>(entries: Readonly<Record<string, T>>, prefix: string): Record<string, T> {
  const out: Record<string, T> = {};
  for (const key of Object.keys(entries)) {
    if (key.startsWith(prefix)) out[key.slice(prefix.length)] = entries[key];
  }
  return out;
}

/** Every key with `prefix` before it. */
export function prefixed<T>(
  entries: Readonly<Record<string, T>>,
  prefix: string,
): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).map(([k, v]) => [`${prefix}${k}`, v]));
}

/** The shapes alone, in the same order. */
export function shapesOf(specs: ParamSpecs): Record<string, readonly number[]> {
  return Object.fromEntries(Object.entries(specs).map(([k, s]) => [k, s.shape]));
}

/** Number of scalars in all entries. */
export function countParams(specs: ParamSpecs): number {
  let n = 0;
  for (const { shape } of Object.values(specs)) n += shape.reduce((a, b) => a * b, 1);
  return n;
}

/** The key of a part of layer `name`; at the root of a network `name` is empty. */
export function under(name: string, part: string): string {
  return name === '' ? part : `${name}.${part}`;
}

/**
 * One parameter by its key.
 * @throws ShapeError naming the key when there is none, e.g. because the weights belong to another
 *   architecture.
 */
export function parameter(params: Params, key: string): Tensor {
  const value = params[key];
  if (value === undefined) {
    throw new ShapeError(
      `no parameter '${key}' among ${Object.keys(params).length}; do the weights belong to another architecture?`,
    );
  }
  return value;
}
