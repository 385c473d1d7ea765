/** The numbers of a toy model that stand under its panels; absent where the data define none. */
export interface ToyNumbers {
  readonly modesCovered?: number;
  readonly modes?: number;
  readonly shareWithin4Sigma?: number;
  /** Nat. */
  readonly gridKl?: number;
  readonly mmd: number;
}

/** Points shown per scatter plot, as in the paper. */
export const SHOWN = 1000;

const TITLES: Readonly<Record<string, string>> = {
  '25gaussians': '25 Gaussians',
  '8gaussians': '8 Gaussians',
  swissroll: 'Swiss roll',
};

/** A data set as a figure names it. */
export function titleOf(dataset: string): string {
  return TITLES[dataset] ?? dataset[0].toUpperCase() + dataset.slice(1);
}

/** The first `SHOWN` of `[n, 2]` points. */
export function firstPoints(points: ArrayLike<number>): ArrayLike<number> {
  return Array.from({ length: Math.min(points.length, 2 * SHOWN) }, (_, i) => points[i]);
}

/** A count with spaces that do not break, from 10 000 on. */
export function thousands(n: number): string {
  return n < 10_000 ? String(n) : String(n).replaceAll(/\B(?=(\d{3})+$)/g, '\u00a0');
}
