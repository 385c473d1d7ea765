import type { Comparison, Tolerance } from './golden-case.ts';
import type { GoldenFile } from './golden-file.ts';

/** Ours against the tensor `name` of the file. */
export function compare(
  file: GoldenFile,
  name: string,
  actual: ArrayLike<number> | number,
  tolerance: Tolerance,
): Comparison {
  return { name, actual, expected: file.numbers(name), tolerance };
}

export function relToMax(value: number): Tolerance {
  return { kind: 'rel-to-max', value };
}

export function rel(value: number): Tolerance {
  return { kind: 'rel', value };
}

export function abs(value: number): Tolerance {
  return { kind: 'abs', value };
}
