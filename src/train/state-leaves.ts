import { createHash } from 'node:crypto';
import { DataError } from '../core/errors.ts';
import { type HostTensor, isHostTensor, sameShape } from '../core/host-tensor.ts';
import { flatten, type Structure, unflatten } from '../core/tree.ts';
import type { HostState } from '../objectives/objective.ts';

/** The tensors of a state by their path, e.g. `'energy/moments/0'`. */
export type NamedLeaves = Record<string, HostTensor>;

/** Paths of the leaves in the order of `flatten`: keys and indices joined by slashes. */
export function leafNames(structure: Structure, prefix = ''): string[] {
  const below = (key: string | number, child: Structure) =>
    leafNames(child, prefix === '' ? `${key}` : `${prefix}/${key}`);
  switch (structure.kind) {
    case 'leaf':
      return [prefix];
    case 'none':
      return [];
    case 'array':
      return structure.children.flatMap((child, i) => below(i, child));
    case 'object':
      return structure.keys.flatMap((key, i) => below(key, structure.children[i]));
  }
}

/** The leaves of a state by name. */
export function namedLeaves(state: HostState): NamedLeaves {
  const { leaves, structure } = flatten(state, isHostTensor);
  return Object.fromEntries(leafNames(structure).map((name, i) => [name, leaves[i]]));
}

/**
 * The state of `template`'s structure with other values.
 * @throws DataError naming the tensor that is missing, left over or of another shape or dtype.
 */
export function stateFrom(template: HostState, values: NamedLeaves, source: string): HostState {
  const { leaves, structure } = flatten(template, isHostTensor);
  const names = leafNames(structure);
  const found = names.map((name, i) => {
    const value = values[name];
    if (!value) throw new DataError(`${source}: tensor '${name}' of the state is missing`);
    if (!sameShape(value.shape, leaves[i].shape) || value.dtype !== leaves[i].dtype) {
      throw new DataError(
        `${source}: tensor '${name}' is ${value.dtype} [${value.shape}], the state needs ${leaves[i].dtype} [${leaves[i].shape}]`,
      );
    }
    return value;
  });
  const known = new Set(names);
  const extra = Object.keys(values).find((name) => !known.has(name));
  if (extra !== undefined) throw new DataError(`${source}: tensor '${extra}' is not of the state`);
  return unflatten(structure, found) as HostState;
}

/** SHA-256 (hex) of names, dtypes, shapes and bytes: equal exactly when states are bit-identical. */
export function checksum(leaves: NamedLeaves): string {
  return checksumOf(new Map(Object.entries(leaves).map(([name, leaf]) => [name, () => leaf])));
}

/** The same of leaves that are asked for one by one. */
export function checksumOf(leaves: ReadonlyMap<string, () => HostTensor>): string {
  const hash = createHash('sha256');
  for (const name of [...leaves.keys()].sort()) {
    const { data, shape, dtype } = (leaves.get(name) as () => HostTensor)();
    hash.update(`${JSON.stringify(name)} ${dtype} [${shape}]\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
}

/** The first leaf that holds NaN or infinity, with the place, or undefined. */
export function firstNonFinite(leaves: NamedLeaves): string | undefined {
  for (const [name, { data, dtype }] of Object.entries(leaves)) {
    if (dtype !== 'float32') continue;
    // NaN and infinity survive a sum, so most tensors need one pass without branches.
    let sum = 0;
    for (let i = 0; i < data.length; i++) sum += data[i] * 0;
    if (sum === 0) continue;
    const at = data.findIndex((v: number) => !Number.isFinite(v));
    return `${name}[${at}] is ${data[at]}`;
  }
  return undefined;
}
