import type { Worker } from 'node:worker_threads';
import { startModuleThread } from '../../core/module-thread.ts';
import {
  CANCELLED,
  type Completions,
  type Diagnostic,
  type ExecutedCell,
  type Reply,
  type Request,
  type WorkerSetup,
} from './types.ts';

export interface LanguageServiceOptions {
  /** Folder of the notebook: relative imports, `node_modules` and tsconfig.json are found from it. */
  readonly cwd: string;
  /** Told of every internal failure (a log's business); questions are answered all the same. */
  readonly onFailure?: (message: string) => void;
}

export interface DiagnosticsOptions {
  /** A newer question about the same cell makes this one stale: it is dropped, with no findings. */
  readonly cellId?: string;
  /** Gives the question up, with no findings. */
  readonly signal?: AbortSignal;
}

/**
 * TypeScript's knowledge of the cells of one notebook, in a thread of its own. What the kernel gives
 * to every cell (`display`, `prompt`, …; predefined.ts) it knows without being told.
 */
export interface LanguageService {
  /**
   * Tells of an executed cell; later questions see its bindings. With `check`, what the type checker
   * finds in it, by position; else nothing. Never rejects.
   */
  update(
    cellId: string,
    code: string,
    executionCount: number,
    options?: { readonly check?: boolean },
  ): Promise<Diagnostic[]>;
  /** Forgets every cell, as after a restart of the process that held the values. */
  reset(): void;
  /** What the type checker finds in `code`, by position. Never rejects. */
  diagnostics(code: string, options?: DiagnosticsOptions): Promise<Diagnostic[]>;
  /** What can stand at UTF-16 `offset` of `code`. Never rejects. */
  complete(code: string, offset: number): Promise<Completions>;
  /** Markdown about what stands at UTF-16 `offset`, at level 1 with its source; or null. */
  inspect(code: string, offset: number, level?: number): Promise<string | null>;
  /** Ends the thread; open questions are answered with nothing found. */
  dispose(): void;
}

interface Pending {
  readonly id: number;
  readonly request: Request;
  /** Questions with the same key supersede each other. */
  readonly key: string | undefined;
  /** undefined means dropped or failed; only the first call counts. */
  readonly settle: (result: unknown) => void;
}

/** As much of a `Worker` as the service uses; replaced in tests. */
export interface Thread {
  postMessage(message: { readonly id: number; readonly request: Request }): void;
  on(event: 'message', listener: (reply: Reply) => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: () => void): unknown;
  ref(): void;
  unref(): void;
  terminate(): unknown;
}

/** A thread that dies again and again is given up: a notebook runs without its type checker. */
const RESTARTS = 3;

/**
 * Starts the thread and lets it read the standard library at once, so that the first cell finds it
 * warm. Questions are answered one at a time, in the order they were asked; the caller never waits
 * but for the promise. An internal failure answers with nothing found.
 */
export function createLanguageService(
  options: LanguageServiceOptions,
  launch: (setup: WorkerSetup) => Thread = startThread,
): LanguageService {
  const cancelled = new Int32Array(new SharedArrayBuffer(4));
  const queue: Pending[] = [];
  let executed: ExecutedCell[] = [];
  let running: Pending | undefined;
  let disposed = false;
  let restarts = 0;
  let ids = 0;
  let worker: Thread | undefined = start();

  function start(): Thread {
    const setup: WorkerSetup = { cwd: options.cwd, cancelled };
    const thread = launch(setup);
    thread.unref();
    thread.on('message', (reply: Reply) => {
      if (reply.id !== running?.id) return;
      const { settle } = running;
      running = undefined;
      if ('failure' in reply && reply.failure !== CANCELLED) options.onFailure?.(reply.failure);
      settle('result' in reply ? reply.result : undefined);
      next();
    });
    // 'error' is followed by 'exit'; without a listener it would end the process.
    thread.on('error', (error) => options.onFailure?.(String(error)));
    thread.on('exit', () => {
      if (worker === thread) died();
    });
    return thread;
  }

  function died(): void {
    const lost = running;
    running = undefined;
    worker = undefined;
    lost?.settle(undefined);
    if (disposed || ++restarts > RESTARTS) {
      for (const p of queue.splice(0)) p.settle(undefined);
      return;
    }
    worker = start();
    const waiting = queue.splice(0);
    for (const cell of executed) push({ kind: 'update', ...cell });
    for (const p of waiting) {
      if (p.request.kind === 'update') p.settle(undefined);
      else queue.push(p);
    }
    next();
  }

  function push(
    request: Request,
    settle: (result: unknown) => void = () => {},
    key?: string,
  ): Pending {
    const pending: Pending = { id: ++ids, request, key, settle };
    if (key !== undefined) supersede(key);
    if (disposed || worker === undefined) queueMicrotask(() => settle(undefined));
    else queue.push(pending);
    next();
    return pending;
  }

  function supersede(key: string): void {
    if (running?.key === key) drop(running);
    for (const p of queue.filter((q) => q.key === key)) drop(p);
  }

  function drop(pending: Pending): void {
    const at = queue.indexOf(pending);
    if (at >= 0) queue.splice(at, 1);
    // The thread may be past its last look at this, so its answer is not waited for.
    else if (running === pending) Atomics.store(cancelled, 0, pending.id);
    pending.settle(undefined);
  }

  function next(): void {
    if (running || !worker) return;
    running = queue.shift();
    if (!running) {
      worker.unref();
      return;
    }
    worker.ref();
    worker.postMessage({ id: running.id, request: running.request });
  }

  function ask<T>(request: Request, nothing: T, key?: string, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) return Promise.resolve(nothing);
    return new Promise((resolve) => {
      const abort = () => drop(pending);
      const pending = push(
        request,
        (result) => {
          signal?.removeEventListener('abort', abort);
          resolve(result === undefined ? nothing : (result as T));
        },
        key,
      );
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  push({ kind: 'warm' });
  return {
    update(cellId, code, executionCount, { check = false } = {}) {
      const cell: ExecutedCell = { cellId, code, executionCount };
      executed.push(cell);
      return ask<Diagnostic[]>({ kind: 'update', ...cell, check }, []);
    },
    reset() {
      executed = [];
      push({ kind: 'reset' });
    },
    diagnostics(code, { cellId, signal } = {}) {
      const key = cellId === undefined ? undefined : `diagnostics ${cellId}`;
      return ask<Diagnostic[]>({ kind: 'diagnostics', code }, [], key, signal);
    },
    complete(code, offset) {
      const nothing: Completions = { matches: [], start: offset, end: offset, types: [] };
      return ask({ kind: 'complete', code, offset }, nothing, 'complete');
    },
    inspect(code, offset, level = 0) {
      return ask<string | null>(
        { kind: 'inspect', code, offset, level: level > 0 ? 1 : 0 },
        null,
        'inspect',
      );
    },
    dispose() {
      if (disposed) return;
      disposed = true;
      const thread = worker;
      worker = undefined;
      running?.settle(undefined);
      running = undefined;
      for (const p of queue.splice(0)) p.settle(undefined);
      void thread?.terminate();
    },
  };
}

/**
 * Every program of the type checker is garbage once the next is made. V8 lets a heap without a
 * limit grow to four times what lives before it collects, one below 2 GB to less than twice.
 */
const HEAP = { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 16 };

function startThread(workerData: WorkerSetup): Worker {
  return startModuleThread(import.meta.url, 'worker', { workerData, resourceLimits: HEAP });
}
