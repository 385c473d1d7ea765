import type { Base, Work } from './items.ts';
import type { Step } from './schedule.ts';

/** Where a base lies. Offsets in bytes. */
export type Location =
  | { readonly in: 'arena'; readonly offset: number }
  | { readonly in: 'input' | 'output'; readonly index: number; readonly offset: number }
  | { readonly in: 'const'; readonly base: number; readonly offset: number };

export interface Memory {
  /** Location of each base that lies in memory. */
  readonly locations: ReadonlyMap<number, Location>;
  /** Offset of the scratch space of each step that asked for some, in bytes. */
  readonly scratch: readonly (number | undefined)[];
  /** The pieces of the arena that each step may touch: what it reads and writes, and its scratch. */
  readonly touched: readonly (readonly Piece[])[];
  readonly arenaBytes: number;
}

/** In bytes. */
export interface Piece {
  readonly offset: number;
  readonly bytes: number;
}

/** Every buffer begins at a cache line. */
const ALIGNMENT = 64;
export const ELEMENT_BYTES = { float32: 4, int32: 4, bool: 1 } as const;

const rounded = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/**
 * Places every buffer in the arena so that those whose times overlap do not. A buffer is taken from
 * the piece freed last that is large enough: that one is most likely still in cache.
 */
export function planMemory(
  { bases }: Work,
  steps: readonly Step[],
  scratchFloats: readonly number[],
): Memory {
  const rootOf = (id: number): Base => {
    let base = bases[id];
    while (base.place !== undefined) base = bases[base.place.parent];
    return base;
  };
  const lifetimes = new Map<number, { from: number; to: number }>();
  steps.forEach(({ reads, writes }, t) => {
    for (const id of [...writes, ...reads]) {
      const root = rootOf(id);
      if (root.source.kind !== 'computed' || root.output !== undefined) continue;
      const life = lifetimes.get(root.id);
      if (life === undefined) lifetimes.set(root.id, { from: t, to: t });
      else life.to = t;
    }
  });
  const arena = new Arena();
  const starting = groupBy(lifetimes, (l) => l.from, steps.length);
  const ending = groupBy(lifetimes, (l) => l.to, steps.length);
  const offsets = new Map<number, number>();
  const bytesOf = (id: number) => rounded(bases[id].size * ELEMENT_BYTES[bases[id].dtype]);
  const scratch = steps.map((_, t) => {
    for (const id of starting[t]) offsets.set(id, arena.take(bytesOf(id)));
    const bytes = rounded(scratchFloats[t] * 4);
    const at = bytes > 0 ? arena.take(bytes) : undefined;
    if (at !== undefined) arena.free(at, bytes);
    for (const id of ending[t]) arena.free(offsets.get(id)!, bytesOf(id));
    return at;
  });
  const touched = steps.map(({ reads, writes }, t) => {
    const roots = new Set([...reads, ...writes].map((id) => rootOf(id).id));
    const pieces = [...roots].flatMap((id): Piece[] => {
      const offset = offsets.get(id);
      const { size, dtype } = bases[id];
      return offset === undefined ? [] : [{ offset, bytes: size * ELEMENT_BYTES[dtype] }];
    });
    const own = scratch[t];
    return own === undefined ? pieces : [...pieces, { offset: own, bytes: scratchFloats[t] * 4 }];
  });
  const locations = new Map<number, Location>();
  for (const base of bases) {
    let offset = 0;
    let root = base;
    while (root.place !== undefined) {
      offset += root.place.offset * ELEMENT_BYTES[root.dtype];
      root = bases[root.place.parent];
    }
    const { source, output } = root;
    if (source.kind === 'input')
      locations.set(base.id, { in: 'input', index: source.index, offset });
    else if (source.kind === 'const')
      locations.set(base.id, { in: 'const', base: root.id, offset });
    else if (output !== undefined) locations.set(base.id, { in: 'output', index: output, offset });
    else {
      const at = offsets.get(root.id);
      if (at !== undefined) locations.set(base.id, { in: 'arena', offset: at + offset });
    }
  }
  return { locations, scratch, touched, arenaBytes: arena.size };
}

function groupBy<T>(map: ReadonlyMap<number, T>, at: (value: T) => number, count: number) {
  const groups = Array.from({ length: count }, (): number[] => []);
  for (const [id, value] of map) groups[at(value)].push(id);
  return groups;
}

class Arena {
  size = 0;
  /** Latest freed first. */
  private readonly pieces: { offset: number; bytes: number }[] = [];

  take(bytes: number): number {
    const i = this.pieces.findIndex((p) => p.bytes >= bytes && p.bytes <= 2 * bytes + 4096);
    const k = i >= 0 ? i : this.pieces.findIndex((p) => p.bytes >= bytes);
    if (k >= 0) {
      const piece = this.pieces[k];
      const { offset } = piece;
      piece.offset += bytes;
      piece.bytes -= bytes;
      if (piece.bytes === 0) this.pieces.splice(k, 1);
      return offset;
    }
    const end = this.pieces.findIndex((p) => p.offset + p.bytes === this.size);
    const offset = end >= 0 ? this.pieces[end].offset : this.size;
    if (end >= 0) this.pieces.splice(end, 1);
    this.size = offset + bytes;
    return offset;
  }

  free(offset: number, bytes: number): void {
    if (bytes === 0) return;
    const piece = { offset, bytes };
    for (let i = this.pieces.length - 1; i >= 0; i--) {
      const other = this.pieces[i];
      if (other.offset + other.bytes === piece.offset) {
        piece.offset = other.offset;
        piece.bytes += other.bytes;
      } else if (piece.offset + piece.bytes === other.offset) {
        piece.bytes += other.bytes;
      } else continue;
      this.pieces.splice(i, 1);
    }
    this.pieces.unshift(piece);
  }
}
