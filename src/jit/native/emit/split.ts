import { share } from '../gemm/tiles.ts';

/** Elements times operations of a loop below which waiting for another thread costs what it saves. */
const WORTH_SHARING = 1 << 16;
/** Floats in the widest vector: threads begin at whole ones. */
const VECTOR = 16;

/** How one loop of a nest is cut into the shares of threads. */
export interface Split {
  /** Which loop, outermost first. */
  readonly level: number;
  /** Indices that are worked on together; the innermost loop goes over so many at a time. */
  readonly chunk: number;
  /** C that declares `from` and `to`. */
  readonly bounds: string;
}

/**
 * Chooses the loop of a nest that threads share: of those that `fits` allows, the outermost that
 * two threads halve about evenly. None where all of it is little work.
 */
export function chooseSplit(
  lengths: readonly number[],
  operations: number,
  fits: (level: number) => boolean,
): Split | undefined {
  if (lengths.reduce((n, l) => n * l, operations) < WORTH_SHARING) return undefined;
  let [best, least] = [-1, Number.POSITIVE_INFINITY];
  lengths.forEach((length, level) => {
    if (length < 2 || !fits(level)) return;
    const excess = Math.ceil(length / 2) / (length / 2);
    if (least <= 1.05 || excess >= least) return;
    [best, least] = [level, excess];
  });
  if (best < 0) return undefined;
  const length = lengths[best];
  if (best < lengths.length - 1) return { level: best, chunk: 1, bounds: share(length) };
  if (length < 2 * VECTOR) return undefined;
  // The innermost loop is vector code: it is best off with a constant length.
  const count = [16, 14, 12, 10, 8, 6, 4, 2].find((n) => length % (n * VECTOR) === 0);
  if (count !== undefined) {
    const chunk = length / count;
    return { level: best, chunk, bounds: share(count, chunk) };
  }
  const whole = Math.floor(length / VECTOR);
  const last = `const long last = me + 1 == all ? ${length} : to;`;
  return { level: best, chunk: 0, bounds: `${share(whole, VECTOR)} ${last}` };
}
