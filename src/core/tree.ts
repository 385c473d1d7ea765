import { ShapeError } from './errors.ts';

/** Nested arrays and plain objects with leaves of type `L` (a "pytree" in JAX's sense). */
export type Tree<L> = L | readonly Tree<L>[] | { readonly [key: string]: Tree<L> };

/** The shape of a tree without its leaves; two trees match when their structures are equal. */
export type Structure =
  | { readonly kind: 'leaf' }
  | { readonly kind: 'none' }
  | { readonly kind: 'array'; readonly children: readonly Structure[] }
  | {
      readonly kind: 'object';
      readonly keys: readonly string[];
      readonly children: readonly Structure[];
    };

const LEAF: Structure = { kind: 'leaf' };
const NONE: Structure = { kind: 'none' };

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const proto = Object.getPrototypeOf(value);
  return proto === Object.prototype || proto === null;
}

/**
 * Leaves in a fixed order (object keys sorted) and the structure to rebuild the tree from.
 * `null` and `undefined` are empty nodes, not leaves.
 */
export function flatten<L>(
  tree: unknown,
  isLeaf: (value: unknown) => value is L,
): { leaves: L[]; structure: Structure } {
  const leaves: L[] = [];
  const visit = (node: unknown, path: string): Structure => {
    if (node === undefined || node === null) return NONE;
    if (isLeaf(node)) {
      leaves.push(node);
      return LEAF;
    }
    if (Array.isArray(node)) {
      return { kind: 'array', children: node.map((child, i) => visit(child, `${path}[${i}]`)) };
    }
    if (isPlain(node)) {
      const keys = Object.keys(node).sort();
      return { kind: 'object', keys, children: keys.map((k) => visit(node[k], `${path}.${k}`)) };
    }
    throw new ShapeError(
      `tree: ${path || 'the root'} is neither a tensor, a number, an array nor a plain object`,
    );
  };
  return { structure: visit(tree, ''), leaves };
}

/** The inverse of `flatten`. */
export function unflatten<L>(structure: Structure, leaves: readonly L[]): Tree<L> {
  let next = 0;
  const build = (s: Structure): Tree<L> => {
    switch (s.kind) {
      case 'leaf':
        return leaves[next++];
      case 'none':
        return undefined as unknown as Tree<L>;
      case 'array':
        return s.children.map(build);
      case 'object':
        return Object.fromEntries(s.keys.map((k, i) => [k, build(s.children[i])]));
    }
  };
  const tree = build(structure);
  if (next !== leaves.length) {
    throw new ShapeError(`tree: ${leaves.length} leaves given, the structure holds ${next}`);
  }
  return tree;
}

/** A key for maps: equal strings for equal structures. */
export function structureKey(s: Structure): string {
  switch (s.kind) {
    case 'leaf':
      return '*';
    case 'none':
      return '-';
    case 'array':
      return `[${s.children.map(structureKey).join(',')}]`;
    case 'object':
      return `{${s.keys.map((k, i) => `${JSON.stringify(k)}:${structureKey(s.children[i])}`).join(',')}}`;
  }
}
