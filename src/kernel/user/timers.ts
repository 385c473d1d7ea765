import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers';
import promises from 'node:timers/promises';
import { promisify } from 'node:util';
import { owningCell } from './context.ts';

type Callback = (...args: unknown[]) => void;

const never = (): Promise<never> => new Promise(() => undefined);

/**
 * Makes timers obey Stop: what a stopped cell had scheduled never runs, so that loops which sleep
 * between their steps, and intervals, end with the cell.
 */
export function installTimers(): void {
  const guard = (callback: unknown): unknown => {
    const owner = owningCell();
    if (owner === undefined || typeof callback !== 'function') return callback;
    return function (this: unknown, ...args: unknown[]) {
      if (!owner.cancelled) (callback as Callback).apply(this, args);
      // Of an interval, which would wake the thread for nothing for ever.
      else clearTimeout(this as NodeJS.Timeout);
    };
  };
  const host = globalThis as unknown as Record<string, unknown>;
  const module = timers as unknown as Record<string, unknown>;
  for (const name of ['setTimeout', 'setInterval', 'setImmediate'] as const) {
    const original = globalThis[name] as unknown as (...args: unknown[]) => unknown;
    const wrapped = {
      [name]: (callback: unknown, ...args: unknown[]) => original(guard(callback), ...args),
    }[name];
    const awaited = async (...args: unknown[]) => {
      const owner = owningCell();
      const sleep = (original as unknown as Record<symbol, (...a: unknown[]) => Promise<unknown>>)[
        promisify.custom
      ];
      const value = await sleep(...args);
      return owner?.cancelled === true ? never() : value;
    };
    if (name !== 'setInterval') {
      Object.defineProperty(wrapped, promisify.custom, { value: awaited });
      (promises as unknown as Record<string, unknown>)[name] = awaited;
    }
    host[name] = wrapped;
    module[name] = wrapped;
  }
  const wait = promises.scheduler.wait.bind(promises.scheduler);
  promises.scheduler.wait = async (...args) => {
    const owner = owningCell();
    await wait(...args);
    if (owner?.cancelled === true) await never();
  };
  syncBuiltinESMExports();
}
