import { type NiceChoice, type NiceOptions, type NiceRun, runNice } from './nice.ts';
import { runStacked, type StackedOptions, type StackedResult } from './stacked.ts';

/** A training as a row of a table and a column of a figure. */
export interface TableEntry {
  readonly name: string;
  readonly method: string;
  readonly overrides?: NiceChoice['overrides'];
}

/** What the likelihood table compares: DDAEBM also with the weight 1 of an unnormalised energy. */
export const NICE_TABLE: readonly TableEntry[] = [
  { name: 'MLE', method: 'mle' },
  { name: 'MLE, NICE with t', method: 'mle-t' },
  { name: 'WGAN-0GP', method: 'wgan-0gp' },
  { name: 'MEG', method: 'meg' },
  { name: 'VERA', method: 'vera' },
  { name: 'DDAEBM', method: 'ddaebm' },
  { name: 'DDAEBM, w = 1', method: 'ddaebm', overrides: { 'objective.fakeWeight': 1 } },
];

/** The methods of the table of modes that run. */
export const STACKED_TABLE: readonly TableEntry[] = [
  { name: 'WGAN-0GP', method: 'wgan-0gp' },
  { name: 'MEG', method: 'meg' },
  { name: 'DDAEBM', method: 'ddaebm' },
];

/**
 * All runs of the likelihood table one after the other; `onProgress` gets the names of the table.
 * @throws as `runNice`.
 */
export function runNiceTable(
  options: NiceOptions = {},
): Promise<readonly (NiceRun & { readonly name: string })[]> {
  return inTurn(NICE_TABLE, runNice, options);
}

/** All runs of the table of modes one after the other. @throws as `runStacked`. */
export function runStackedTable(
  options: StackedOptions = {},
): Promise<readonly (StackedResult & { readonly name: string })[]> {
  return inTurn(STACKED_TABLE, runStacked, options);
}

async function inTurn<O extends NiceOptions, R>(
  entries: readonly TableEntry[],
  run: (options: O) => Promise<R>,
  options: O,
): Promise<readonly (R & { readonly name: string })[]> {
  const { onProgress } = options;
  const results: (R & { readonly name: string })[] = [];
  for (const { name, method, overrides } of entries) {
    const own = {
      ...options,
      method,
      overrides: { ...options.overrides, ...overrides },
      onProgress: onProgress && ((progress) => onProgress(progress, name)),
    } satisfies O;
    results.push({ ...(await run(own)), name });
  }
  return results;
}
