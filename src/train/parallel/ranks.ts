import { createHash } from 'node:crypto';
import { ConfigError, ParallelError } from '../../core/errors.ts';
import type { RankPlace } from '../../jit/ranks.ts';

/** The processes that train together, as one of them sees them. */
export interface Ranks extends RankPlace {
  /**
   * Replaces a vector by its sum over all ranks, the same bits on each. Returns nothing when it was
   * done at once.
   * @param work is done piece by piece, from the front, as long as there is nothing to do but wait.
   * @throws ParallelError when the job is being ended while others are waited for.
   */
  sum(vector: Float32Array, work?: (() => void)[]): Promise<void> | undefined;
  /** The bytes of rank 0, on every rank; the others' own are not looked at. */
  broadcast(bytes?: Uint8Array): Promise<Uint8Array>;
}

/** A process that trains alone. */
export const ALONE: Ranks = {
  rank: 0,
  size: 1,
  sum: () => undefined,
  broadcast: async (bytes = new Uint8Array(0)) => bytes,
};

/** What ends the work of a rank whose part is done while rank 0 goes on alone. */
export class RankDone extends ParallelError {
  constructor() {
    super('this rank has done its part');
  }
}

/** Errors that every rank of the job has raised at the same place. */
const agreed = new WeakSet<object>();

/** Says of an error that all ranks raise it together. */
export function agreedError<E extends object>(error: E): E {
  agreed.add(error);
  return error;
}

/** Whether all ranks have come to this error together, so that none waits for another. */
export function isAgreed(error: unknown): boolean {
  return typeof error === 'object' && error !== null && agreed.has(error);
}

type Answer<T> = { readonly value: T } | { readonly failed: true };

/**
 * What `fn` returns on rank 0, on every rank. Plain JSON.
 * @throws on rank 0 what `fn` throws, elsewhere a ParallelError.
 */
export async function lead<T>(ranks: Ranks, fn: () => T): Promise<T> {
  const send = (answer: Answer<T>) => ranks.broadcast(Buffer.from(JSON.stringify(answer)));
  if (ranks.rank !== 0) {
    const answer = JSON.parse(Buffer.from(await ranks.broadcast()).toString()) as Answer<T>;
    if ('failed' in answer)
      throw agreedError(new ParallelError('rank 0 has stopped with an error'));
    return answer.value;
  }
  let value: T;
  try {
    value = fn();
  } catch (error) {
    await send({ failed: true });
    throw agreedError(error as Error);
  }
  await send({ value });
  return value;
}

/**
 * Checks that a text is the same on all ranks.
 * @throws ConfigError on every rank where it is not.
 */
export async function agree(ranks: Ranks, what: string, text: string): Promise<void> {
  const mine = createHash('sha256').update(text).digest();
  const first = await ranks.broadcast(mine);
  const differs = Float32Array.of(Buffer.compare(mine, Buffer.from(first)) === 0 ? 0 : 1);
  await ranks.sum(differs);
  if (differs[0] === 0) return;
  throw agreedError(
    new ConfigError(
      `${differs[0]} of ${ranks.size} ranks have ${what} other than rank 0; start all with the same command and the same version of the project`,
    ),
  );
}
