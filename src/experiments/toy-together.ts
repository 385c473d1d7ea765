import { train } from '../train/loop.ts';
import { lead, type Ranks } from '../train/parallel/ranks.ts';
import {
  beginToy,
  finishToy,
  runToy,
  type ToyOptions,
  type ToyResult,
  toyTraining,
} from './toy.ts';
import type { ToyMethod } from './toy-methods.ts';

/**
 * `runToy` by all ranks of a job. Rank 0 alone looks into the store, writes and evaluates; the
 * others train with it and return nothing.
 * @param ranks absent: this process is alone.
 */
export async function runToyTogether<M extends ToyMethod>(
  options: ToyOptions<M>,
  ranks: Ranks | undefined,
): Promise<ToyResult<M> | undefined> {
  if (!ranks) return runToy(options);
  let begun: ReturnType<typeof beginToy<M>> | undefined;
  const found = await lead(ranks, () => {
    begun = beginToy(options);
    return 'found' in begun;
  });
  if (begun === undefined) {
    if (!found) await train(toyTraining({ ...options, onProgress: undefined }, ranks));
    return undefined;
  }
  return 'found' in begun ? begun.found : finishToy(begun.run, options, ranks);
}
