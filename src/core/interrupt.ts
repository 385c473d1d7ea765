import { InterruptedError } from './errors.ts';

/**
 * How a Stop reaches code that spends its time in native calls. The kernel shares 32-bit words with
 * the thread that runs the cells, found through `globalThis[Symbol.for('gibbs.interrupt')]`:
 *
 * | word | meaning |
 * | --- | --- |
 * | 0 | 1 from the moment Stop is pressed until the cell has ended |
 * | 1 | number of native calls (or shielded sections) the thread is inside of |
 * | 2 | when the thread last looked at word 0, `Date.now()` modulo 2³²; may be missing |
 *
 * V8 must not be stopped while a native call is on the stack (Node aborts), so the kernel waits
 * until word 1 is 0. Outside a kernel the array is absent and everything here is a property load.
 */
export type InterruptWords = Int32Array;

/** Index of the word that says that Stop was pressed. */
export const INTERRUPT = 0;
/** Index of the word that says when the code last asked, so that Stop knows that it will ask. */
export const LAST_ASKED = 2;
/** Index of the word that counts the native calls entered and not yet left. */
export const NATIVE_DEPTH = 1;

const KEY = Symbol.for('gibbs.interrupt');

interface Host {
  [KEY]?: InterruptWords;
}

/** Makes `words` the pair that this thread obeys; `undefined` removes it. */
export function installInterrupt(words: InterruptWords | undefined): void {
  (globalThis as Host)[KEY] = words;
}

/** True while Stop has been pressed and the cell has not ended yet. */
export function isInterrupted(): boolean {
  const words = (globalThis as Host)[KEY];
  if (words === undefined) return false;
  words[LAST_ASKED] = Date.now();
  return Atomics.load(words, INTERRUPT) !== 0;
}

/**
 * For loops that spend long without a native call.
 * @throws InterruptedError when Stop was pressed.
 */
export function throwIfInterrupted(): void {
  if (isInterrupted()) throw new InterruptedError();
}

/**
 * Marks that a native call begins; every call needs its `leaveNative`.
 * @throws InterruptedError when Stop was pressed; then nothing was entered.
 */
export function enterNative(): void {
  const words = (globalThis as Host)[KEY];
  if (words === undefined || shielded > 0) return;
  // The depth rises before the flag is read, and the kernel sets the flag before it reads the
  // depth: whichever comes first, one of the two sees the other.
  Atomics.add(words, NATIVE_DEPTH, 1);
  words[LAST_ASKED] = Date.now();
  if (Atomics.load(words, INTERRUPT) !== 0) {
    lower(words);
    throw new InterruptedError();
  }
}

/**
 * Marks that the native call has returned.
 * @throws InterruptedError when Stop was pressed while it ran.
 */
export function leaveNative(): void {
  const words = (globalThis as Host)[KEY];
  if (words === undefined || shielded > 0) return;
  lower(words);
  if (Atomics.load(words, INTERRUPT) !== 0) throw new InterruptedError();
}

/**
 * Calls `fn` as a native call. When `fn` returns a promise the call lasts until it settles.
 * @throws InterruptedError before or after the call when Stop was pressed; an error of `fn` itself
 * goes through unchanged.
 */
export function runNative<T>(fn: () => T): T {
  const words = (globalThis as Host)[KEY];
  if (words === undefined || shielded > 0) return fn();
  enterNative();
  let result: T;
  try {
    result = fn();
  } catch (error) {
    lower(words);
    throw error;
  }
  if (!isThenable(result)) {
    leaveNative();
    return result;
  }
  return Promise.resolve(result).then(
    (value) => {
      leaveNative();
      return value;
    },
    (error) => {
      lower(words);
      throw error;
    },
  ) as T;
}

/** Sections of this thread that run to their end; native calls inside them do not throw. */
let shielded = 0;

/**
 * Runs `fn` to its end even when Stop was pressed, e.g. to write a checkpoint; also when it returns
 * a promise, and when it makes native calls. Stop pressed a second time does not wait for it.
 */
export function shield<T>(fn: () => T): T {
  const words = (globalThis as Host)[KEY];
  if (words === undefined) return fn();
  Atomics.add(words, NATIVE_DEPTH, 1);
  shielded++;
  const leave = () => {
    shielded--;
    lower(words);
  };
  let result: T;
  try {
    result = fn();
  } catch (error) {
    leave();
    throw error;
  }
  if (!isThenable(result)) {
    leave();
    return result;
  }
  return Promise.resolve(result).finally(leave) as T;
}

function lower(words: InterruptWords): void {
  Atomics.sub(words, NATIVE_DEPTH, 1);
  Atomics.notify(words, NATIVE_DEPTH);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as PromiseLike<unknown>).then === 'function'
  );
}
